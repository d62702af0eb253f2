#!/usr/bin/env bash
# The recommender of a streaming service, from files to a prompt: every command as you would type it, then what it prints.
#
#   make demo                 on the embedded store
#   make demo ONLINE=redis    on a Redis that this script starts, and stops
#
# The clock is set, so that the output is the same on any day. Everything is made in a temporary folder and removed at the end.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
program=${ASOF:-$here/../../build/asof}
if [ ! -x "$program" ]; then
  echo "demo: there is no $program; run make build" >&2
  exit 1
fi
program=$(cd "$(dirname "$program")" && pwd)/$(basename "$program")
asof() { "$program" "$@"; }

export ASOF_NOW=2026-05-08T00:00:00Z
unset ASOF_ONLINE ASOF_TOKEN
work=$(mktemp -d)
started=() # process ids, newest last

stop() {
  local i
  for ((i = ${#started[@]} - 1; i >= 0; i--)); do
    kill "${started[i]}" 2>/dev/null || true
    wait "${started[i]}" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap stop EXIT
trap 'exit 130' INT TERM

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

step() { printf '\n== %s\n' "$1"; }
# Shows a command and runs it. What it says beside its results is left out only where it repeats that the clock is set.
run() {
  printf '\n$ %s\n' "$*"
  "$@" 2>&1 | sed '/^clock set to /d'
}
# Waits until a command succeeds: a server takes a moment to start.
wait_for() {
  local tries
  for ((tries = 0; tries < 200; tries++)); do
    "$@" >/dev/null 2>&1 && return 0
    kill -0 "${started[-1]}" 2>/dev/null || break
    sleep 0.05
  done
  echo "demo: what was started does not answer: $*" >&2
  [ -s "$work/log" ] && cat "$work/log" >&2
  exit 1
}

echo "A streaming service recommends shows. The clock is set to $ASOF_NOW."

case ${ONLINE:-} in
  '' | lmdb) ;;
  redis)
    command -v redis-server >/dev/null || { echo "demo: redis-server is not installed; run make setup" >&2; exit 1; }
    redis_port=$(free_port)
    redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" >"$work/log" 2>&1 &
    started+=($!)
    wait_for redis-cli -p "$redis_port" ping
    export ASOF_ONLINE=redis://127.0.0.1:$redis_port/0
    printf '\n$ export ASOF_ONLINE=%s   # the only difference to the embedded store\n' "$ASOF_ONLINE"
    ;;
  *)
    echo "demo: ONLINE is '$ONLINE', wanted nothing or redis" >&2
    exit 2
    ;;
esac

step 'A repository: definitions in YAML, history in Parquet'
cd "$work"
run asof init streaming --template recommender
cd streaming
run asof apply
run asof list features

step 'A training set: each label sees what was known at its own time, never later'
run asof train --labels data/labels.parquet --service recommender -o train.parquet

step 'The newest value of each user, online'
run asof materialize
run asof get recommender user_id=8a2f user_id=b13c

step 'A user that nobody knows'
run asof get recommender user_id=ffff
run asof get recommender user_id=ffff --status

step 'Is what is online what the history says?'
run asof verify

step 'The same over HTTP'
port=$(free_port)
printf '\n$ asof serve --port %s &\n' "$port"
"$program" serve --port "$port" >"$work/log" 2>&1 &
started+=($!)
wait_for curl --fail --silent --max-time 2 "http://127.0.0.1:$port/readyz"
server=http://127.0.0.1:$port
show_curl() {
  printf '\n$ curl -s %s\n' "$1"
  shift
  curl --silent --show-error --fail "$@"
  echo
}
show_curl "'$server/v1/services/recommender/features?user_id=b13c'" "$server/v1/services/recommender/features?user_id=b13c"
body='{"user_id":"8a2f","features":["user_segment","watch_count_30d","last_genre"]}'
show_curl "$server/get-online-features -H 'Content-Type: application/json' -d '$body'" \
  "$server/get-online-features" -H 'Content-Type: application/json' -d "$body"

step 'A prompt, filled from it'
printf '\n$ python3 %s --server %s 8a2f\n' examples/recommender/prompt.py "$server"
python3 "$here/prompt.py" --server "$server" 8a2f

step 'What to try next'
cat <<'NEXT'
  asof init mine && cd mine          the same repository to play with, dated today; then the commands above
  asof init mine --from FILE         a view drafted from a Parquet or CSV file of yours
  asof init shop --template fraud    another example: one customer, two times, two rows
  asof plan                          after a change of features/*.yaml: what would it do?
  asof serve                         then http://127.0.0.1:6566/docs
  make demo ONLINE=redis             the same on a real Redis
NEXT

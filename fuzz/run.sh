#!/usr/bin/env bash
# Runs every built fuzzer for some seconds (60), two at a time. New inputs land in build/fuzz/corpus/<name>, what fails in build/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."

export SECONDS_EACH=${1:-60}
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
mkdir -p build/fuzz/found

run_one() {
  local program=$1 name
  name=$(basename "$program" _fuzz)
  mkdir -p "build/fuzz/corpus/$name"
  if "$program" -max_total_time="$SECONDS_EACH" -max_len=4096 -timeout=10 -rss_limit_mb=4096 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" "fuzz/corpus/$name" >"build/fuzz/$name.log" 2>&1; then
    echo "fuzz: $name: $(grep -o 'number_of_executed_units: [0-9]*' "build/fuzz/$name.log" | grep -o '[0-9]*$') inputs, nothing found"
  else
    tail -n 40 "build/fuzz/$name.log"
    echo "fuzz: $name failed; its input is in build/fuzz/found, the log in build/fuzz/$name.log"
    return 1
  fi
}
export -f run_one

find build/fuzz/bin -name '*_fuzz' -print0 | sort -z | xargs -0 -r -n 1 -P 2 bash -c 'run_one "$0"'

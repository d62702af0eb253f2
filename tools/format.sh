#!/usr/bin/env bash
# Formats the C++ of the tree, or of the files and folders named; with --check it changes nothing and names what differs.
set -euo pipefail
cd "$(dirname "$0")/.."

CLANG_FORMAT=${CLANG_FORMAT:-clang-format-19}
mode=-i
if [ "${1-}" = --check ]; then
  mode='--dry-run --Werror'
  shift
fi
if ! command -v "$CLANG_FORMAT" >/dev/null; then
  echo "format: $CLANG_FORMAT is not installed; run tools/setup.sh" >&2
  [ -z "${ASOF_REQUIRE_ALL_PARTS-}" ] && exit 77 # the tests take 77 as "skipped"
  exit 1
fi

folders=("$@")
if [ $# -eq 0 ]; then
  for folder in asof apps python tests bench fuzz examples; do
    if [ -d "$folder" ]; then folders+=("$folder"); fi
  done
fi
# shellcheck disable=SC2086  # $mode is one or two options
find "${folders[@]}" -type f \( -name '*.h' -o -name '*.cc' \) -not -path '*/node_modules/*' -print0 |
  xargs -0 -r -n 32 -P 2 "$CLANG_FORMAT" $mode ||
  { echo "format: run tools/format.sh, or make format" >&2; exit 1; }

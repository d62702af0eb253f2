#!/usr/bin/env bash
# Formats the C++ of the tree, or of the files and folders named; with --check it changes nothing and names what differs.
set -euo pipefail
cd "$(dirname "$0")/.."

CLANG_FORMAT=${CLANG_FORMAT:-clang-format-19}
mode=apply
if [ "${1-}" = --check ]; then
  mode=check
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
list_sources() { find "${folders[@]}" -type f \( -name '*.h' -o -name '*.cc' \) -not -path '*/node_modules/*' -print0; }

if [ "$mode" = apply ]; then
  list_sources | xargs -0 -r -n 16 -P 2 "$CLANG_FORMAT" -i
  exit
fi
status=0
output=$(list_sources | xargs -0 -r -n 16 -P 2 "$CLANG_FORMAT" --dry-run --Werror 2>&1) || status=1
[ $status -eq 0 ] && exit
echo "format: these differ from .clang-format, at these lines first; run make format"
places=$(sed -nE 's/^([^ :]+):([0-9]+):.*clang-format.*/\1:\2/p' <<<"$output" | sort -t: -k1,1 -k2,2n | sort -t: -k1,1 -u)
echo "${places:-$output}"
exit 1

#!/usr/bin/env bash
# Usage: other_compiler_test.sh FLAG... -- COMPILER SOURCE...
# Another compiler for RV32 than the one the firmware is built with must take every source, without a warning.
set -euo pipefail
flags=()
while [ "$1" != -- ]; do
  flags+=("$1")
  shift
done
compiler=$2
shift 2
for source; do
  "$compiler" "${flags[@]}" -c "$source" -o /dev/null || { echo "$source: $compiler does not take it" >&2; exit 1; }
done

#!/usr/bin/env bash
# Usage: other_compiler_test.sh FLAG... -- COMPILER SOURCE...
# Another compiler for RV32 than the one the firmware is built with must take every source, without a warning.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 3 ] || usage "$0 FLAG... -- COMPILER SOURCE..."
step "compiling for the board with another compiler"
flags=()
while [ "$1" != -- ]; do
  flags+=("$1")
  shift
done
compiler=$2
shift 2
for source; do
  "$compiler" "${flags[@]}" -c "$source" -o /dev/null || fail "$compiler does not take $source"
done

#!/usr/bin/env bash
# Usage: loader_size.sh MAP LIMIT PROGRAM_OBJECT...
# Adds up what a linked program has of the loader, from the linker's map: everything but the PROGRAM_OBJECTs, that is the
# loader, the decoders, mem* and the compiler's library, after garbage collection. Prints it; fails beyond LIMIT bytes.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 2 ] || usage "$0 MAP LIMIT PROGRAM_OBJECT..."
map=$1 limit=$2
shift 2
step "measuring the loader in $map"

sizes=$(awk -v objects="$*" -v listed=0 -f "$(dirname "$0")/linked_size.awk" "$map")
total=${sizes% *}
[ "$total" -gt 0 ] || fail "nothing of the loader in the map"
echo "loader and decoders for RV32IMAC: $total bytes of code and constants, of which ${sizes#* } run from RAM"
[ "$total" -le "$limit" ] || fail "$total bytes are more than $limit"

#!/usr/bin/env bash
# Usage: engine_size.sh MAP LIMIT OBJECT...
# Adds up what a linked program has of the engine beside the loader, from the linker's map: the OBJECTs, which are files or
# members of archives, after garbage collection. Prints it; fails beyond LIMIT bytes.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 3 ] || usage "$0 MAP LIMIT OBJECT..."
map=$1 limit=$2
shift 2
step "measuring the engine in $map"

sizes=$(awk -v objects="$*" -v listed=1 -f "$(dirname "$0")/linked_size.awk" "$map")
total=${sizes% *}
[ "$total" -gt 0 ] || fail "nothing of the engine in the map"
echo "engine for RV32IMAC: $total bytes of code and constants, of which ${sizes#* } run from RAM"
[ "$total" -le "$limit" ] || fail "$total bytes are more than $limit"

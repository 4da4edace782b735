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

# As in loader_size.sh.
sizes=$(awk -v objects="$*" '
  function hex(text,   value, i) {
    for (i = 3; i <= length(text); ++i) value = 16 * value + index("0123456789abcdef", substr(text, i, 1)) - 1
    return value
  }
  BEGIN { count = split(objects, names); for (i = 1; i <= count; ++i) wanted[names[i]] = 1 }
  /^Linker script and memory map/ { linked = 1 }
  !linked { next }
  /^[^ ]/ { section = $1; next }
  section !~ /^\.(text|text\.flash|ram_code|restore_code|rodata)$/ || /\*fill\*/ { next }
  {
    for (i = 1; i < NF - 1; ++i) {
      if ($i !~ /^0x[0-9a-f]+$/ || $(i + 1) !~ /^0x[0-9a-f]+$/) continue
      file = $(i + 2)
      sub(/^.*[\/(]/, "", file)
      sub(/\)$/, "", file)
      if (!(file in wanted)) break
      total += hex($(i + 1))
      if (section ~ /_code$/) in_ram += hex($(i + 1))
      break
    }
  }
  END {
    print total + 0, in_ram + 0
  }' "$map")
total=${sizes% *}
[ "$total" -gt 0 ] || fail "nothing of the engine in the map"
echo "engine for RV32IMAC: $total bytes of code and constants, of which ${sizes#* } run from RAM"
[ "$total" -le "$limit" ] || fail "$total bytes are more than $limit"

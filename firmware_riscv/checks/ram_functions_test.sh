#!/usr/bin/env bash
# Usage: ram_functions_test.sh NM CXXFILT LIST PROGRAM.elf OBJECT...
# Every function of LIST that is in the program must lie where the code for RAM does, and all but the inline ones must be
# there; and a name that no function has must be refused (ram_functions.sh).
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 5 ] || usage "$0 NM CXXFILT LIST PROGRAM.elf OBJECT..."
nm=$1 cxxfilt=$2 list=$3 elf=$4
shift 4
here=$(dirname "$0")
folder=$(mktemp -d)
at_exit() { rm -rf "$folder"; }
step "looking where the functions of $list are"

"$nm" --format=posix "$elf" >"$folder/symbols"
awk '$2 ~ /^[tTwW]$/ { print $1 }' "$folder/symbols" >"$folder/mangled"
"$cxxfilt" --no-params <"$folder/mangled" >"$folder/demangled"
sed -E 's/\(anonymous namespace\):://g; s/[(<[].*//; s/ .*//' "$folder/demangled" >"$folder/names"
awk '$2 ~ /^[tTwW]$/ { print $3 }' "$folder/symbols" | paste "$folder/names" - >"$folder/functions"
# Two places: what stays, and what only restores.
symbol() { awk -v name="$1" '$1 == name { print "x" $3 }' "$folder/symbols"; }
begin=$(symbol _ram_code_start) end=$(symbol _ram_code_end)
begin2=$(symbol _restore_code_start) end2=$(symbol _restore_code_end)
if [ -z "$begin" ] || [ -z "$end" ] || [ -z "$begin2" ] || [ -z "$end2" ]; then fail "$elf has no code for RAM"; fi
# Addresses are hexadecimal numbers of one width, so they compare as text.
awk -v list="$list" -v begin="$begin" -v end="$end" -v begin2="$begin2" -v end2="$end2" '
  { at = "x" $2 }
  (at >= begin && at < end) || (at >= begin2 && at < end2) { in_ram[$1] = 1; next }
  { elsewhere[$1] = 1 }
  END {
    while ((getline line < list) > 0) {
      if (line ~ /^(#|$)/) continue
      inlined = sub(/^inline /, "", line)
      ++count
      of_one_file = sub(/ .*/, "", line)
      if ((line in elsewhere && !of_one_file) || (!inlined && !(line in in_ram))) { print "not in RAM: " line; failed = 1 }
    }
    if (count == 0) { print list ": no names"; failed = 1 }
    exit failed
  }' "$folder/functions" >&2

{ cat "$list"; echo "modelvault::NoSuchFunction"; } >"$folder/list"
if "$here/../virt_rv32/ram_functions.sh" "$nm" "$cxxfilt" "$folder/list" "$folder/out" "$@" 2>"$folder/said"; then
  fail "a name that no function has was accepted"
fi
grep -q "there is no function modelvault::NoSuchFunction" "$folder/said" ||
  fail "refused for another reason: $(cat "$folder/said")"

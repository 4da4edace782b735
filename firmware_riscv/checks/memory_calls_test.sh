#!/usr/bin/env bash
# Usage: memory_calls_test.sh OBJDUMP SELF_CALLING_OBJECT OBJECT...
# None of the four mem* functions in the OBJECTs (memory.cc, as several compilers and levels make it) may come to call
# itself: the one call among them is memmove's of memcpy. In SELF_CALLING_OBJECT the check must find one.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 3 ] || usage "$0 OBJDUMP SELF_CALLING_OBJECT OBJECT..."
objdump=$1 self_calling=$2
shift 2
step "looking for calls among mem*"

# calls OBJECT : "CALLER CALLEE" for each call of one of the functions, by relocations.
calls() {
  "$objdump" -dr "$1" | awk '
    /^[0-9a-f]+ <mem(cpy|move|set|cmp)>:$/ { caller = $2; gsub(/[<>:]/, "", caller); ++functions }
    $2 ~ /^R_RISCV_(CALL|CALL_PLT|JAL|RVC_JUMP)$/ && $3 ~ /^mem(cpy|move|set|cmp)$/ { print caller, $3 }
    END { if (functions == 0) print "nothing", "nothing" }'
}

for object; do
  found=$(calls "$object")
  if [ -n "$found" ] && [ "$found" != "memmove memcpy" ]; then
    fail "$object: calls among mem*: $found"
  fi
done
if [ "$(calls "$self_calling")" != "memset memset" ]; then
  fail "$self_calling: the call of memset by itself was not found"
fi

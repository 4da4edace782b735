#!/usr/bin/env bash
# Usage: check_core_symbols.sh NM SIZE ARCHIVE
# Fails if the freestanding core needs anything but mem* and the compiler's helpers for integers and for saving
# registers, or has global constructors or writable data. Soft-float helpers are absent from the list on purpose: the core has no floating point.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -eq 3 ] || usage "$0 NM SIZE ARCHIVE"
nm=$1 size=$2 archive=$3
step "looking through $archive"

allowed='memcpy memmove memset memcmp
  __muldi3 __divdi3 __moddi3 __udivdi3 __umoddi3 __divmoddi4 __udivmoddi4
  __riscv_save_0 __riscv_save_1 __riscv_save_2 __riscv_save_3 __riscv_save_4 __riscv_save_5 __riscv_save_6
  __riscv_save_7 __riscv_save_8 __riscv_save_9 __riscv_save_10 __riscv_save_11 __riscv_save_12
  __riscv_restore_0 __riscv_restore_1 __riscv_restore_2 __riscv_restore_3 __riscv_restore_4 __riscv_restore_5
  __riscv_restore_6 __riscv_restore_7 __riscv_restore_8 __riscv_restore_9 __riscv_restore_10 __riscv_restore_11
  __riscv_restore_12
  __ashldi3 __lshrdi3 __ashrdi3 __clzsi2 __clzdi2 __ctzsi2 __ctzdi2 __popcountsi2 __popcountdi2 __bswapsi2 __bswapdi2'

symbols=$("$nm" --format=posix "$archive")
[ -n "$symbols" ] || fail "no symbols at all"
status=0
while read -r name; do
  echo "$archive: undefined symbol that the core may not use: $name" >&2
  status=1
done < <(awk -v allowed="$allowed" '
    BEGIN { count = split(allowed, names); for (i = 1; i <= count; ++i) known[names[i]] = 1 }
    NF >= 2 { if ($2 ~ /^[UwvW]$/ && NF == 2) wanted[$1] = 1; else known[$1] = 1 }
    END { for (name in wanted) if (!(name in known)) print name }' <<<"$symbols" | sort)

# `size -A` prints "section size address".
sections=$("$size" -A "$archive")
while read -r section bytes; do
  echo "$archive: $bytes bytes in $section: the core has no writable data and no global constructors" >&2
  status=1
done < <(awk '$2 ~ /^[0-9]+$/ && $2 > 0 && $1 ~ /^\.(s?data|s?bss|tdata|tbss|init_array|fini_array|preinit_array|ctors|dtors)(\.|$)/ {
    print $1, $2 }' <<<"$sections")

awk '$1 ~ /^\.text(\.|$)/ { text += $2 }
     $1 ~ /^\.s?rodata(\.|$)/ { rodata += $2 }
     END { printf "core for RV32IMAC: %d bytes of code, %d bytes of constants\n", text, rodata }' <<<"$sections"
[ "$status" -eq 0 ] || fail "the core must stay freestanding"

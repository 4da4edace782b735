#!/usr/bin/env bash
# Usage: transcript.sh MVAULT CODE.bin VAULT OLD NEW
# Shows on the board's UART, in the emulator, how the variant OLD is selected and booted, how NEW is selected and the next
# boot switches to it, and, after one bit of NEW's delta went wrong in flash, how the boot falls back to OLD. Exit status:
# 0 if the board said and did what it should. The files given are not changed.
set -euo pipefail
[ $# -eq 5 ] || { echo "usage: $0 MVAULT CODE.bin VAULT OLD NEW" >&2; exit 64; }
mvault=$1 code=$2 vault=$3 old=$4 new=$5
qemu=${QEMU:-qemu-system-riscv32}
limit_seconds=120  # Only ends an emulator that hangs.

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# A bank is 32 MiB: the vault's partition of 1 MiB, the two erased sectors of the boot selection, nothing.
cp -- "$code" "$folder/code.img"
{
  cat -- "$vault"
  head -c $((0x100000 - $(stat -c %s -- "$vault"))) /dev/zero
  head -c $((0x80000)) /dev/zero | tr '\0' '\377'
} >"$folder/vault.img"
truncate -s 32M "$folder/code.img" "$folder/vault.img"

# power_on TITLE COMMAND... : boots the board, types the commands, prints all it says.
power_on() {
  printf -- '--- %s\n' "$1"
  shift
  { [ $# -eq 0 ] || printf '%s\n' "$@"; echo exit; } >"$folder/input"
  timeout "$limit_seconds" "$qemu" -M virt -m 128K -bios none -display none -monitor none -serial stdio -icount shift=0 \
    -drive if=pflash,unit=0,format=raw,readonly=on,file="$folder/code.img" \
    -drive if=pflash,unit=1,format=raw,file="$folder/vault.img" <"$folder/input" | tee "$folder/output"
}

# booted SOURCE NAME : whether the last boot of that power-on ended so.
booted() {
  grep -E '^boot status=' "$folder/output" | tail -n 1 | grep -q "^boot status=ok source=$1 .* name=$2\$" || {
    echo "$0: the board did not boot $2 ($1)" >&2
    exit 1
  }
}

# Four bytes at an offset of the vault, as a number.
word_at() { od -An -v -tu4 --endian=little -j "$1" -N 4 -- "$vault" | tr -d ' '; }

power_on "power on: nothing was ever selected" "select $old" boot "select $new"
booted trial "$old"
power_on "power on: $new is tried and confirmed"
booted trial "$new"

# The variant's entry in INDEX has its digest at offset 16 and the blob's offset and size at 8 and 12.
digest=$("$mvault" info "$vault" "$new" --json | sed -n 's/^  "xxh64": "\([0-9a-f]*\)".*/\1/p')
reversed=$(sed 's/../&\n/g' <<<"$digest" | tac | tr -d '\n')
entry=$(od -An -v -tx1 -- "$vault" | tr -d ' \n' | awk -v digest="$reversed" '
  { at = index($0, digest) }
  END { if (at % 2 == 0) exit 1; print (at - 1) / 2 - 16 }') || {
  echo "$0: no entry of $vault has the digest $digest of $new" >&2
  exit 1
}
at=$(($(word_at $((entry + 8))) + $(word_at $((entry + 12))) / 2))
byte=$(($(od -An -v -tu1 -j "$at" -N 1 -- "$vault") ^ 4))
printf "\\x$(printf %02x "$byte")" | dd of="$folder/vault.img" bs=1 seek="$at" conv=notrunc status=none
power_on "power on: a bit of $new went wrong in flash"
booted last-good "$old"

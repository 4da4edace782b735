#!/usr/bin/env bash
# Usage: transcript.sh MVAULT CODE.bin VAULT OLD NEW
# Shows on the board's UART, in the emulator, how the variant OLD is selected and booted, how NEW is selected and the next
# boot switches to it, and, after one bit of NEW's delta went wrong in flash, how the boot falls back to OLD. Exit status:
# 0 if the board said and did what it should. The files given are not changed.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -eq 5 ] || usage "$0 MVAULT CODE.bin VAULT OLD NEW"
mvault=$1 code=$2 vault=$3 old=$4 new=$5

step "making the image of the vault's flash bank"
folder=$(mktemp -d)
at_exit() { rm -rf "$folder"; }
# A bank is 32 MiB: the vault's partition of 1 MiB, the two erased sectors of the boot selection, nothing.
partition=0x100000 erased=0x80000
size=$(stat -c %s -- "$vault")
[ "$size" -le $((partition)) ] || fail "$vault has $size bytes, more than its partition's $((partition))"
{
  cat -- "$vault"
  head -c $((partition - size)) /dev/zero
  head -c $((erased)) /dev/zero | tr '\0' '\377'
} >"$folder/vault.img"
truncate -s 32M "$folder/vault.img"

# power_on TITLE COMMAND... : boots the board, types the commands, prints all it says.
power_on() {
  step "power on: $1"
  printf -- '--- power on: %s\n' "$1"
  shift
  { [ $# -eq 0 ] || printf '%s\n' "$@"; echo exit; } >"$folder/input"
  "$(dirname "$0")"/run_emulator.sh --in-place "$code" "$folder/vault.img" <"$folder/input" | tee "$folder/output"
}

# booted SOURCE NAME : whether the last boot of that power-on ended so.
booted() {
  local last
  last=$(awk '/^boot status=/ { line = $0 } END { print line }' "$folder/output")
  [[ $last == "boot status=ok source=$1 "*" name=$2" ]] || fail "the board did not boot $2 ($1)"
}

# Four bytes at an offset of the vault, as a number.
word_at() { od -An -v -tu4 --endian=little -j "$1" -N 4 -- "$vault" | tr -d ' '; }

power_on "nothing was ever selected" "select $old" boot "select $new"
booted trial "$old"
power_on "$new is tried and confirmed"
booted trial "$new"

step "changing a bit of $new in flash"
# The variant's entry in INDEX has its digest at offset 16 and the blob's offset and size at 8 and 12.
digest=$("$mvault" info "$vault" "$new" --json | sed -n 's/^  "xxh64": "\([0-9a-f]*\)".*/\1/p')
reversed=$(fold -w 2 <<<"$digest" | tac | tr -d '\n')
# Two digits a byte, counted from 1; 0 if it is not there.
position=$(od -An -v -tx1 -- "$vault" | tr -d ' \n' | awk -v digest="$reversed" '{ print index($0, digest) }')
[ $((position % 2)) -eq 1 ] || fail "no entry of $vault has the digest $digest of $new"
entry=$(((position - 1) / 2 - 16))
at=$(($(word_at $((entry + 8))) + $(word_at $((entry + 12))) / 2))
byte=$(($(od -An -v -tu1 -j "$at" -N 1 -- "$vault") ^ 4))
printf %b "\\x$(printf %02x "$byte")" | dd of="$folder/vault.img" bs=1 seek="$at" conv=notrunc status=none
power_on "a bit of $new went wrong in flash"
booted last-good "$old"

#!/usr/bin/env bash
# Usage: run_emulator.sh [--in-place] CODE.bin VAULT.bin [STRAPS.bin]
# Runs the board's firmware in QEMU with the vault in the second flash bank, and with a strap block (straps.h) if one is
# given; the UART is on stdin and stdout. Exit status: the firmware's own; 124 if it never ends. The images given are
# not changed, but with --in-place VAULT.bin is the bank itself, of 32 MiB, and keeps what the firmware writes.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
in_place=""
if [ "${1-}" = --in-place ]; then
  in_place=yes
  shift
fi
if [ $# -lt 2 ] || [ $# -gt 3 ]; then usage "$0 [--in-place] CODE.bin VAULT.bin [STRAPS.bin]"; fi
qemu=${QEMU:-qemu-system-riscv32}
# Instructions, not seconds, are what the tests measure: this limit only ends a program that hangs.
limit_seconds=120

step "making the images of the flash banks"
folder=$(mktemp -d)
at_exit() { rm -rf "$folder"; }
# Each flash bank is 32 MiB and QEMU wants the image as large. The holes read as zero.
bank_size=32M
cp -- "$1" "$folder/code.img"
truncate -s "$bank_size" "$folder/code.img"
bank=$2
if [ -z "$in_place" ]; then
  bank=$folder/vault.img
  cp -- "$2" "$bank"
  truncate -s "$bank_size" "$bank"
fi
if [ $# -gt 2 ]; then dd if="$3" of="$folder/code.img" bs=256K seek=1 conv=notrunc status=none; fi

step "running $1 in $qemu"
arguments=()
while IFS= read -r argument; do
  argument=${argument/%file=CODE/file=$folder/code.img}
  arguments+=("${argument/%file=VAULT/file=$bank}")
done < <(sed -n 's/^"\(.*\)",$/\1/p' "$(dirname "$0")/qemu_arguments.inc")
timeout "$limit_seconds" "$qemu" "${arguments[@]}"

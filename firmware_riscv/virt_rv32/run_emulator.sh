#!/usr/bin/env bash
# Usage: run_emulator.sh [--in-place] CODE.bin VAULT.bin [COMMAND [TILE_SIZE [NAME]]]
# Runs the board's firmware in QEMU with the vault in the second flash bank, and with a strap block (straps.h) if there is
# a COMMAND; the UART is on stdin and stdout. Exit status: the firmware's own; 124 if it never ends. The images given are
# not changed, but with --in-place VAULT.bin is the bank itself, of 32 MiB, and keeps what the firmware writes.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
in_place=""
if [ "${1-}" = --in-place ]; then
  in_place=yes
  shift
fi
if [ $# -lt 2 ] || [ $# -gt 5 ]; then usage "$0 [--in-place] CODE.bin VAULT.bin [COMMAND [TILE_SIZE [NAME]]]"; fi
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
if [ $# -gt 2 ]; then
  # Little-endian words: magic, command, tile size, reserved; then the name.
  {
    for word in 0x5453564D "$3" "${4:-0}" 0; do
      for shift in 0 8 16 24; do printf %b "\\x$(printf %02x $((word >> shift & 255)))"; done
    done
    printf %s "${5:-}"
  } | dd of="$folder/code.img" bs=256K seek=1 conv=notrunc status=none
fi

step "running $1 in $qemu"
timeout "$limit_seconds" "$qemu" -M virt -m 128K -bios none -display none -monitor none -serial stdio -icount shift=0 \
  -drive if=pflash,unit=0,format=raw,readonly=on,file="$folder/code.img" \
  -drive if=pflash,unit=1,format=raw,file="$bank"

#!/usr/bin/env bash
# Usage: run_emulator.sh CODE.bin VAULT.bin [COMMAND [TILE_SIZE [NAME]]]
# Runs the board's firmware in QEMU with the vault in the second flash bank, and with a strap block (straps.h) if there is
# a COMMAND; the UART is on stdin and stdout. Exit status: the firmware's own; 124 if it never ends. The images given are
# not changed.
set -euo pipefail
[ $# -ge 2 ] && [ $# -le 5 ] || { echo "usage: $0 CODE.bin VAULT.bin [COMMAND [TILE_SIZE [NAME]]]" >&2; exit 64; }
qemu=${QEMU:-qemu-system-riscv32}
# Instructions, not seconds, are what the tests measure: this limit only ends a program that hangs.
limit_seconds=120

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Each flash bank is 32 MiB and QEMU wants the image as large. The holes read as zero.
cp -- "$1" "$folder/code.img"
cp -- "$2" "$folder/vault.img"
truncate -s 32M "$folder/code.img" "$folder/vault.img"
if [ $# -gt 2 ]; then
  # Little-endian words: magic, command, tile size, reserved; then the name.
  {
    for word in 0x5453564D "$3" "${4:-0}" 0; do
      for shift in 0 8 16 24; do printf "\\x$(printf %02x $((word >> shift & 255)))"; done
    done
    printf %s "${5:-}"
  } | dd of="$folder/code.img" bs=256K seek=1 conv=notrunc status=none
fi
status=0
timeout "$limit_seconds" "$qemu" -M virt -m 128K -bios none -display none -monitor none -serial stdio -icount shift=0 \
  -drive if=pflash,unit=0,format=raw,readonly=on,file="$folder/code.img" \
  -drive if=pflash,unit=1,format=raw,file="$folder/vault.img" || status=$?
exit "$status"

#!/usr/bin/env bash
# Usage: run_emulator.sh CODE.bin VAULT.bin
# Runs a board program in QEMU with the vault in the second flash bank and prints what the program sends to its UART.
# Exit status: the program's own; 124 if it never ends. The images given are not changed.
set -euo pipefail
[ $# -eq 2 ] || { echo "usage: $0 CODE.bin VAULT.bin" >&2; exit 64; }
qemu=${QEMU:-qemu-system-riscv32}
# Instructions, not seconds, are what the tests measure: this limit only ends a program that hangs.
limit_seconds=120

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# Each flash bank is 32 MiB and QEMU wants the image as large. The holes read as zero.
for bank in code vault; do
  cp -- "$1" "$folder/$bank.img"
  truncate -s 32M "$folder/$bank.img"
  shift
done
status=0
timeout "$limit_seconds" "$qemu" -M virt -m 128K -bios none -display none -monitor none -serial stdio -icount shift=0 \
  -drive if=pflash,unit=0,format=raw,readonly=on,file="$folder/code.img" \
  -drive if=pflash,unit=1,format=raw,file="$folder/vault.img" </dev/null || status=$?
exit "$status"

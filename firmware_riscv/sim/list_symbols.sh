#!/usr/bin/env bash
# Usage: list_symbols.sh NM PROGRAM.elf OUT
# Writes the functions of a program as the cycle plugin reads them: "ADDRESS SIZE NAME", hexadecimal, size 0 where none is
# known.
set -euo pipefail
nm=$1 elf=$2 out=$3
"$nm" --demangle -S "$elf" | awk '
  # "ADDRESS SIZE TYPE NAME", or without the size; names have spaces.
  $2 ~ /^[tTwW]$/ { name = $0; sub(/^[^ ]+ +[^ ]+ +/, "", name); print $1, 0, name; next }
  $3 ~ /^[tTwW]$/ { name = $0; sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, "", name); print $1, $2, name }' >"$out"

#!/usr/bin/env bash
# Usage: list_symbols.sh NM PROGRAM.elf OUT
# Writes the functions of a program as the cycle plugin reads them: "ADDRESS SIZE NAME", hexadecimal, size 0 where none is
# known.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -eq 3 ] || usage "$0 NM PROGRAM.elf OUT"
nm=$1 elf=$2 out=$3
step "listing the functions of $elf"
"$nm" --demangle -S "$elf" | awk '
  # "ADDRESS SIZE TYPE NAME", or without the size; names have spaces.
  $2 ~ /^[tTwW]$/ { name = $0; sub(/^[^ ]+ +[^ ]+ +/, "", name); print $1, 0, name; next }
  $3 ~ /^[tTwW]$/ { name = $0; sub(/^[^ ]+ +[^ ]+ +[^ ]+ +/, "", name); print $1, $2, name }' >"$out"

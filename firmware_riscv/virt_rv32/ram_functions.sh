#!/usr/bin/env bash
# Usage: ram_functions.sh NM CXXFILT LIST OUT OBJECT...
# Writes the part of the linker script that puts the functions of LIST (ram_functions.txt) where they run from: the
# sections that the OBJECTs, compiled with -ffunction-sections, have them in. Fails if there is no function of a name.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 5 ] || usage "$0 NM CXXFILT LIST OUT OBJECT..."
nm=$1 cxxfilt=$2 list=$3 out=$4
shift 4
step "finding the functions of $list"

symbols=$("$nm" --defined-only --format=posix "$@" | awk '$2 ~ /^[tTwW]$/ { print $1 }' | sort -u)
[ -n "$symbols" ] || fail "the objects have no functions"
# Without arguments a function, its clones and its lambdas have one name.
names=$("$cxxfilt" --no-params <<<"$symbols")
names=$(sed -E 's/\(anonymous namespace\):://g; s/[(<[].*//; s/ .*//' <<<"$names")
paste <(printf '%s\n' "$names") <(printf '%s\n' "$symbols") | awk -v list="$list" '
  { sections[$1] = sections[$1] " " $2 }
  END {
    while ((getline line < list) > 0) {
      if (line ~ /^(#|$)/) continue
      inlined = sub(/^inline /, "", line)
      split(line, words, " ")
      file = words[2] == "" ? "" : words[2] ".o"
      line = words[1]
      if (line in sections) {
        count = split(sections[line], symbols, " ")
        for (i = 1; i <= count; ++i) print "*" file "(.text." symbols[i] ")"
      } else if (!inlined) {
        print list ": there is no function " line > "/dev/stderr"
        failed = 1
      }
    }
    exit failed
  }' >"$out"

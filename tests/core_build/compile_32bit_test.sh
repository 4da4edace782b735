#!/usr/bin/env bash
# Usage: compile_32bit_test.sh COMPILER INCLUDE_FOLDER... -- SOURCE...
# The sources compile, without a warning, where size_t has 32 bits. They are only looked at: the libraries that they use are
# there for 64 bits alone.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 4 ] || usage "$0 COMPILER INCLUDE_FOLDER... -- SOURCE..."
compiler=$1
shift
flags=(-m32 -std=c++20 -D_FILE_OFFSET_BITS=64 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion
       -Wno-sign-conversion -Werror)
while [ "${1---}" != -- ]; do
  flags+=(-I "$1")
  shift
done
shift
for source; do
  step "compiling $source for 32 bits"
  "$compiler" "${flags[@]}" "$source"
done

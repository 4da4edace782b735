#!/usr/bin/env bash
# Usage: compile_32bit_test.sh COMPILER INCLUDE_FOLDER... -- SOURCE...
# The sources compile, without a warning, where size_t has 32 bits. They are only looked at: the libraries that they use are
# there for 64 bits alone.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -ge 4 ] || usage "$0 COMPILER INCLUDE_FOLDER... -- SOURCE..."
compiler=$1
shift
flags=(-m32 -std=c++20 -D_FILE_OFFSET_BITS=64 -Wall -Wextra -Wpedantic -Wshadow -Wconversion
       -Wno-sign-conversion -Werror)
while [ "${1---}" != -- ]; do
  flags+=(-I "$1")
  shift
done
shift
# What most of them include, parsed once.
folder=$(mktemp -d)
at_exit() { rm -r "$folder"; }
headers=$folder/headers.h
printf '#include <%s>\n' algorithm functional map memory optional string vector absl/status/statusor.h \
  absl/strings/str_cat.h absl/strings/str_format.h >"$headers"
step "compiling the headers for 32 bits"
"$compiler" "${flags[@]}" -x c++-header "$headers" -o "$headers.gch"
for source; do
  step "compiling $source for 32 bits"
  "$compiler" "${flags[@]}" -fsyntax-only -include "$headers" "$source"
done

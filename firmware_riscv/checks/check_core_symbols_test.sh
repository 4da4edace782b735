#!/usr/bin/env bash
# Usage: check_core_symbols_test.sh NM SIZE FORBIDDEN_ARCHIVE
# check_core_symbols.sh must fail on the archive of forbidden_in_core.cc and name each of its sins.
set -euo pipefail
here=$(dirname "$0")
if output=$("$here/check_core_symbols.sh" "$@" 2>&1); then
  echo "the checker accepted an archive that breaks every rule:" >&2
  echo "$output" >&2
  exit 1
fi
for sin in malloc printf __mulsf3 _Z6Opaquev .init_array .sdata.forbidden_data .sbss.forbidden_global; do
  if ! grep -qF -- "$sin" <<<"$output"; then
    echo "the checker did not report $sin; it said:" >&2
    echo "$output" >&2
    exit 1
  fi
done

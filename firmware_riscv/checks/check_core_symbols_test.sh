#!/usr/bin/env bash
# Usage: check_core_symbols_test.sh NM SIZE FORBIDDEN_ARCHIVE
# check_core_symbols.sh must fail on the archive of forbidden_in_core.cc and name each of its sins.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
here=$(dirname "$0")
step "running the checker on an archive that breaks every rule"
if output=$("$here/check_core_symbols.sh" "$@" 2>&1); then
  fail "it accepted the archive, and said: $output"
fi
for sin in malloc printf __mulsf3 _Z6Opaquev .init_array .sdata.forbidden_data .sbss.forbidden_global; do
  grep -qF -- "$sin" <<<"$output" || fail "it did not report $sin; it said: $output"
done

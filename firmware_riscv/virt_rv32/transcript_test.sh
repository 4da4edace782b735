#!/usr/bin/env bash
# Usage: transcript_test.sh MVAULT CODE.bin VAULT OLD NEW README
# transcript.sh must succeed on a vault, and the board must say what the README shows, but for names, numbers and what the
# damage is found as.
# shellcheck source=scripts/steps.sh
. "$(dirname "$0")/../../scripts/steps.sh"
[ $# -eq 6 ] || usage "$0 MVAULT CODE.bin VAULT OLD NEW README"
mvault=$1 code=$2 vault=$3 old=$4 new=$5 readme=$6

# plain OLD NEW : standard input without what differs from vault to vault.
plain() {
  tr -d '\r' | sed -E "s/\\b$1\\b/OLD/g; s/\\b$2\\b/NEW/g; s/(bytes|xxh64)=[0-9a-f]+/\\1=/g; s/a base and [0-9]+/a base and/
    s/(verify pass|is not used): [a-z-]+/\\1:/"
}

step "looking for the transcript in $readme"
shown=$(awk '/^```/ { inside = !inside; text = ""; next } inside { text = text $0 "\n" }
  inside && /^--- power on: a bit/ { found = 1 } found && /^> exit/ { printf "%s", text; exit }' "$readme")
[ -n "$shown" ] || fail "there is none"
mapfile -t selected < <(sed -n 's/^> select //p' <<<"$shown")
[ "${#selected[@]}" -ge 2 ] || fail "it selects no two variants"
step "comparing what the board says with it"
said=$("$(dirname "$0")"/transcript.sh "$mvault" "$code" "$vault" "$old" "$new")
diff <(plain "${selected[0]}" "${selected[-1]}" <<<"$shown") <(plain "$old" "$new" <<<"$said") ||
  fail "the board says (>) other things than $readme shows (<)"
step "asking for a variant that does not exist"
if "$(dirname "$0")"/transcript.sh "$mvault" "$code" "$vault" "$old" nobody >/dev/null 2>&1; then
  fail "the switch to it went well"
fi

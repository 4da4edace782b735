#!/usr/bin/env bash
# Usage: transcript_test.sh MVAULT CODE.bin VAULT OLD NEW README
# transcript.sh must succeed on a vault, and the board must say what the README shows, but for names, numbers and what the
# damage is found as.
set -euo pipefail
[ $# -eq 6 ] || { echo "usage: $0 MVAULT CODE.bin VAULT OLD NEW README" >&2; exit 64; }
mvault=$1 code=$2 vault=$3 old=$4 new=$5 readme=$6

# plain OLD NEW : standard input without what differs from vault to vault.
plain() {
  tr -d '\r' | sed -E "s/\\b$1\\b/OLD/g; s/\\b$2\\b/NEW/g; s/(bytes|xxh64)=[0-9a-f]+/\\1=/g; s/a base and [0-9]+/a base and/
    s/(verify pass|is not used): [a-z-]+/\\1:/"
}

shown=$(awk '/^```/ { inside = !inside; text = ""; next } inside { text = text $0 "\n" }
  inside && /^--- power on: a bit/ { found = 1 } found && /^> exit/ { printf "%s", text; exit }' "$readme")
[ -n "$shown" ] || { echo "$0: $readme shows no transcript" >&2; exit 1; }
shown_old=$(sed -n 's/^> select //p' <<<"$shown" | head -n 1)
shown_new=$(sed -n 's/^> select //p' <<<"$shown" | tail -n 1)
said=$("$(dirname "$0")"/transcript.sh "$mvault" "$code" "$vault" "$old" "$new")
diff <(plain "$shown_old" "$shown_new" <<<"$shown") <(plain "$old" "$new" <<<"$said") || {
  echo "$0: the board says (>) other things than $readme shows (<)" >&2
  exit 1
}
if "$(dirname "$0")"/transcript.sh "$mvault" "$code" "$vault" "$old" nobody >/dev/null 2>&1; then
  echo "$0: a switch to a variant that does not exist went well" >&2
  exit 1
fi

# shellcheck shell=bash
# Sourced by every script: one that ends early says on standard error in which step, why, and how to go on. Ends the
# script at the first command that fails, in functions and substitutions, too.
#
#   step TITLE      begins a step
#   go_on WHAT      how to go on after a failure from here on; without it: with the same command line again
#   log_is FILE     what the step's commands say is in FILE, whose end is shown after a failure
#   fail WHY        stops the script, with status 1
#   usage TEXT      stops the script, with status 64: the command line is wrong
#   at_exit         a function that the script may define: runs at its end, however it comes
set -Eeuo pipefail
unset CDPATH  # With it, cd may go elsewhere, and prints where.

steps_title=""
steps_reason=""
steps_log=""
printf -v steps_go_on '%q ' "$0" "$@"
steps_go_on="once that is mended, run again: ${steps_go_on% }"

step() {
  steps_title=$1
  steps_log=""
}

go_on() { steps_go_on=$1; }

log_is() { steps_log=$1; }

fail() {
  steps_reason=$1
  # What a substitution knows is lost with it.
  [ "$BASH_SUBSHELL" -eq 0 ] || echo "$0: $1" >&2
  exit 1
}

usage() {
  echo "usage: $1" >&2
  trap - EXIT
  exit 64
}

# steps_failed STATUS LINE COMMAND PIPE_STATUSES : on ERR. The first failure is the reason; those of the functions around
# it follow. Of a pipeline the shell names the last command, whichever failed.
steps_failed() {
  [ -z "$steps_reason" ] || return 0
  local status=$1 command=${3%%$'\n'*}
  if [ "$status" -gt 128 ] && kill -l "$status" >/dev/null 2>&1; then status+=" (SIG$(kill -l "$status"))"; fi
  [[ $4 != *" "* ]] || command="… | $command (statuses $4)"
  steps_reason="line $2 ended with status $status: $command"
}

steps_end() {
  local status=$?
  trap - ERR
  set +e
  if [ "$status" -ne 0 ]; then
    if [ -n "$steps_log" ] && [ -f "$steps_log" ]; then
      echo "$0: the end of $steps_log:"
      tail -n 20 -- "$steps_log"
    fi
    echo "$0: stopped in: ${steps_title:-start}: ${steps_reason:-status $status}"
    [ -z "$steps_log" ] || echo "$0: log: $steps_log"
    echo "$0: $steps_go_on"
  fi >&2
  if declare -F at_exit >/dev/null; then at_exit; fi
  exit "$status"
}
trap 'steps_failed "$?" "$LINENO" "$BASH_COMMAND" "${PIPESTATUS[*]}"' ERR
trap steps_end EXIT
# Without these the last command's status, as a rule 0, is all that the end of the script learns.
for steps_signal in HUP INT TERM; do
  # shellcheck disable=SC2064  # The signal's name now.
  trap "steps_reason='SIG$steps_signal came'; exit $((128 + $(kill -l $steps_signal)))" "$steps_signal"
done

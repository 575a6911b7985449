# What the drivers share. A stage is one command of the toolkit; the driver passes signals on to it.
# A driver sets `here`, the toolkit's folder, before it reads this file, and reads `answer`.
# It works with bash 3.2, which macOS has, and with the tools of BSD.
# shellcheck shell=bash disable=SC2154,SC2034
python="$here/.venv/bin/python"
set -m # each stage gets a process group of its own, so that a Ctrl-C reaches it once: from here
child=
trap 'pass_on INT' INT
trap 'pass_on TERM' TERM
trap 'pass_on HUP' HUP   # the terminal was closed, or the connection lost
trap suspend TSTP        # Ctrl-Z

pass_on() { # SIGNAL: send it to the stage that runs
  [ -z "$child" ] || kill -"$1" -- "-$child" 2>/dev/null || true
}

suspend() { # stop the stage, then this script; `fg` or `bg` lets both go on
  pass_on STOP
  kill -STOP $$
  pass_on CONT
}

run_to_end() { # COMMAND ARGUMENTS...: run it; leaves its exit code in $code
  code=0
  "$@" </dev/null &
  child=$!
  while :; do
    code=0
    { wait "$child" || code=$?; } 2>/dev/null # without bash's own notice of how the job ended
    kill -0 "$child" 2>/dev/null || break     # `wait` also returns at each signal
  done
  child=
}

set_up() { # install what is missing
  run_to_end "$here/setup"
  [ "$code" = 0 ] || exit "$code"
}

stage() { # SCRIPT ARGUMENTS...: run a command; if it fails the driver ends with its exit code
  local script=$1
  shift
  run_to_end "$python" "$here/$script" "$@"
  [ "$code" = 0 ] || exit "$code"
}

stage_or_no() { # the same, but 1, "done, and the answer is no", goes on; leaves the code in $answer
  local script=$1
  shift
  run_to_end "$python" "$here/$script" "$@"
  [ "$code" = 0 ] || [ "$code" = 1 ] || exit "$code"
  answer=$code
}

recorded() { # RUN: whether there is anything to draw; says so if there is not
  [ -e "$1/recording/run.json" ] || {
    local why="nothing was recorded (record or do_train is false), so nothing is drawn"
    echo "$(basename "$0"): $1: $why" >&2
    return 1
  }
}

has_table() { # RUN TABLE: whether the recording has it; older ones lack some
  compgen -G "$1/recording/$2-*.arrow" >/dev/null
}

one_cfg() { # [CFG]: leaves the file of keys in $cfg
  # Without an argument it is the toolkit's cfg.json. A bare name that is not where the user stands
  # is looked for in the toolkit's folder.
  cfg=${1-}
  [ $# -gt 0 ] || cfg=$here/cfg.json
  case $cfg in
    */*) ;;
    *) [ -f "$cfg" ] || [ ! -f "$here/$cfg" ] || cfg=$here/$cfg ;;
  esac
  if [ $# -gt 1 ] || [ ! -f "$cfg" ]; then
    local name
    name=$(basename "$0")
    echo "$name: error: expected one file of keys, not '$*'; see $name --help" >&2
    exit 2
  fi
  case $cfg in -*) cfg=./$cfg ;; esac
}

help() { # print the driver's first comment, and an example
  sed -n '2,3s/^# //p' "$0"
  echo "example: ./$(basename "$0") cfg-squad.json"
  exit 0
}

output_dir() { # CFG: print the run's folder that it names
  "$python" -c '
import json, os, sys
path = os.path.expanduser(json.load(open(sys.argv[1], encoding="utf-8-sig"))["output_dir"])
print("./" + path if path.startswith("-") else path)' "$1"
}

open_newest() { # KIND ENDING: open the newest of these files if there is a screen
  local file
  # shellcheck disable=SC2012 # our own names, and no other tool of both systems sorts by time
  file=$(ls -t gv-graphs/qa-"$1"-*."$2" 2>/dev/null | sed -n 1p) || return 0
  [ -n "$file" ] || return 0
  if [ "$(uname)" = Darwin ]; then
    open "$file"
  elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
    xdg-open "$file" >/dev/null 2>&1 || true
  fi
}

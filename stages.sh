# What the drivers share: a stage is one command of the toolkit; Ctrl-C and SIGTERM are passed on to it.
# The driver sets `here`, the toolkit's folder, and reads `answer`.
# shellcheck shell=bash disable=SC2154,SC2034
python="$here/.venv/bin/python"
set -m # each stage in a process group of its own, so that a Ctrl-C reaches it once, through the traps
child=
trap '[ -z "$child" ] || kill -INT -- "-$child" 2>/dev/null' INT
trap '[ -z "$child" ] || kill -TERM -- "-$child" 2>/dev/null' TERM

stage() { # SCRIPT ARGUMENTS...: run it to its end; on a failure the driver ends with its exit code
  local code=0
  "$python" "$here/$1" "${@:2}" </dev/null &
  child=$!
  while :; do
    code=0
    { wait "$child" || code=$?; } 2>/dev/null # without bash's own notice of how the job ended
    kill -0 "$child" 2>/dev/null || break # `wait` also returns at each signal
  done
  child=
  [ "$code" = 0 ] || [ "$code" = "${no:-0}" ] || exit "$code"
  answer=$code
}

stage_or_no() { # the same, but 1, "done, and the answer is no", goes on; the code is left in $answer
  no=1
  stage "$@"
  no=
}

recorded() { # RUN: whether there is anything to draw, said where there is not
  [ -e "$1/recording/run.json" ] || {
    echo "$(basename "$0"): $1: nothing was recorded (record or do_train is false), so nothing is drawn" >&2
    return 1
  }
}

has_table() { # RUN TABLE: whether the recording has it; older ones lack some
  compgen -G "$1/recording/$2-*.arrow" >/dev/null
}

one_cfg() { # ARGUMENTS...: leaves the one file that they name in $cfg, cfg.json beside the driver without any
  cfg=${1-$here/cfg.json}
  case $cfg in
    */*) ;;
    ?*) [ -e "$cfg" ] || [ ! -f "$here/$cfg" ] || cfg=$here/$cfg ;; # not here: the toolkit's own
  esac
  if [ $# -gt 1 ] || [ ! -f "$cfg" ]; then
    echo "$(basename "$0"): error: expected one file of keys, not '$*'; see $(basename "$0") --help" >&2
    exit 2
  fi
  case $cfg in -*) cfg=./$cfg ;; esac
}

help() { # the driver's first comment, and an example
  sed -n '2,3s/^# //p' "$0"
  echo "example: ./$(basename "$0") cfg-squad.json"
  exit 0
}

output_dir() { # CFG: the run's folder that it names
  "$python" -c '
import json, os, sys
path = os.path.expanduser(json.load(open(sys.argv[1], encoding="utf-8-sig"))["output_dir"])
print("./" + path if path.startswith("-") else path)' "$1"
}

open_newest_pdf() { # KIND: where there is a screen
  local pdf
  pdf=$(ls -t gv-graphs/qa-"$1"-*.gv.pdf | sed -n 1p)
  if [ "$(uname)" = Darwin ]; then open "$pdf"
  elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then xdg-open "$pdf" >/dev/null 2>&1 || true; fi
}

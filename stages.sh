# What the drivers share. A stage is one command of the toolkit; the driver passes signals on to it.
# A driver sets `here`, the toolkit's folder, before it reads this file, and reads `answer`.
# It works with bash 3.2, which macOS has, and with the tools of BSD.
# shellcheck shell=bash disable=SC2154,SC2034
python=${HUGGIN_PYTHON:-$here/.venv/bin/python} # HUGGIN_PYTHON: of a wheel, which is set up by pip
export HUGGIN_MORE_FOLLOWS=1 # a stage that is done does not run --notify: the driver does
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
  [ -z "${HUGGIN_PYTHON:-}" ] || return 0
  run_to_end "$here/setup"
  [ "$code" = 0 ] || exit "$code"
}

stage() { # COMMAND ARGUMENTS...: run it; if it fails the driver ends with its exit code
  run_stage "$@"
  [ "$code" = 0 ] || give_up "$1"
}

stage_or_no() { # the same, but 1, "done, and the answer is no", goes on; leaves the code in $answer
  run_stage "$@"
  [ "$code" = 0 ] || [ "$code" = 1 ] || give_up "$1"
  answer=$code
}

run_stage() { # COMMAND ARGUMENTS...: a script of the toolkit, such as run_qa.py, or a name for `huggin`
  case $1 in
    *.py) run_to_end "$python" "$here/$1" "${@:2}" ;;
    *) PYTHONPATH=$here PYTHONSAFEPATH=1 run_to_end "$python" -m huggin.common.console "$@" ;;
  esac
}

give_up() { # COMMAND: end with its exit code; if it was killed, it could not say so itself
  case $code in
    134 | 135 | 137 | 139)
      [ ! -t 2 ] || echo >&2 # the line of a progress bar ends
      echo "$(basename "$0"): $1 was killed by signal $((code - 128)); was the memory full?" \
        "the same command goes on from what was saved" >&2
      tell_at_exit
      ;;
  esac
  exit "$code"
}

verbose= # 1: print the tables, and the paths of the figures
take_verbose() { # WORDS...: leaves them in $words without --verbose, and 1 in $verbose if it was there
  local word
  words=()
  for word in "$@"; do
    case $word in
      --verbose) verbose=1 ;;
      *) words+=("$word") ;;
    esac
  done
}

quiet_stage() { # COMMAND ARGUMENTS...: a stage that prints its tables and paths with --verbose only
  if [ -n "$verbose" ]; then stage "$@"; else stage "$@" >/dev/null; fi
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

one_cfg() { # [CFG] [--KEY VALUE ...]: leaves the file of keys in $cfg, and 1 in $named if CFG is there
  # Without CFG it is the toolkit's cfg.json. A bare name that is not where the user stands is
  # looked for in the toolkit's folder.
  cfg=$here/cfg.json
  named=0
  case ${1---} in
    --*) ;;
    *)
      cfg=$1
      named=1
      ;;
  esac
  case $cfg in
    */*) ;;
    *) [ -f "$cfg" ] || [ ! -f "$here/$cfg" ] || cfg=$here/$cfg ;;
  esac
  local next=--
  [ $# -le "$named" ] || [ "$named" = 0 ] || next=$2
  case $next in --*) ;; *) cfg= ;; esac # two files
  if [ ! -f "$cfg" ] && [ ! -f "$cfg/recording/run.json" ]; then
    local name
    name=$(basename "$0")
    echo "$name: error: expected one file of keys, or a run, not '$*'; see $name --help" >&2
    exit 2
  fi
  case $cfg in -*) cfg=./$cfg ;; esac
}

answer_options() { # WORDS...: print the help or the version if a word asks for it
  local word
  for word in "$@"; do
    case $word in
      --help | -h) help ;;
      --version)
        sed -n 's/^__version__ = "\(.*\)"/huggin \1/p' "$here/huggin/__init__.py"
        exit 0
        ;;
    esac
  done
}

help() { # print the driver's first comment, and an example
  sed -n '2,/^[^#]/s/^# //p' "$0"
  echo "example: ./$(basename "$0") cfg-squad.json"
  exit 0
}

key_of() { # KEY CFG [--KEY VALUE ...]: print its value in the cfg or the flags, which win
  PYTHONPATH=$here "$python" -m huggin.qa.arguments "$@"
}

told=    # the user's command of --notify
told_of= # the run's folder
tell_at_exit() { # run the user's command with the exit code when the driver ends
  [ -z "$told" ] || trap tell EXIT
}

tell() { # what the driver does last
  local code=$?
  PYTHONPATH=$here "$python" -m huggin.training.notify "$told" "$code" "$told_of"
}

figure() { # RUN NAME COMMAND: draw a run, if the figure is not there or is older than the training
  local drawn=$1/graphs/$2.png
  if [ ! -e "$drawn" ] || is_trained_since "$1" "$drawn"; then
    quiet_stage "$3" "$1"
  fi
}

is_trained_since() { # RUN FILE: whether a step was recorded after the file was written
  [ -n "$(find "$1/recording" -name 'steps-*.arrow' -newer "$2")" ]
}

newest() { # KIND ENDING: print the newest file of that kind, or nothing
  # shellcheck disable=SC2012 # our own names, and no other tool of both systems sorts by time
  ls -t gv-graphs/qa-"$1"-*."$2" 2>/dev/null | sed -n 1p || true
}

show() { # KIND ENDING COMMAND ARGUMENTS...: a stage that makes such a file; leaves its path in $made
  # A new one is opened.
  local kind=$1
  local ending=$2
  local before
  before=$(newest "$kind" "$ending")
  local said
  said=$(mktemp)
  shift 2
  run_stage "$@" >"$said"
  made=$(tail -n 1 "$said")
  rm -f "$said"
  [ "$code" = 0 ] || give_up "$1"
  [ "$before" = "$(newest "$kind" "$ending")" ] || open_file "$made"
}

conclude() { # RUN PAGE PDF [answer]: say what was trained or answered, where to look, what to type next
  PYTHONPATH=$here PYTHONSAFEPATH=1 "$python" -m huggin.training.closing "$@"
}

open_file() { # FILE: open it if there is a screen
  if [ "$(uname)" = Darwin ]; then
    open "$1"
  elif [ -n "${DISPLAY:-}${WAYLAND_DISPLAY:-}" ] && command -v xdg-open >/dev/null; then
    xdg-open "$1" >/dev/null 2>&1 || true
  fi
}

"""Run run_qa.py and kill it at a place of one's choice: python killed.py PLACE TIMES CFG.

PLACE is `module:owner.name` (or `module:name`); at its TIMES-th call the process dies as by
kill -9. Killed in `append`, it leaves the recording cut in the middle of its last row.
"""

import importlib
import os
import runpy
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def die(place):
    if place.endswith("append"):
        steps = Path("run/recording/steps-0.arrow")
        os.truncate(steps, steps.stat().st_size - 9)
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    place, times, cfg = sys.argv[1:]
    module, _, path = place.partition(":")
    owner = importlib.import_module(module)
    *owners, name = path.split(".")
    for step in owners:
        owner = getattr(owner, step)
    original, calls = getattr(owner, name), []

    def counted(*args, **kwargs):
        calls.append(name)
        if len(calls) == int(times):
            die(place)
        return original(*args, **kwargs)

    setattr(owner, name, counted)
    sys.argv = ["run_qa.py", cfg]
    runpy.run_path(str(ROOT / "run_qa.py"), run_name="__main__")


if __name__ == "__main__":
    main()

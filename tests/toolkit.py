"""A copy of the toolkit that takes the place of a user's clone.

Its Python starts at once (see tests/forks.py), and its cfg.json trains 24 steps on 64 questions
instead of 1,500 steps on 9,600.
"""

import json
import shutil
import sys
from pathlib import Path

from bench.start import install, write_program

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("huggin", "sample", "locks")
FILES = ("*.py", "*.sh", "*.json", "*.txt", "*.tsv", "*.sql", "*.bash", "*.zsh", "setup", "get-*")
SAVE_STEPS = 8
LAST_STEP = 24
FEWER_STEPS = {
    "max_train_samples": 64,
    "max_eval_samples": 40,
    "per_device_train_batch_size": 8,
    "num_train_epochs": 3,
    "node_points": 32,
    "logging_steps": 10,
    "save_steps": SAVE_STEPS,
}
PICTURES = ("lime", "inDeCeptionV3")  # the scripts that need TensorFlow, and no torch
# Which of the Pythons runs a script: the one that has loaded TensorFlow, or torch.
PYTHON = """#!/bin/sh
name=$1
[ "$1" != -m ] || name=$3
case $name in
  {pictures}) exec '{{pictures}}' "$@" ;;
  *) exec '{{training}}' "$@" ;;
esac
""".format(pictures=" | ".join(f"{name} | */{name}.py" for name in PICTURES))
HUGGIN = """#!/bin/sh
export PYTHONPATH='{toolkit}'
exec '{python}' -m huggin.common.console "$@"
"""


def make_toolkit(folder: Path, pythons: dict[str, Path]) -> None:
    """Fill a folder with the toolkit, and a .venv in which its setup finds all installed.

    pythons: the programs that have loaded `training` and `pictures`.
    """
    folder.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name)
    for path in (path for pattern in FILES for path in ROOT.glob(pattern)):
        shutil.copy(path, folder)
    cfg = folder / "cfg.json"
    cfg.write_text(json.dumps(json.loads(cfg.read_text("utf-8")) | FEWER_STEPS), "utf-8")
    tools = folder / ".venv" / "bin"
    install(folder, folder / ".venv")
    words = {"real": sys.executable, "toolkit": str(folder), "python": str(tools / "python")}
    write_program(tools / "python", PYTHON.format(**words | pythons))
    write_program(tools / "huggin", HUGGIN.format(**words))
    (tools / "activate").write_text(f"export PATH='{tools}':$PATH\n", encoding="utf-8")

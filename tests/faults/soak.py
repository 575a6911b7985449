"""Stop a run at random moments, resume it, and compare its end with that of a run never stopped.

The faults come in random order, during start-up, training and saving: Ctrl-C, SIGTERM, SIGHUP,
kill -9, a closed pipe (nobody reads stdout and stderr any more, then SIGTERM), and flipped bits
(kill -9, then one bit of one file of the newest checkpoint is flipped). If a run ends before all
faults are done, it is compared and another one begins.
"""

import json
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

from huggin.recording.exports import recording_summary
from huggin.recording.reader import Recording
from huggin.recording.run_folder import RunFolder
from huggin.recording.schema import TABLES
from tests.faults.inputs.base import ROOT, keys, make_inputs

SIGNALS = {
    "SIGKILL": signal.SIGKILL,
    "SIGINT": signal.SIGINT,
    "SIGTERM": signal.SIGTERM,
    "SIGHUP": signal.SIGHUP,
    "closed pipe": signal.SIGTERM,
    "flipped bits": signal.SIGKILL,
}
FLAGS = ["--save_steps", "20", "--do_eval", "false"]
SMALL = {"max_steps": 1000, "save_total_limit": 2, "probe_points": 40}  # beside those of keys()


@dataclass
class Tally:
    """What has happened so far."""

    kills: int = 0
    by_fault: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SIGNALS, 0))
    runs: int = 0
    missing: int = 0
    twice: int = 0
    identical: bool = True


def start(cfg: Path, folder: Path) -> subprocess.Popen[bytes]:
    """Start or resume the run in `folder`; its output goes into pipes that take little."""
    line = [sys.executable, str(ROOT / "run_qa.py"), str(cfg), "--output_dir", "run", *FLAGS]
    return subprocess.Popen(
        line,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=hear_signals,
    )


def hear_signals() -> None:
    """Let no signal be ignored in a child, as SIGHUP would be if the soak runs under nohup."""
    for number in SIGNALS.values():
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)


def rows(run: Path) -> int:
    """Bytes of the newest segment of steps: grows while the run trains."""
    segments = RunFolder(run).segments("steps")
    return segments[-1][1].stat().st_size if segments else 0


def wait_for_moment(process: subprocess.Popen, run: Path, moments: random.Random) -> None:
    """A fifth of the moments lie in start-up, the others up to two seconds into training."""
    if moments.random() < 0.2:
        time.sleep(moments.uniform(0, 4))
        return
    before = rows(run)
    deadline = time.monotonic() + 60
    while rows(run) == before and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(moments.uniform(0, 2))


def same_end(one: Path, other: Path) -> bool:
    """Whether two runs end with the same weights and the same recording, row for row."""
    if (one / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes():
        return False
    recordings = Recording(one), Recording(other)
    tables = ([recording.table(name) for recording in recordings] for name in TABLES)
    return all(repr(first.to_pylist()) == repr(second.to_pylist()) for first, second in tables)


def stop(process: subprocess.Popen[bytes], fault: str, moments: random.Random) -> None:
    """End a process by a fault."""
    if fault == "closed pipe":
        close_pipes(process)
        time.sleep(moments.uniform(0, 1))
    process.send_signal(SIGNALS[fault])


def close_pipes(process: subprocess.Popen[bytes]) -> None:
    """Read a process's output no more."""
    for pipe in (process.stdout, process.stderr):
        cast(IO[bytes], pipe).close()


def flip_a_bit(run: Path, moments: random.Random) -> None:
    """Flip one bit of one file of the newest checkpoint, if there is one."""
    checkpoints = RunFolder(run).checkpoints()
    files = [path for path in checkpoints[-1][1].iterdir() if path.is_file()] if checkpoints else []
    if not files:
        return
    path = moments.choice(sorted(files))
    content = bytearray(path.read_bytes())
    content[moments.randrange(len(content))] ^= 1 << moments.randrange(8)
    path.write_bytes(content)


def stop_and_go(cfg: Path, folder: Path, kills: int, moments: random.Random, tally: Tally) -> None:
    """Take one run to its end, stopping it until `kills` faults are done in all."""
    while True:
        process = start(cfg, folder)
        fault = None
        if tally.kills < kills:
            wait_for_moment(process, folder / "run", moments)
            if process.poll() is None:
                fault = moments.choice(list(SIGNALS))
                stop(process, fault, moments)
                tally.kills += 1
                tally.by_fault[fault] += 1
                print(f"fault {tally.kills} of {kills}: {fault}", file=sys.stderr, flush=True)
        code = process.wait()
        close_pipes(process)
        if fault == "flipped bits":
            flip_a_bit(folder / "run", moments)
        elif code == 0:
            return


def soak(cfg: Path, kills: int, folder: Path) -> Tally:
    """Take runs to their end until `kills` faults are done, and compare each."""
    moments = random.Random(0)
    tally = Tally()
    (folder / "whole").mkdir()
    if start(cfg, folder / "whole").wait() != 0:
        raise SystemExit(f"{cfg}: the run fails without being stopped; try it with run_qa.py")
    while tally.kills < kills:
        stopped = folder / f"stopped-{tally.runs}"
        stopped.mkdir()
        stop_and_go(cfg, stopped, kills, moments, tally)
        summary = recording_summary(stopped / "run")
        tally.runs += 1
        tally.missing += summary["missing_steps"]
        tally.twice += summary["duplicate_steps"]
        tally.identical &= same_end(stopped / "run", folder / "whole" / "run")
        print(f"run {tally.runs} has ended: {in_words(tally)}", file=sys.stderr, flush=True)
    return tally


def in_words(tally: Tally) -> str:
    """What was found so far."""
    verdict = "yes" if tally.identical else "no"
    counts = f"{tally.kills} faults, {tally.missing} steps missing, {tally.twice} twice"
    return f"{counts}, weights identical: {verdict}"


def small_cfg(folder: Path) -> Path:
    """A cfg of a training that takes seconds, with its model and questions beside it."""
    make_inputs(folder)
    given = {name: str(folder / name) for name in ("model", "questions.json")}
    files = {
        "model_name_or_path": given["model"],
        "train_file": given["questions.json"],
        "validation_file": given["questions.json"],
    }
    cfg = folder / "cfg.json"
    cfg.write_text(json.dumps(keys(**SMALL, **files)))
    return cfg

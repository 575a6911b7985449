"""Every path that a run reads or writes, named once, and the lock: one process per run.

The layout is in docs/recording.md. The lock is the operating system's, on the folder itself, so it
goes with its process however that ends; a file in the folder says who holds it.
"""

import fcntl
import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import xxhash

from huggin.common.errors import UserError
from huggin.common.files import read_json, read_text, write_json

MARK = "complete.json"  # written last: size and hash of each other file
SEGMENT = re.compile(r"[a-z]+-\d+\.arrow")
SIGNED = "\n<!-- huggin wrote this, and replaces it as long as nobody changes it: {} -->\n"
FIGURE = re.compile(r"[^.].*\.(png|svg|pdf)")


class RunFolder:
    """A run's folder, `output_dir` in cfg.json."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recording = path / "recording"
        self.facts = self.recording / "run.json"
        self.texts = self.recording / "questions.json"  # of a Trainer or a loop without a cfg
        self.graphs = path / "graphs"
        self.card = path / "README.md"
        self.explanations = path / "explanations"  # of answers, a folder each
        self.holder = path / "in-use.json"
        self.complete = path / MARK
        self.trainer_state = path / "trainer_state.json"
        self.eval_results = path / "eval_results.json"
        self.efficacy = path / "efficacy.json"
        self.rewound = path / "rewind.json"
        self.suspects = path / "suspects.json"
        self.teachers = path / "teachers"  # losses of trainings without some questions
        self.details = path / "score-details.json"

    def segment(self, table: str, first_step: int) -> Path:
        """Where the rows of `table` from `first_step` on are recorded."""
        return self.recording / f"{table}-{first_step}.arrow"

    def segments(self, table: str) -> list[tuple[int, Path]]:
        """The recorded segments of `table` as (first step, file), in the order of their steps."""
        files = _numbered(self.recording, rf"{table}-(\d+)\.arrow")
        return [(step, path) for step, path in files if path.is_file()]

    def checkpoint(self, step: int) -> Path:
        """Where the Trainer saves after `step` steps."""
        return self.path / f"checkpoint-{step}"

    def checkpoints(self) -> list[tuple[int, Path]]:
        """The Trainer's checkpoints as (step, folder), oldest first."""
        folders = _numbered(self.path, r"checkpoint-(\d+)")
        return [(step, path) for step, path in folders if path.is_dir()]

    def holds_a_run(self) -> bool:
        """Whether a run of ours has been in this folder."""
        return (
            self.facts.is_file()
            or self.trainer_state.is_file()
            or any(is_checkpoint(folder) for _, folder in self.checkpoints())
        )

    def keep_earlier(self) -> Path:
        """Move recording, figures and results into a new folder `earlier-N`, and return it.

        It can be read as a run of its own. A model that was saved by the Recorder goes along; a
        Trainer's models and checkpoints stay where they are.
        """
        number = 1
        while (earlier := self.path / f"earlier-{number}").exists():
            number += 1
        earlier.mkdir()
        folders = (self.recording, self.graphs, self.explanations, self.teachers)
        ours = (*folders, self.efficacy, self.rewound, self.suspects, self.details)
        for path in filter(Path.exists, (*ours, *self._saved_model())):
            path.rename(earlier / path.name)
        return earlier

    def _saved_model(self) -> list[Path]:
        """The files of a model that `save_beside` has saved, none if there is none."""
        with suppress(OSError, UserError, TypeError):
            names = [Path(name).name for name in read_json(self.complete)]
            return [self.path / name for name in (*names, MARK)]
        return []

    def own_files(self) -> Iterator[Path]:
        """The run's recording, figures and results, without its checkpoints and model."""
        yield from (
            self.trainer_state,
            self.eval_results,
            self.efficacy,
            self.rewound,
            self.suspects,
            self.details,
        )
        yield from self.teachers.glob("*.json")
        if is_our_card(self.card):
            yield self.card
        if not self.facts.is_file():
            return
        if self.graphs.is_dir():
            figures = (path for path in self.graphs.iterdir() if FIGURE.fullmatch(path.name))
            for path in filter(Path.is_file, figures):
                if b"matplotlib" in path.read_bytes().lower():  # it leaves its name in the file
                    yield path
        yield from (path for path in self.recording.iterdir() if SEGMENT.fullmatch(path.name))
        yield from (path for path in (self.texts, self.facts) if path.is_file())


def is_checkpoint(folder: Path) -> bool:
    """Whether a Trainer has begun to save in this folder."""
    names = ("complete.json", "trainer_state.json", "model.safetensors")
    return any((folder / name).is_file() for name in names)


def signed(text: str) -> str:
    """A text with a line of ours at its end, by which `is_our_card` knows it."""
    return text + SIGNED.format(xxhash.xxh3_128_hexdigest(text.encode()))


def is_our_card(path: Path) -> bool:
    """Whether a README.md is as we wrote it."""
    try:
        text = read_text(path)
    except (OSError, UserError):
        return False
    body = text[: -len(SIGNED.format("0" * 32))]
    return text == signed(body)


def _numbered(folder: Path, name: str) -> list[tuple[int, Path]]:
    if not folder.is_dir():
        return []
    matches = ((re.fullmatch(name, entry.name), entry) for entry in folder.iterdir())
    return sorted((int(match[1]), entry) for match, entry in matches if match)


@contextmanager
def locked(run: RunFolder) -> Iterator[None]:
    """Hold the lock of a run's folder, which is made if it is missing.

    Raises UserError, which says who holds it, if another process does. A folder that is empty at
    the end is removed.
    """
    with ExitStack() as held:
        try:
            run.path.mkdir(parents=True, exist_ok=True)
            held.enter_context(one_at_a_time(run.path, wait=False))
        except BlockingIOError:
            advice = "wait for it, stop it, or name another output_dir"
            holder = "in use by another process"
            with suppress(OSError, UserError, KeyError, TypeError):
                facts = read_json(run.holder)
                holder = (
                    f"in use by process {facts['pid']} on {facts['host']} since {facts['since']}"
                )
            raise UserError(f"{run.path}: {holder}; {advice}") from None
        except OSError as error:
            what = f"no folder to write to: {error.strerror}"
            raise UserError(f"{run.path}: {what}; name another output_dir") from None
        since = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(run.holder, {"pid": os.getpid(), "host": socket.gethostname(), "since": since})
        try:
            yield
        finally:
            run.holder.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                run.path.rmdir()


@contextmanager
def one_at_a_time(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on the folder.

    Raises BlockingIOError if it is taken and `wait` is false.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)

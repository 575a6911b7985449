"""What the inputs of tests/faults are made of: a base folder, and ways to spoil its files."""

import copy
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

ROOT = Path(__file__).resolve().parents[3]
FACTS = "run/recording/run.json"
CONTEXT = "Huginn and Muninn are the ravens of Odin. They fly over the world each day."
QUESTIONS = (("Who owns the ravens?", "Odin"), ("What do they fly over?", "the world"))
HOSTILE = "\x1b[2J\x07\x00<b>&\"');--"
HUGE = 10**30
Prepare = Callable[[Path], Any]


def nothing(_folder: Path) -> None:
    """Leave the folder as it is."""


@dataclass(frozen=True)
class Fault:
    """A bad input: what is typed, in which folder, and which exit codes are right."""

    kind: str
    name: str
    words: tuple[str, ...]
    prepare: Prepare = nothing
    codes: frozenset[int] = frozenset({2})


def make_base(base: Path, run: Callable[[list[str]], int | None]) -> None:
    """Make the folder that every input begins with. run: runs a command line in it."""
    make_inputs(base)
    for words in (["run_qa.py", "cfg.json"], ["test-qa-efficacy.py", "cfg.json", "--samples", "1"]):
        if run(words) not in (0, 1):
            raise SystemExit(f"{' '.join(words)} fails without a fault")


def make_inputs(base: Path) -> None:
    """Make a folder with a tiny model, questions and a cfg."""
    model = base / "model"
    model.mkdir(parents=True)
    config = json.loads((ROOT / "sample" / "bert-tiny" / "config.json").read_text())
    small = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2}
    (model / "config.json").write_text(json.dumps(config | small | {"intermediate_size": 32}))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).write_bytes((ROOT / "sample" / "bert-tiny" / name).read_bytes())
    (base / "questions.json").write_text(json.dumps(questions()))
    (base / "cfg.json").write_text(json.dumps(keys()))


def questions() -> list[dict[str, Any]]:
    """Two questions over one context."""
    return [
        {
            "id": str(number),
            "title": "Ravens",
            "context": CONTEXT,
            "question": question,
            "answers": {"text": [answer], "answer_start": [CONTEXT.index(answer)]},
        }
        for number, (question, answer) in enumerate(QUESTIONS)
    ]


def keys(**changes: Any) -> dict[str, Any]:
    """A cfg for 8 steps."""
    return {
        "model_name_or_path": "model",
        "pretrained_model": False,
        "train_file": "questions.json",
        "validation_file": "questions.json",
        "output_dir": "run",
        "do_train": True,
        "do_eval": True,
        "max_seq_length": 64,
        "doc_stride": 16,
        "per_device_train_batch_size": 2,
        "max_steps": 8,
        "save_steps": 4,
        "node_points": 3,
        "use_cpu": True,
    } | changes


def writing_bytes(path: str, content: bytes) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    return prepare


def writing_text(path: str, text: str) -> Prepare:
    return writing_bytes(path, text.encode("utf-8", "surrogateescape"))


def writing(path: str, value: Any) -> Prepare:
    return writing_text(path, json.dumps(copy.deepcopy(value)))


def writing_table(path: str, table: pa.Table) -> Prepare:
    def prepare(folder: Path) -> None:
        with pa.ipc.new_stream(str(folder / path), table.schema) as stream:
            for row in range(len(table)):
                stream.write_table(table.slice(row, 1).combine_chunks())

    return prepare


def removing(path: str) -> Prepare:
    return lambda folder: (folder / path).unlink()


def both(first: Prepare, second: Prepare) -> Prepare:
    def prepare(folder: Path) -> None:
        first(folder)
        second(folder)

    return prepare


def in_place_of(path: str, make: Callable[[Path], Any]) -> Prepare:
    def prepare(folder: Path) -> None:
        (folder / path).unlink(missing_ok=True)
        make(folder / path)

    return prepare


def making_socket(folder: Path) -> None:
    # Its path is bound relative to the folder, as a socket's name may not be long.
    here = Path.cwd()
    os.chdir(folder)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind("socket")
    finally:
        os.chdir(here)

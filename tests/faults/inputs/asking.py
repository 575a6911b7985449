"""Bad inputs of tests/faults around asking: damaged databases, a cfg of another run, numbers
without end, texts that nobody sees.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.faults.inputs.base import (
    CONTEXT,
    FACTS,
    HUGE,
    Fault,
    both,
    keys,
    questions,
    writing,
    writing_bytes,
)

ASK = ("test-qa-efficacy.py", "cfg.json", "--samples", "1")
ANSWERED = frozenset({0, 1})
READERS = (
    ("db-indices.py", "--list"),
    ("db_utils.py", "--list"),
    ("squad-interface.py", "--duplicates"),
    ("track-trainer.py", "--search", "step"),
    ("db_utils.py", "model_efficacy", "state", "1", "1"),
    ASK,
)


def of_databases(base: Path) -> Iterator[Fault]:
    """A page of the database that is damaged, in each table of answers and in an index."""
    content = (base / "stack_trace.db").read_bytes()
    with closing(sqlite3.connect(base / "stack_trace.db")) as database:
        (size,) = database.execute("PRAGMA page_size").fetchone()
        pages = dict(database.execute("SELECT name, rootpage FROM sqlite_master"))
    for number, name in enumerate(("answers", "sample_indices", "model_efficacy", "runs_of_state")):
        begin = (pages[name] - 1) * size
        page = content[begin : begin + size]
        for damage, changed in (
            ("zeros", bytes(size)),
            ("noise", b"\x07" * size),
            ("half", page[: size // 2] + bytes(size - size // 2)),
            ("of another table", content[(pages["segments"] - 1) * size :][:size]),
        ):
            if damage == "of another table" and name == "runs_of_state":
                continue  # the same, as both are empty
            damaged = content[:begin] + changed + content[begin + size :]
            prepare = writing_bytes("stack_trace.db", damaged)
            for words in READERS[number % 2 :: 2]:
                title = f"{name}: {damage}, {words[0]}"
                yield Fault("databases", title, words, prepare)
    prepare = writing_bytes("stack_trace.db", content[: len(content) // 2])
    for words in READERS:
        yield Fault("databases", f"half of it, {words[0]}", words, prepare)


def of_other_cfgs(base: Path) -> Iterator[Fault]:
    """A cfg that says something else of the run than its recording, and recordings that cannot
    say what they were trained with.
    """
    other = writing("other.json", questions()[:1])
    changes: tuple[dict[str, Any], ...] = (
        {"train_file": "other.json"},
        {"pretrained_model": True},
        {"max_seq_length": 9999},
        {"doc_stride": 3},
        {"validation_file": "other.json"},
        {"n_best_size": 1, "max_answer_length": 1},
        {"version_2_with_negative": True, "null_score_diff_threshold": -1e9},
    )
    for change in changes:
        prepare = both(writing("cfg.json", keys(**change)), other)
        yield Fault("other cfgs", f"cfg.json says {change}", ASK, prepare, ANSWERED)
    facts = json.loads((base / FACTS).read_text())
    kept: tuple[tuple[dict[str, Any], frozenset[int]], ...] = (
        ({}, ANSWERED),
        ({"train_file": "gone.json"}, ANSWERED),
        ({"train_file": "run"}, ANSWERED),
        ({"train_file": "questions.json", "max_seq_length": "64"}, ANSWERED),
        ({"max_seq_length": "x"}, frozenset({2})),
        ({"max_seq_length": HUGE}, frozenset({2})),
        ({"max_seq_length": -1}, frozenset({2})),
        ({"max_seq_length": 64, "doc_stride": -5}, frozenset({2})),
        ({"max_seq_length": 64, "doc_stride": 64}, frozenset({2})),
        ({"max_train_samples": 0}, frozenset({2})),
    )
    for cfg, codes in kept:
        prepare = writing(FACTS, facts | {"cfg": facts["cfg"] | cfg if cfg else {}})
        yield Fault("other cfgs", f"run.json keeps {cfg}", ASK, prepare, codes)


def of_numbers() -> Iterator[Fault]:
    """Numbers that no machine can hold: taken as "all", or refused at once."""
    huge = str(HUGE)
    for option in ("--samples", "--max-samples", "--seed"):
        words = ("test-qa-efficacy.py", "cfg.json", option, huge)
        yield Fault("numbers", " ".join(words), words, codes=ANSWERED)
    for words in (
        ("test-qa-efficacy.py", "cfg.json", "--batch-size", huge),
        ("test-qa-efficacy.py", "cfg.json", "--batch-size", "4097"),
        ("test-qa-efficacy.py", "cfg.json", "--checkpoint", f"run/checkpoint-{huge}"),
        ("squad-interface.py", huge, "--cfg", "cfg.json"),
        ("db_utils.py", "model_efficacy", "state", huge, huge),
        ("db_utils.py", "sample_indices", "1", "1", huge),
        ("rewind", "run", "--checkpoint", huge),
    ):
        yield Fault("numbers", " ".join(words), words)
    for option in ("--samples", "--seed"):
        words = ("rewind", "run", option, huge)
        yield Fault("numbers", " ".join(words), words, codes=frozenset({0}))


def of_zero_width() -> Iterator[Fault]:
    """Texts of zero-width characters alone are refused; around an answer they are no fault."""
    for name, text in (("BOM", "\ufeff"), ("joiners", "\u200c\u200d"), ("marks", "\u200e \u2066")):
        first = questions()[0]
        around = f"{text}{CONTEXT}{text}"
        for where, record, codes in (
            ("answer", _answered(first, f"{text} {CONTEXT}", text, 0), frozenset({2})),
            ("context", {**first, "context": text}, frozenset({2})),
            ("question", {**first, "question": text}, frozenset({2})),
            ("edges", _answered(first, around, f"{text}Huginn", 0), ANSWERED),
        ):
            prepare = writing("questions.json", [record])
            yield Fault("zero width", f"{name}: {where}", ASK, prepare, codes)


def _answered(record: dict[str, Any], context: str, answer: str, start: int) -> dict[str, Any]:
    answers = {"text": [answer], "answer_start": [start]}
    return {**record, "context": context, "answers": answers}

"""Bad inputs of tests/faults: keys, questions, places for output, words of commands."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.inputs.around import (
    of_cfgs_that_work,
    of_models,
    of_names,
    of_newer_tables,
    of_state_files,
    of_texts,
)
from tests.faults.inputs.asking import of_databases, of_numbers, of_other_cfgs, of_zero_width
from tests.faults.inputs.base import (
    FACTS,
    HOSTILE,
    HUGE,
    Fault,
    Prepare,
    in_place_of,
    keys,
    making_socket,
    nothing,
    questions,
    writing,
    writing_text,
)
from tests.faults.inputs.pictures import of_labels, of_pictures
from tests.faults.inputs.recordings import (
    READERS,
    of_answers,
    of_measurements,
    of_run_json,
    of_segments,
)
from tests.faults.inputs.weights import of_endless, of_first_passes, of_weights

GRAPHS = tuple(words[0] for words in READERS)
COMMANDS = (
    "create-gv-output.py",
    "create-gv-training.py",
    "create-page",
    "db-indices.py",
    "db_utils.py",
    "graph-efficacy",
    "graph-layers",
    "graph-logits.py",
    "graph-losses.py",
    "graph-node-logits.py",
    "graph-questions",
    "graph-weights.py",
    "huggin_utils.py",
    "inDeCeptionV3.py",
    "legend.py",
    "lime-answer",
    "lime.py",
    "rewind",
    "run_qa.py",
    "squad-interface.py",
    "test-qa-efficacy.py",
    "track-trainer.py",
)


def all_faults(base: Path) -> Iterator[Fault]:
    """Every input, kind by kind."""
    yield from of_run_json(base)
    yield from of_segments(base)
    yield from of_measurements(base)
    yield from of_answers(base)
    yield from of_cfg()
    yield from of_questions()
    yield from of_outputs()
    yield from of_arguments()
    yield from of_special_files()
    yield from of_overwriting()
    yield from of_texts(base)
    yield from of_state_files()
    yield from of_models()
    yield from of_names()
    yield from of_newer_tables(base)
    yield from of_cfgs_that_work()
    yield from of_pictures()
    yield from of_labels()
    yield from of_weights()
    yield from of_first_passes()
    yield from of_endless()
    yield from of_databases(base)
    yield from of_other_cfgs(base)
    yield from of_numbers()
    yield from of_zero_width()


_BAD_KEYS: tuple[tuple[str, Any], ...] = (
    ("seed", -1),
    ("seed", 2**32),
    ("seed", "x"),
    ("learning_rate", 0),
    ("learning_rate", -1),
    ("learning_rate", "fast"),
    ("learning_rate", 1e309),
    ("max_steps", 0),
    ("max_steps", 1.5),
    ("max_seq_length", 0),
    ("max_seq_length", 7),
    ("max_seq_length", 9999),
    ("doc_stride", -1),
    ("doc_stride", 64),
    ("per_device_train_batch_size", 0),
    ("per_device_eval_batch_size", -3),
    ("gradient_accumulation_steps", 0),
    ("probe_samples", 0),
    ("probe_points", 1),
    ("node_points", 1),
    ("node_layers", "some"),
    ("save_minutes", 0),
    ("save_minutes", -1),
    ("n_best_size", 0),
    ("max_answer_length", 0),
    ("max_train_samples", 0),
    ("optim", "magic"),
    ("lr_scheduler_type", "up"),
    ("eval_strategy", "never"),
    ("save_strategy", "sometimes"),
    ("save_only_model", True),
    ("resume_from_checkpoint", "run/checkpoint-4"),
    ("remove_unused_columns", False),
    ("fp16", True),
    ("model_name_or_path", "nobody/none"),
    ("model_name_or_path", "a\0b"),
    ("model_name_or_path", "\ud800"),
    ("model_name_or_path", "run/recording"),
    ("train_file", "none.json"),
    ("train_file", "run"),
    ("train_file", "a\0b"),
    ("train_file", "\ud800.json"),
    ("validation_file", "model"),
    ("output_dir", None),
    ("output_dir", ""),
    ("output_dir", True),
    ("output_dir", 7.5),
    ("output_dir", "questions.json"),
    ("output_dir", "questions.json/run"),
    ("output_dir", "a\0b"),
    ("output_dir", "\ud800"),
    ("output_dir", "x" * 300),
    ("output_dir", ["a", "b"]),
    ("record", "perhaps"),
    ("do_train", "perhaps"),
    (HOSTILE, 1),
    ("seeed", 1),
)


def of_cfg() -> Iterator[Fault]:
    """Keys of a cfg that no run can use, and files that are no cfg."""
    for key, value in _BAD_KEYS:
        name = ascii(f"{key} {str(value)[:20]}")
        codes = frozenset({0, 2}) if (key, value) == ("output_dir", 7.5) else frozenset({2})
        words = ("run_qa.py", "bad.json")
        yield Fault("cfg.json", name, words, writing("bad.json", keys(**{key: value})), codes)
    for text in ("", "{", "[]", "null", '{"a": NaN}', '{"seed": 1, "seed": 2}', "[" * 100_000):
        for command in ("run_qa.py", "test-qa-efficacy.py"):
            name = f"{text[:20]!r}, {command}"
            yield Fault("cfg.json", name, (command, "bad.json"), writing_text("bad.json", text))
    for flags in (
        ("--output_dir",),
        ("--seed",),
        ("--seed", "1", "2"),
        ("--learning_rate="),
        ("--output_dir=",),
        ("word",),
        ("-seed", "1"),
        ("--", "x"),
    ):
        words = ("run_qa.py", "cfg.json", *flags)
        yield Fault("cfg.json", " ".join(flags), words)


def of_questions() -> Iterator[Fault]:
    """Questions that cannot be trained on."""
    for name, content in _bad_questions():
        prepare = writing_text("questions.json", content)
        for words in (("run_qa.py", "cfg.json"), ("test-qa-efficacy.py", "cfg.json")):
            codes = frozenset({2})
            yield Fault("questions", f"{name}, {words[0]}", words, prepare, codes)


def _bad_questions() -> Iterator[tuple[str, str]]:
    for key in ("context", "question"):
        for wrong in (None, 7, "", "  ", [], {}):
            yield f"{key} {wrong!r}", json.dumps([questions()[0] | {key: wrong}])
    for wrong in (None, 7, "Odin", [7], {"text": ["Odin"]}, {"text": [], "answer_start": []}):
        yield f"answers {wrong!r}", json.dumps([questions()[0] | {"answers": wrong}])
    for text, start in (("Odin", 0), ("Odin", -1), ("Odin", HUGE), ("", 0), ("Odin", "x")):
        answers = {"text": [text], "answer_start": [start]}
        yield f"{text!r} at {start!r}", json.dumps([questions()[0] | {"answers": answers}])
    for text in ("", "[]", "{}", "[1]", '{"data": 3}', '{"data": [{}]}', "[{", "\x00"):
        yield f"{text!r}", text


# Outputs, arguments, special files


def of_outputs() -> Iterator[Fault]:
    """Places where no output can be written."""
    commands = (
        ("huggin_utils.py", "run", "--tensorboard"),
        ("create-gv-training.py", "run", "--out"),
        ("create-gv-output.py", "run", "--out"),
        ("create-page", "run", "--out"),
        ("test-qa-efficacy.py", "cfg.json", "--samples", "1", "--predictions"),
        ("legend.py", "run", "--out"),
        ("db_utils.py", "--list", "--db"),
        ("db-indices.py", "--list", "--db"),
    )
    places: tuple[tuple[str, Prepare], ...] = (
        ("questions.json/x", nothing),
        ("loop", lambda folder: (folder / "loop").symlink_to("loop")),
        ("pipe", lambda folder: os.mkfifo(folder / "pipe")),
        ("socket", making_socket),
        ("x" * 300, nothing),
    )
    for words in commands:
        for place, prepare in places:
            name = f"{words[0]} {words[-1]} {place[:20]}"
            yield Fault("outputs", name, (*words, place), prepare)


def of_arguments() -> Iterator[Fault]:
    """Words that no command takes."""
    for command in COMMANDS:
        for words in (
            ("--no-such-option",),
            (HOSTILE.replace("\x00", ""), "--no-such-option"),
            ("--version=3",),
            ("no/such/folder", "one", "more", "--nothing"),
        ):
            yield Fault("arguments", ascii(f"{command} {' '.join(words)}"), (command, *words))
    for command in GRAPHS:
        for run in ("nowhere", "", "questions.json", "model", "\x1b[2J", "x" * 300):
            yield Fault("arguments", ascii(f"{command} {run[:20]}"), (command, run))
    for command, option, values in (
        ("graph-logits.py", "--sample", ("-1", "9", "x", str(HUGE), "1.5", "")),
        ("graph-weights.py", "--sample", ("-1", "9", "x")),
        ("graph-weights.py", "--node", ("-1", "99", "x", str(HUGE))),
        ("graph-weights.py", "--rank-by", ("luck", "", "\x1b[2J")),
        ("graph-node-logits.py", "--step", ("-1", "3", "x", str(HUGE))),
        ("graph-node-logits.py", "--token", ("-1", "99", "x")),
        ("graph-losses.py", "--format", ("", "exe", "../png")),
        ("huggin_utils.py", "--csv", ("", "rows", "../steps")),
        ("legend.py", "--depth", ("-1", "x", "1.5")),
    ):
        for value in values:
            name = ascii(f"{command} {option} {value[:20]}")
            extra = ("--share",) if option == "--token" else ()
            yield Fault("arguments", name, (command, "run", option, value, *extra))
    for option, values in (
        ("--samples", ("0", "-1", "x")),
        ("--batch-size", ("0", "-1", "x")),
        ("--max-samples", ("0", "x")),
        ("--seed", ("x", "1.5")),
        ("--split", ("test",)),
        ("--checkpoint", ("nowhere", "model", "run/checkpoint-99")),
    ):
        for value in values:
            words = ("test-qa-efficacy.py", "cfg.json", option, value)
            yield Fault("arguments", " ".join(words), words)


def of_special_files() -> Iterator[Fault]:
    """Pipes, links to themselves and folders where a file is read: none may be waited for."""
    places = (
        ("bad.json", ("run_qa.py", "bad.json")),
        ("bad.json", ("test-qa-efficacy.py", "bad.json")),
        ("questions.json", ("run_qa.py", "cfg.json")),
        (FACTS, ("graph-losses.py", "run")),
        (FACTS, ("huggin_utils.py", "run")),
        ("run/recording/steps-0.arrow", ("graph-losses.py", "run")),
        ("run/recording/probes-0.arrow", ("graph-logits.py", "run")),
        ("run/efficacy.json", ("graph-efficacy", "run")),
        ("run/recording/answers-1.arrow", ("create-gv-output.py", "run")),
    )
    for path, words in places:
        for name, make in (
            ("a pipe", os.mkfifo),
            ("a link to itself", lambda at: at.symlink_to(at.name)),
            ("a folder", lambda at: at.mkdir()),
        ):
            prepare = in_place_of(path, make)
            yield Fault("special files", f"{path} is {name}, {words[0]}", words, prepare)


def of_overwriting() -> Iterator[Fault]:
    """overwrite_output_dir on folders that hold other things than a run."""
    for name in ("graphs/holiday.png", "recording/song.wav", "checkpoint-5/notes", "thesis.tex"):
        words = ("run_qa.py", "cfg.json", "--output_dir", "mine", "--overwrite_output_dir")
        prepare = writing_text(f"mine/{name}", "mine")
        yield Fault("overwriting", name, words, prepare)

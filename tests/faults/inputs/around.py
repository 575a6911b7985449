"""Bad inputs of tests/faults: hostile texts, and the files and folders around a recording."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.faults.inputs.base import (
    FACTS,
    HOSTILE,
    HUGE,
    Fault,
    Prepare,
    both,
    in_place_of,
    keys,
    questions,
    writing,
    writing_bytes,
    writing_table,
    writing_text,
)

EITHER = frozenset({0, 1, 2})  # taken or refused, but no defect
TRAIN = ("run_qa.py", "cfg.json")
ASK = ("test-qa-efficacy.py", "cfg.json", "--samples", "1")
EFFICACY = ("graph-efficacy", "run")
PLAIN = HOSTILE.replace("\x00", "")
TEXTS = {
    "escapes": HOSTILE,
    "half a pair": "\ud800",
    "right to left": "\u202e\u2066abc\u200f",
    "blanks": "\u2028\u2029\x85\u00a0\u200b",
    "markup": '<IMG SRC="/etc/passwd">&#0;]]><!--"\\N\\l{|}$\\frac{1}{0}$ %n%s',
    "long": "x" * 200_000,
    "a path": "../../../../../tmp/out",
}
DRAWN = (
    ("graph-losses.py", "run"),
    ("graph-logits.py", "run", "--over-time"),
    ("graph-node-logits.py", "run"),
    ("graph-weights.py", "run"),
    ("graph-layers", "run"),
    ("graph-questions", "run"),
    ("create-gv-training.py", "run"),
    ("create-gv-output.py", "run"),
    ("create-page", "run"),
    ("huggin_utils.py", "run"),
    ("legend.py", "run"),
)


def of_texts(base: Path) -> Iterator[Fault]:
    """Texts that act on a terminal, a drawing or a file name, where a run's texts are shown."""
    facts = json.loads((base / FACTS).read_text())
    for number, (name, text) in enumerate(TEXTS.items()):
        changed = with_texts(facts, text)
        for words in DRAWN[:: 1 if number == 0 else 3]:
            title = f"{name} in run.json, {words[0]}"
            yield Fault("texts", title, words, writing(FACTS, changed), frozenset({0, 2}))
    for name, text in TEXTS.items():
        asked = [record | texts_of_record(record, text) for record in questions()]
        prepare = writing("questions.json", asked)
        words = (*TRAIN, "--output_dir", "new", "--max_steps", "1", "--do_eval", "false")
        yield Fault("texts", f"{name} in questions, run_qa.py", words, prepare, EITHER)
        yield Fault("texts", f"{name} in questions, asked", ASK, prepare, EITHER)


def with_texts(facts: dict[str, Any], text: str) -> dict[str, Any]:
    """A run.json whose free texts are all `text`."""
    sample = facts["samples"][0]
    texts = dict.fromkeys(("question", "context", "answer"), text)
    tokens = [text[:100] for _ in sample["tokens"]]
    modules = [row | {"what": text} if "what" in row else row for row in facts["modules"]]
    return facts | {
        "samples": [sample | texts | {"tokens": tokens}],
        "model_name": text,
        "data_name": text,
        "modules": modules,
    }


def texts_of_record(record: dict[str, Any], text: str) -> dict[str, Any]:
    """A question's free texts with `text` in them; the answer stays where it is."""
    return {
        "id": text + record["id"],
        "title": text,
        "question": f"{text} {record['question']}",
        "context": f"{record['context']} {text}",
    }


def of_state_files() -> Iterator[Fault]:
    """Files that the Trainer and the toolkit leave, with another content."""
    contents = ("", "{", "[]", "null", '"x"', "[" * 100_000, "\udcff")
    values: dict[str, tuple[Any, ...]] = {
        "run/trainer_state.json": (
            {"global_step": "x"},
            {"global_step": -5},
            {"global_step": HUGE},
            {"global_step": 8, "max_steps": "x"},
            {"log_history": 3},
            {"log_history": [3]},
            {"log_history": [{"eval_exact_match": "x", "step": []}]},
        ),
        "run/eval_results.json": (
            {"step": "x"},
            {"step": 8, "eval_exact_match": "x", "eval_f1": None, "eval_samples": 0},
            {"step": 8, "eval_exact_match": 1e308, "eval_f1": -1, "eval_samples": 2},
        ),
        "run/complete.json": ({"model.safetensors": -1}, {"../x": 1}, {"a\0b": 1}, {"x": {}}),
        "run/checkpoint-8/complete.json": ({"model.safetensors": None}, {"/": 1}, {"": 0}),
        "run/checkpoint-8/trainer_state.json": ({"global_step": "x"},),
    }
    for path, wrong in values.items():
        readers = (EFFICACY, TRAIN, ASK) if path.count("/") == 1 else (TRAIN, ASK)
        for number, content in enumerate([*contents, *map(json.dumps, wrong)]):
            words = readers[number % len(readers)]
            name = ascii(f"{path}: {content[:40]}, {words[0]}")
            yield Fault("state files", name, words, writing_text(path, content), EITHER)
    for path in ("run/model.safetensors", "run/checkpoint-8/model.safetensors"):
        for name, noise in (("noise", b"\x07" * 999), ("empty", b""), ("huge", b"\xff" * 8)):
            for words in (TRAIN, ASK):
                prepare = writing_bytes(path, noise)
                yield Fault("state files", f"{path} {name}, {words[0]}", words, prepare, EITHER)


def of_models() -> Iterator[Fault]:
    """Models that cannot be trained."""
    words = (*TRAIN, "--output_dir", "new", "--max_steps", "1")
    config = {"num_hidden_layers": 2, "hidden_size": 16, "num_attention_heads": 2}
    for name, change in (
        ("unknown type", {"model_type": HOSTILE}),
        ("no type", {"model_type": None}),
        ("code of its own", {"auto_map": {"AutoConfig": "x--y.Z"}, "model_type": "mine"}),
        ("hidden_size 0", {"hidden_size": 0}),
        ("hidden_size x", {"hidden_size": "x"}),
        ("hidden_size 17", {"hidden_size": 17}),
        ("heads 0", {"num_attention_heads": 0}),
        ("layers 0", {"num_hidden_layers": 0}),
        ("layers -1", {"num_hidden_layers": -1}),
        ("vocab_size 3", {"vocab_size": 3}),
        ("vocab_size -3", {"vocab_size": -3}),
        ("vocab_size huge", {"vocab_size": 10**15}),
        ("positions 4", {"max_position_embeddings": 4}),
        ("dtype", {"dtype": "float7"}),
        ("activation", {"hidden_act": "magic"}),
        ("dropout", {"hidden_dropout_prob": 7}),
        ("quantised", {"quantization_config": {"quant_method": "magic"}}),
    ):
        path = "model/config.json"
        prepare = changing(path, config | change)
        codes = EITHER if name == "quantised" else frozenset({2})  # weights are random here
        yield Fault("models", name, words, prepare, codes)
    for path in ("model/config.json", "model/tokenizer.json", "model/tokenizer_config.json"):
        for text in ("", "{", "[]", "null", "[" * 100_000, "\udcff"):
            name = ascii(f"{path} {text[:10]}")
            codes = EITHER if path.endswith("_config.json") else frozenset({2})
            yield Fault("models", name, words, writing_text(path, text), codes)
        for name, make in (("a folder", Path.mkdir), ("a pipe", os.mkfifo)):
            codes = EITHER if path.endswith("_config.json") else frozenset({2})
            yield Fault("models", f"{path} is {name}", words, in_place_of(path, make), codes)


def changing(path: str, change: dict[str, Any]) -> Prepare:
    """Change keys of a JSON file."""

    def prepare(folder: Path) -> None:
        known = json.loads((folder / path).read_text())
        (folder / path).write_text(json.dumps(known | change))

    return prepare


def of_names() -> Iterator[Fault]:
    """Files and folders whose names or kinds no run has."""
    huge = "9" * 30
    places: tuple[tuple[str, Prepare], ...] = (
        ("a checkpoint of a huge step", lambda at: (at / f"run/checkpoint-{huge}").mkdir()),
        ("a checkpoint twice", lambda at: (at / "run/checkpoint-08").mkdir()),
        ("a checkpoint that is a file", lambda at: (at / "run/checkpoint-9").touch()),
        ("a checkpoint that is a loop", loop("run/checkpoint-9")),
        ("a segment of a huge step", writing_bytes(f"run/recording/steps-{huge}.arrow", b"")),
        ("a segment twice", writing_bytes("run/recording/steps-00.arrow", b"")),
        ("an answer of a huge number", writing_bytes(f"run/recording/answers-{huge}.arrow", b"")),
        ("graphs is a file", writing_text("run/graphs", "")),
        ("graphs is a loop", loop("run/graphs")),
        ("gv-graphs is a file", writing_text("gv-graphs", "")),
        ("tensorboard is a file", writing_text("run/tensorboard", "")),
        ("in-use.json is a folder", lambda at: (at / "run/in-use.json").mkdir()),
        ("efficacy.json is a folder", in_place_of("run/efficacy.json", Path.mkdir)),
        (".saving is a file", writing_text("run/.saving", "")),
        ("the database's log is a folder", lambda at: (at / "stack_trace.db-wal").mkdir()),
        ("the database is text", writing_text("stack_trace.db", "x" * 5000)),
    )
    readers = (*DRAWN, TRAIN, ASK, EFFICACY, ("huggin_utils.py", "run", "--csv", "steps"))
    for number, (name, prepare) in enumerate(places):
        for words in readers[number % 4 :: 4]:
            yield Fault("names", f"{name}, {' '.join(words)}", words, prepare, EITHER)


def loop(path: str) -> Prepare:
    """Make a link to itself."""
    return lambda folder: (folder / path).symlink_to(Path(path).name)


def of_newer_tables(base: Path) -> Iterator[Fault]:
    """Damaged rows of the tables that schema 2 has added, and bad words of what draws them."""
    for table, command in (
        ("lens", "graph-layers"),
        ("layers", "graph-layers"),
        ("questions", "graph-questions"),
    ):
        path = f"run/recording/{table}-0.arrow"
        content = (base / path).read_bytes()
        rows = pa.ipc.open_stream(content).read_all()
        backwards = rows.take(list(reversed(range(len(rows)))))
        changes: tuple[tuple[str, Prepare], ...] = (
            ("cut", writing_bytes(path, content[: len(content) // 2])),
            ("noise", writing_bytes(path, b"\x07" * 5000)),
            ("empty", writing_bytes(path, b"")),
            ("backwards", writing_table(path, backwards)),
            ("short", writing_table(path, rows.slice(0, max(1, len(rows) - 1)))),
            ("a list less", writing_table(path, shortened(rows))),
            ("without a column", writing_table(path, rows.drop_columns(rows.column_names[-1:]))),
            ("a pipe", in_place_of(path, os.mkfifo)),
            ("a folder", in_place_of(path, Path.mkdir)),
        )
        for name, prepare in changes:
            for words in ((command, "run"), ("create-gv-training.py", "run")):
                title = f"{table} {name}, {words[0]}"
                yield Fault("newer tables", title, words, prepare, frozenset({0, 2}))
        yield Fault(
            "newer tables",
            f"{table} as CSV, cut",
            ("huggin_utils.py", "run", "--csv", table),
            changes[0][1],
            frozenset({0, 2}),
        )
    for words in (
        ("graph-layers", "run", "--step", "9"),
        ("graph-layers", "run", "--step", str(HUGE)),
        ("graph-layers", "run", "--sample", "9"),
        ("graph-layers", "run", "--part", PLAIN),
        ("graph-layers", "nowhere"),
        ("graph-questions", "run", "--by", PLAIN),
        ("graph-questions", "run", "--by", ""),
        ("graph-questions", "run", "--by", "context"),
        ("graph-questions", "nowhere"),
    ):
        codes = frozenset({0, 2}) if words[-1] == "context" else frozenset({2})
        yield Fault("newer tables", ascii(" ".join(words)), words, codes=codes)
    for name, change in (
        ("train_file gone", {"train_file": "gone.json"}),
        ("train_file a folder", {"train_file": "run"}),
        ("train_file another", {"train_file": "other.json"}),
        ("no cfg", None),
    ):
        facts = json.loads((base / FACTS).read_text())
        cfg = facts["cfg"] | change if change else {}
        prepare = both(writing(FACTS, facts | {"cfg": cfg}), writing("other.json", questions()[:1]))
        words = ("graph-questions", "run")
        yield Fault("newer tables", f"{name}, graph-questions", words, prepare, EITHER)


def shortened(rows: pa.Table) -> pa.Table:
    """The rows of a table, whose last list in the last column lacks its last number."""
    name = rows.column_names[-1]
    lists = rows[name].to_pylist()
    lists[-1] = lists[-1][:-1]
    at = rows.column_names.index(name)
    return rows.set_column(
        at, rows.schema.field(name), pa.array(lists, rows.schema.field(name).type)
    )


def of_cfgs_that_work() -> Iterator[Fault]:
    """Values that look odd and may be taken; none may be a defect."""
    odd: tuple[tuple[str, Any], ...] = (
        ("num_train_epochs", 1e-9),
        ("num_train_epochs", 0),
        ("num_train_epochs", -1),
        ("warmup_steps", -1),
        ("warmup_steps", 10**9),
        ("warmup_steps", 0.5),
        ("max_grad_norm", -1),
        ("max_grad_norm", 0),
        ("weight_decay", -1),
        ("adam_beta1", 2),
        ("adam_epsilon", 0),
        ("logging_steps", 0),
        ("logging_steps", 10**30),
        ("save_steps", 0),
        ("save_steps", 0.1),
        ("save_steps", -1),
        ("eval_steps", 0),
        ("eval_strategy", "steps"),
        ("save_total_limit", 0),
        ("save_total_limit", -1),
        ("gradient_accumulation_steps", 10**9),
        ("per_device_train_batch_size", 10**6),
        ("probe_points", 10**9),
        ("node_points", 10**30),
        ("probe_samples", 99),
        ("max_train_samples", 10**30),
        ("n_best_size", 10**30),
        ("max_answer_length", 10**30),
        ("save_minutes", 1e-9),
        ("dataloader_num_workers", -1),
        ("dataloader_prefetch_factor", 2),
        ("logging_dir", "a\0b"),
        ("run_name", HOSTILE),
        ("report_to", "nobody"),
        ("report_to", HOSTILE),
        ("lr_scheduler_kwargs", {"x": 1}),
        ("lr_scheduler_kwargs", "x"),
        ("optim_args", "x"),
        ("optim", "adafactor"),
        ("optim_target_modules", "x"),
        ("accelerator_config", {"x": 1}),
        ("accelerator_config", "gone.json"),
        ("neftune_noise_alpha", -5),
        ("gradient_checkpointing_kwargs", {"x": 1}),
        ("torch_compile_backend", "magic"),
        ("ddp_backend", "magic"),
        ("debug", "magic"),
        ("hub_strategy", "magic"),
        ("log_level", "loud"),
        ("notify", "'"),
        ("notify", "\0"),
        ("notify", "nobody-has-this"),
        ("notify", HOSTILE),
        ("cache_dir", "a\0b"),
        ("cache_dir", "questions.json"),
        ("dataset_name", "questions.json"),
        ("dataset_config_name", HOSTILE),
        ("tokenizer_name", "nowhere"),
        ("config_name", "nowhere"),
        ("seed", 1.5),
        ("bf16", "maybe"),
        ("tf32", True),
    )
    for key, value in odd:
        name = ascii(f"{key} {str(value)[:20]}")
        changed = keys(output_dir="new", max_steps=1, do_eval=False, **{key: value})
        if key == "num_train_epochs":
            changed["max_steps"] = -1
        words = ("run_qa.py", "odd.json")
        yield Fault("odd keys", name, words, writing("odd.json", changed), EITHER | {141})

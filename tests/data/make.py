"""Make the recording and the database in `0.1.0/`, with the toolkit's version 0.1.0.

    git worktree add ../huggin-0.1.0 67c51fb
    python tests/data/make.py ../huggin-0.1.0

Run it with the Python that setup installs. It trains a tiny model for 20 steps, resumes it up to
40, asks it twice, profiles a training, and explains a picture. It keeps the recording, what was
asked, the database, and in `expected.json` the numbers that version 0.1.0 read from them. The
weights of the model are not kept. `tests/test_older_versions.py` compares today's numbers.
"""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent / "0.1.0"
OLDER = Path(sys.argv[1]).resolve() if __name__ == "__main__" else Path()
DATABASE = "stack_trace.db"

CONTEXT = (
    "Huginn and Muninn are the ravens of Odin. They fly over the world each day "
    "and return at dinner time."
)
QUESTIONS = {
    "Who owns the ravens?": "Odin",
    "When do they return?": "at dinner time",
    "What are Huginn and Muninn?": "ravens",
    "What do they fly over?": "the world",
}
MODEL = {
    "num_hidden_layers": 2,
    "hidden_size": 16,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
CFG = {
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
    "num_train_epochs": 20,
    "learning_rate": 1e-2,
    "probe_points": 10,
    "node_points": 3,
    "probe_samples": 2,
}

# What is asked of the data: command lines, with run/ and stack_trace.db in the present folder
CSV = [f"huggin_utils.py run --csv {table}" for table in ("steps", "probes", "nodes")]
TEXTS = [
    f"db_utils.py --list --db {DATABASE}",
    f"db-indices.py --list --db {DATABASE}",
    f"squad-interface.py --duplicates --db {DATABASE}",
    f"track-trainer.py --search training_step --db {DATABASE}",
]
TABLES = [
    "graph-weights.py run",
    "graph-weights.py run --rank-by share --sample 1",
    "graph-logits.py run --over-time",
    "graph-logits.py run --sample 1",
    "graph-losses.py run",
    "graph-efficacy.py run",
    "graph-node-logits.py run",
    "graph-node-logits.py run --step 0",
    "graph-node-logits.py run --share",
]


def main() -> None:
    """Make the data in a temporary folder, ask version 0.1.0, and keep both."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_inputs(folder)
        train_and_ask(folder)
        expected = {
            "summary": json.loads(output("huggin_utils.py run", folder)),
            "csv": {line: digest(output(line, folder)) for line in CSV},
            "texts": {line: output(line, folder) for line in TEXTS},
            "numbers": {line: numbers_in(output(line, folder)) for line in TABLES},
            "values": values(folder),
        }
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.mkdir()
        shutil.copytree(folder / "run" / "recording", TARGET / "run" / "recording")
        shutil.copy(folder / "run" / "efficacy.json", TARGET / "run")
        shutil.copy(folder / DATABASE, TARGET)
    text = json.dumps(expected, indent=1, ensure_ascii=False)
    (TARGET / "expected.json").write_text(text + "\n", encoding="utf-8")


def write_inputs(folder: Path) -> None:
    """Write cfg.json, the questions, and a tiny model's config with its tokenizer."""
    sample = OLDER / "sample" / "bert-tiny"
    model = folder / "model"
    shutil.copytree(sample, model)
    for picture in sample.parent.glob("shapes.*"):
        shutil.copy(picture, folder)
    config = json.loads((model / "config.json").read_text()) | MODEL
    (model / "config.json").write_text(json.dumps(config))
    records = [record(*pair) for pair in enumerate(QUESTIONS.items())]
    (folder / "questions.json").write_text(json.dumps(records))
    (folder / "cfg.json").write_text(json.dumps(CFG))


def record(number: int, pair: tuple[str, str]) -> dict[str, Any]:
    """A SQuAD record."""
    question, answer = pair
    answers = {"text": [answer], "answer_start": [CONTEXT.index(answer)]}
    texts = {"title": "Ravens", "context": CONTEXT, "question": question}
    return {"id": f"q{number}", **texts, "answers": answers}


def train_and_ask(folder: Path) -> None:
    """Fill the folder's run/ and database: two segments, two examinations, a profile, a picture."""
    output("run_qa.py cfg.json --num_train_epochs 10", folder)
    output("run_qa.py cfg.json", folder)
    for seed in (1, 2):
        output(f"test-qa-efficacy.py cfg.json --samples 3 --seed {seed} --db {DATABASE}", folder)
    profiled = CFG | {"output_dir": "profiled", "num_train_epochs": 300, "record": False}
    (folder / "profiled.json").write_text(json.dumps(profiled))
    output(f"track-trainer.py profiled.json --interval 0.5 --db {DATABASE}", folder)
    explain = "lime.py shapes.png --model shapes.keras --labels shapes.txt --segmenter slic"
    output(f"{explain} --samples 40 --seed 3 --db {DATABASE} --out lime", folder)
    shrink(folder / DATABASE)


def shrink(database: Path) -> None:
    """Leave out what a profile saw outside the Trainer, most of it imports, and empty pages."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript("""
            DELETE FROM call_sequence WHERE training_function = 'outside_trainer';
            DELETE FROM stack_samples WHERE training_function = 'outside_trainer';
            DROP TABLE outside_trainer;
            VACUUM""")


def output(line: str, folder: Path) -> str:
    """What a command of version 0.1.0 prints."""
    script, *words = line.split()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, OLDER / script, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{line}: {done.stderr}")
    return done.stdout


def digest(text: str) -> dict[str, Any]:
    """The number of lines of a text, its first line, and its SHA-256."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return {"lines": text.count("\n"), "first": text.split("\n", 1)[0], "sha256": sha256}


def numbers_in(text: str) -> list[str]:
    """The numbers in a text, without the paths of figures."""
    lines = [line for line in text.splitlines() if ".png" not in line]
    return re.findall(r"[-+]?\d+(?:\.\d+)?", "\n".join(lines))


def values(folder: Path) -> dict[str, Any]:
    """What the readers of version 0.1.0 return, as JSON; imported from its folder."""
    sys.path.insert(0, str(OLDER))
    from huggin.answer_recording import read_answer
    from huggin.efficacy import read_efficacy
    from huggin.learning import margins, when_learned
    from huggin.nodes import ranked_nodes, snapshots, weight_change
    from huggin.run_folder import RunFolder

    from huggin.recording import Recording

    recording = Recording(folder / "run")
    facts = recording.facts
    answer = read_answer(RunFolder(folder / "run"))
    samples = range(len(facts["samples"]))
    golds = [
        (facts["samples"][at]["gold_start"], facts["samples"][at]["gold_end"]) for at in samples
    ]
    learned = [when_learned(recording.probes(at), *golds[at]) for at in samples]
    return {
        "facts": {
            name: facts[name] for name in ("model_class", "data_name", "hidden_size", "seed")
        },
        "golds": golds,
        "loss": recording.steps.loss[1:].tolist(),
        "bias": recording.steps.bias.tolist(),
        "absolute_change": weight_change(recording.steps).absolute.tolist(),
        "start_loss": [recording.probes(at).start_loss.tolist() for at in samples],
        "predicted_end": [recording.probes(at).predicted_end.tolist() for at in samples],
        "margins": [margins(recording.probes(at), facts["samples"][at]).tolist() for at in samples],
        "flips": [one.flips for one in learned],
        "snapshots": [snapshots(recording, at).logits().sum(axis=2).tolist() for at in samples],
        "ranked": {
            rank_by: ranked_nodes(recording, rank_by=rank_by).tolist()
            for rank_by in ("percent", "absolute", "share")
        },
        "efficacy": [vars(one) for one in read_efficacy(RunFolder(folder / "run"))],
        "answer": {
            "question": answer.facts.question,
            "answered": answer.facts.answered,
            "start_logits": answer.start_logits.tolist(),
            "sites": [f"{layer} {component}" for layer, component in answer.activations],
            "sums": [float(one.astype(float).sum()) for one in answer.activations.values()],
        },
    }


if __name__ == "__main__":
    main()

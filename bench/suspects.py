"""How many planted wrong answers does `huggin suspects` find, by kind?

python bench/suspects.py QUESTIONS.json MODEL [--quick] [--seeds 1 2 3] [--folder runs]
python bench/suspects.py QUESTIONS.json MODEL --clean
python bench/suspects.py QUESTIONS.json MODEL --seeds 1 --cleanlab PYTHON

It trains a run of 4 passes for each seed, some minutes each, unless FOLDER holds it already.
--clean plants nothing, and prints the first 20. --cleanlab also trains a model for each fold of
the data, and lets cleanlab rank the answers by what the model says that has not seen them; PYTHON
is one that has cleanlab.
"""

import argparse
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from huggin.analysis.question_texts import spans_of  # noqa: E402
from huggin.analysis.suspects import losses_by_pass  # noqa: E402
from huggin.asking.answering import TrainedModel  # noqa: E402
from huggin.asking.suspects import suspects  # noqa: E402
from huggin.qa.features import track_sample  # noqa: E402
from huggin.qa.records import read_records  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402

VALIDATION = 120
KINDS = ("random", "boundary", "swapped")
FOLDS = 3
HAN = "\u3400-\u9fff"  # Chinese is written without blanks: each character is a word
LETTER = f"[^\\W{HAN}]"
WORD = re.compile(f"[{HAN}]|{LETTER}(?:(?:{LETTER}|['’.,%-])*{LETTER})?")


def main() -> None:
    """Print a row per seed and way of ranking: the share of errors among as many, by kind."""
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("questions", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--quick", action="store_true", help="the first seed alone")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3])
    parser.add_argument("--count", type=int, default=600, help="questions; 10 %% are made wrong")
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--cleanlab", metavar="PYTHON")
    parser.add_argument("--folder", type=Path, default=Path("suspects-bench"))
    args = parser.parse_args()
    if args.clean:
        chosen, validation = drawn(args, args.seeds[0])
        run = trained(args, args.folder / "clean", chosen, validation)
        print(suspects(run).in_words())
        return
    print("| seed | ranked by | all | " + " | ".join(KINDS) + " |\n|---|---|---|---|---|---|")
    table: dict[str, list[list[float]]] = {}
    for seed in args.seeds[:1] if args.quick else args.seeds:
        for name, found in measured(args, seed).items():
            table.setdefault(name, []).append(found)
            print(f"| {seed} | {name} | {in_row(found)} |", flush=True)
    for name, rows in table.items():
        print(f"| mean | {name} | {in_row(np.mean(rows, axis=0))} |")


def measured(args: argparse.Namespace, seed: int) -> dict[str, list[float]]:
    """What each way of ranking finds in the data of a seed."""
    chosen, validation = drawn(args, seed)
    planted = plant(chosen, seed)
    run = trained(args, args.folder / f"seed-{seed}", chosen, validation)
    losses = losses_by_pass(Recording(run).questions)
    by_loss = losses.index[np.argsort(-losses.loss[:, -1], kind="stable")].tolist()
    ways = {"loss of the last pass": by_loss}
    for name, ask in (("suspects --no-model", False), ("suspects", True)):
        begin = perf_counter()
        ways[name] = [suspect.index for suspect in suspects(run, ask=ask).ranked]
        print(f"{name}: {perf_counter() - begin:.0f} s", file=sys.stderr)
    if args.cleanlab:
        ways |= by_cleanlab(args, args.folder / f"seed-{seed}", chosen, validation)
    return {name: shares(order, planted) for name, order in ways.items()}


def in_row(found: Any) -> str:
    """Numbers of a row."""
    return " | ".join(f"{share:.2f}" for share in found)


def shares(order: list[int], planted: dict[int, str]) -> list[float]:
    """The share of all errors, and of each kind, among the first as many as there are."""
    first = [planted.get(index) for index in order[: len(planted)]]
    found = [sum(kind is not None for kind in first) / len(planted)]
    return found + [first.count(kind) / list(planted.values()).count(kind) for kind in KINDS]


def trained(args: argparse.Namespace, folder: Path, records: list, validation: list) -> Path:
    """A run of 4 passes on the records, with an evaluation after each."""
    folder = folder.resolve()
    run = folder / "run"
    if not (run / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name, some in (("train", records), ("validation", validation)):
            (folder / f"{name}.json").write_text(json.dumps({"data": some}), encoding="utf-8")
        keys = {
            "model_name_or_path": str(args.model.resolve()),
            "train_file": str(folder / "train.json"),
            "validation_file": str(folder / "validation.json"),
            "output_dir": str(run),
            "do_train": True,
            "per_device_train_batch_size": 12,
            "num_train_epochs": 4,
            "learning_rate": 3e-4,
            "warmup_steps": 8,
            "eval_strategy": "epoch",
            "seed": 7,
            "probe_points": 2,
            "node_points": 2,
            "ledger_points": 0,
        }
        (folder / "cfg.json").write_text(json.dumps(keys))
        begin = perf_counter()
        command = [sys.executable, ROOT / "run_qa.py", folder / "cfg.json"]
        subprocess.run(command, check=True, stdout=sys.stderr)
        print(f"{run}: {perf_counter() - begin:.0f} s of training", file=sys.stderr)
    return run


def by_cleanlab(
    args: argparse.Namespace, folder: Path, records: list, validation: list
) -> dict[str, list[int]]:
    """cleanlab's rankings by the probabilities of models that have not seen the questions.

    The first and the last token of an answer are a class each; of the two scores the lower counts.
    """
    found: list[tuple[int, Any]] = []
    for fold in range(FOLDS):
        rest = [record for at, record in enumerate(records) if at % FOLDS != fold]
        run = trained(args, folder / f"fold-{fold}", rest, validation)
        model = TrainedModel.load(run)
        for at in range(fold, len(records), FOLDS):
            window = track_sample(records[at], at, model.tokenizer, model.data)
            inputs = {name: torch.tensor([ids]) for name, ids in window.inputs.items()}
            with torch.no_grad():
                given = model.model(
                    **{name: ids.to(model.model.device) for name, ids in inputs.items()}
                )
            logits = (given.start_logits[0].cpu(), given.end_logits[0].cpu())
            found.append((at, (window.gold_start, window.gold_end, *logits)))
    rows = [row for _, row in sorted(found, key=lambda pair: pair[0])]
    longest = max(len(row[2]) for row in rows)
    probabilities = np.zeros((2, len(rows), longest))
    for number, row in enumerate(rows):
        for end in (0, 1):
            probabilities[end, number, : len(row[2])] = row[2 + end].double().softmax(-1)
    labels = np.array([row[:2] for row in rows]).T
    np.savez(folder / "out-of-fold.npz", labels=labels, probabilities=probabilities)
    script = Path(__file__).with_name("rivals") / "label_quality.py"
    done = subprocess.run(
        [args.cleanlab, script, folder / "out-of-fold.npz"], check=True, stdout=subprocess.PIPE
    )
    return {f"cleanlab, {name}": order for name, order in json.loads(done.stdout).items()}


def drawn(args: argparse.Namespace, seed: int) -> tuple[list[Any], list[Any]]:
    """Questions of random contexts, and VALIDATION of the others."""
    records = list(read_records(args.questions))
    contexts = list(dict.fromkeys(record["context"] for record in records))
    random.Random(seed).shuffle(contexts)
    in_order = [record for text in contexts for record in records if record["context"] == text]
    return in_order[: args.count], in_order[-VALIDATION:]


def plant(chosen: list[Any], seed: int) -> dict[int, str]:
    """Give one of 30 questions a wrong answer of each of KINDS; the kinds by index."""
    of_a_kind = len(chosen) // 30
    draw = random.Random(seed)
    planted: dict[int, str] = {}
    places = list(range(len(chosen)))
    draw.shuffle(places)
    for place in places:
        pair = chosen[place : place + 2]
        if len(planted) < of_a_kind and not planted.keys() & {place, place + 1} and fit(pair):
            pair[0]["answers"], pair[1]["answers"] = pair[1]["answers"], pair[0]["answers"]
            planted |= {place: "swapped", place + 1: "swapped"}
    for kind, change in (("random", elsewhere), ("boundary", at_another_word)):
        free = [place for place in places if place not in planted]
        for place in free:
            if list(planted.values()).count(kind) < of_a_kind and change(chosen[place], draw):
                planted[place] = kind
    return planted


def fit(pair: list[Any]) -> bool:
    """Whether two questions have one context, and answers that do not overlap."""
    if len(pair) < 2 or pair[0]["context"] != pair[1]["context"]:
        return False
    first, second = (spans_of(each)[0] for each in pair)
    return first[1] <= second[0] or second[1] <= first[0]


def elsewhere(record: Any, draw: random.Random) -> bool:
    """Give a record one to four random words as its answer; whether that was done."""
    words = [match.span() for match in WORD.finditer(record["context"])]
    count = draw.randint(1, 4)
    at = draw.randrange(len(words) - count + 1)
    old = spans_of(record)[0]
    new = (words[at][0], words[at + count - 1][1])
    return (new[1] <= old[0] or old[1] <= new[0]) and answer_with(record, new)


def at_another_word(record: Any, draw: random.Random) -> bool:
    """Let an answer begin or end one or two words further in or out; whether that was done."""
    words = [match.span() for match in WORD.finditer(record["context"])]
    old = spans_of(record)[0]
    inside = [at for at, word in enumerate(words) if word[0] < old[1] and word[1] > old[0]]
    first, last = inside[0], inside[-1]
    by = draw.choice([1, 2])
    inwards = draw.random() < 0.5 and last - first >= by
    if draw.random() < 0.5:
        first += by if inwards else -by
    else:
        last += -by if inwards else by
    if first < 0 or last >= len(words):
        return False
    return answer_with(record, (words[first][0], words[last][1]))


def answer_with(record: Any, span: tuple[int, int]) -> bool:
    """Give a record the characters of a span as its answer."""
    record["answers"] = {"text": [record["context"][slice(*span)]], "answer_start": [span[0]]}
    return True


if __name__ == "__main__":
    main()

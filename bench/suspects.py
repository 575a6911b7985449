"""How many planted wrong answers does `huggin suspects` find, by kind?

python bench/suspects.py QUESTIONS.json MODEL [--quick] [--folder runs]

It trains a run of 4 passes for each seed, some minutes each, unless FOLDER holds it already.
"""

import argparse
import json
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from huggin.analysis.question_texts import spans_of  # noqa: E402
from huggin.analysis.suspects import losses_by_pass  # noqa: E402
from huggin.asking.suspects import suspects  # noqa: E402
from huggin.qa.records import read_records  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402

QUESTIONS = 240
OF_A_KIND = 8
KINDS = ("random", "boundary", "swapped")
WORD = re.compile(r"\w[\w'’.,%-]*\w|\w")


def main() -> None:
    """Print a row per seed and way of ranking: the share of errors in the first 24, by kind."""
    about = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=about)
    parser.add_argument("questions", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--quick", action="store_true", help="one seed instead of three")
    parser.add_argument("--folder", type=Path, default=Path("suspects-bench"))
    args = parser.parse_args()
    print("| seed | ranked by | all | " + " | ".join(KINDS) + " |\n|---|---|---|---|---|---|")
    for seed in (1,) if args.quick else (1, 2, 3):
        run, planted = trained(args, seed)
        losses = losses_by_pass(Recording(run).questions)
        by_loss = losses.index[np.argsort(-losses.loss[:, -1], kind="stable")].tolist()
        ways = {"loss of the last pass": by_loss}
        for name, ask in (("suspects --no-model", False), ("suspects", True)):
            ways[name] = [suspect.index for suspect in suspects(run, ask=ask).ranked]
        for name, order in ways.items():
            print(f"| {seed} | {name} | " + " | ".join(shares(order, planted)) + " |", flush=True)


def shares(order: list[int], planted: dict[int, str]) -> list[str]:
    """The share of all errors, and of each kind, among the first as many as there are."""
    first = [planted.get(index) for index in order[: len(planted)]]
    found = [sum(kind is not None for kind in first) / len(planted)]
    found += [first.count(kind) / list(planted.values()).count(kind) for kind in KINDS]
    return [f"{share:.2f}" for share in found]


def trained(args: argparse.Namespace, seed: int) -> tuple[Path, dict[int, str]]:
    """A run on data with planted errors, and their kinds by index."""
    folder = args.folder.resolve() / f"seed-{seed}"
    records, planted = plant(list(read_records(args.questions)), seed)
    run = folder / "run"
    if not (run / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "train.json").write_text(json.dumps({"data": records}), encoding="utf-8")
        keys = {
            "model_name_or_path": str(args.model.resolve()),
            "train_file": str(folder / "train.json"),
            "output_dir": str(run),
            "do_train": True,
            "per_device_train_batch_size": 12,
            "num_train_epochs": 4,
            "learning_rate": 3e-4,
            "warmup_steps": 8,
            "seed": 7,
        }
        (folder / "cfg.json").write_text(json.dumps(keys))
        subprocess.run([sys.executable, ROOT / "run_qa.py", folder / "cfg.json"], check=True)
    return run, planted


def plant(records: list[Any], seed: int) -> tuple[list[Any], dict[int, str]]:
    """QUESTIONS questions of random contexts, 8 wrong answers of each of KINDS among them."""
    draw = random.Random(seed)
    contexts = list(dict.fromkeys(record["context"] for record in records))
    draw.shuffle(contexts)
    in_order = [record for text in contexts for record in records if record["context"] == text]
    chosen = json.loads(json.dumps(in_order[:QUESTIONS]))
    planted: dict[int, str] = {}
    places = list(range(QUESTIONS))
    draw.shuffle(places)
    for place in places:
        pair = chosen[place : place + 2]
        if len(planted) < OF_A_KIND and not planted.keys() & {place, place + 1} and fit(pair):
            pair[0]["answers"], pair[1]["answers"] = pair[1]["answers"], pair[0]["answers"]
            planted |= {place: "swapped", place + 1: "swapped"}
    for kind, change in (("random", elsewhere), ("boundary", at_another_word)):
        free = [place for place in places if place not in planted]
        for place in free:
            if list(planted.values()).count(kind) < OF_A_KIND and change(chosen[place], draw):
                planted[place] = kind
    return chosen, planted


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

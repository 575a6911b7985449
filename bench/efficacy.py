"""Questions a second: one at a time, in batches, and by the question-answering pipeline of transformers 4.

    python bench/efficacy.py --quick
    python bench/efficacy.py --model FOLDER --questions SQUAD.json

Both are given the same weights and questions. Without --model it is the sample's, trained first (about a minute). A
model without a head is given a random one.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import (  # noqa: E402
    Asked,
    alternate,
    last_line,
    parser_of,
    ratios,
    rivals_python,
    row,
    seconds_of,
    spread,
)
from huggin.asking.examination import AHEAD  # noqa: E402
from huggin.asking.questions import ask, draw_questions  # noqa: E402
from huggin.model.fast_linear import speed_up  # noqa: E402
from huggin.model.loading import load_model, load_tokenizer, match_tokenizer, quieten_libraries  # noqa: E402
from huggin.qa.arguments import DataArguments, ModelArguments  # noqa: E402
from huggin.qa.questions import load_questions  # noqa: E402

SIZES = (1, 4, 16, 64)


def trained(folder: Path, quick: bool) -> Path:
    """The sample's model."""
    epochs = "20" if quick else "150"
    line = [
        sys.executable,
        str(ROOT / "run_qa.py"),
        str(ROOT / "cfg.json"),
        "--num_train_epochs",
        epochs,
    ]
    subprocess.run(
        [*line, "--output_dir", "run", "--do_eval", "false"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return folder / "run"


class Ours:
    """The toolkit before its questions; keeps the last answers of each batch size."""

    def __init__(self, folder: Path, records: Any, data: DataArguments) -> None:
        arguments = ModelArguments(model_name_or_path=str(folder))
        self.model, self.tokenizer = (
            speed_up(load_model(arguments, 0).eval()),
            load_tokenizer(arguments),
        )
        match_tokenizer(self.tokenizer, self.model, data.max_seq_length)
        self.records, self.data = records, data
        self.answers: dict[int, list[str]] = {}

    def seconds(self, size: int) -> float:
        """How long all questions take in batches of `size`."""
        ahead = 1 if size == 1 else AHEAD
        indices = range(len(self.records))
        run = partial(
            ask, self.model, self.tokenizer, self.records, indices, self.data, size, ahead
        )
        found: list[Any] = []
        taken = seconds_of(lambda: found.extend(run()))
        self.answers[size] = [one.answer.text for one in found]
        return taken


def compare(ours: Ours, folder: Path, quick: bool) -> dict[str, list[float]]:
    """Seconds of every batch size, ours and the pipeline's, in turns; prints how many answers differ."""
    data, file, count = ours.data, folder / "asked.json", len(ours.records)
    file.write_text(json.dumps({key: list(ours.records[key]) for key in ("question", "context")}))
    limits = (data.max_seq_length, data.doc_stride, data.max_answer_length)
    theirs: dict[int, list[str]] = {}
    with Asked(rivals_python(), "questions.py", folder / "model", file, *limits) as pipeline:

        def seconds(size: int) -> float:
            answer = pipeline.ask(size=size)
            theirs[size] = answer["answers"]
            return answer["seconds"]

        ways: dict[str, Callable[[], float]] = {
            f"ours {size}": partial(ours.seconds, size) for size in SIZES
        }
        ways |= {f"pipeline {size}": partial(seconds, size) for size in SIZES}
        for way in ways.values():
            way()  # each warms up
        measured = alternate(ways, 2 if quick else 5, 30 if quick else 90)
    for name, answers in (("ours", ours.answers[64]), ("the pipeline's", theirs[1])):
        differ = sum(
            one != other.strip() for one, other in zip(ours.answers[1], answers, strict=True)
        )
        row(f"answers of {count} that differ from ours, one at a time: {name}", differ)
    return measured


def report(measured: dict[str, list[float]], count: int, label: str) -> None:
    """A row per way, and the best of ours by the best of the pipeline's."""
    for name, times in measured.items():
        who, size = name.split()
        row(
            f"{label}: {who}, batches of {size}",
            spread([count / one for one in times]),
            "questions/s",
        )
    medians = {name: spread(times).median for name, times in measured.items()}
    best = {
        who: min((name for name in medians if name.startswith(who)), key=medians.__getitem__)
        for who in ("ours", "pipeline")
    }
    row(f"{label}: best batch by one at a time", ratios(measured, "ours 1", best["ours"]))
    ratio = ratios(measured, best["pipeline"], best["ours"])
    row(f"{label}: ours by the pipeline, each at its best batch", ratio, least=1.5)
    last_line("efficacy", ratio)


def main() -> None:
    """Print a row per batch size, and how ours compares with the pipeline."""
    parser = parser_of(__doc__)
    parser.add_argument("--model", type=Path, help="a model's folder (the sample's, trained first)")
    parser.add_argument(
        "--questions", type=Path, default=ROOT / "sample" / "questions.json", help="SQuAD's format"
    )
    parser.add_argument(
        "--samples", type=int, default=200, help="how many are asked, some again if need be (200)"
    )
    args = parser.parse_args()
    quieten_libraries()
    sizes = (
        {"max_seq_length": 384, "doc_stride": 128}
        if args.model
        else {"max_seq_length": 128, "doc_stride": 32}
    )
    data = DataArguments(validation_file=str(args.questions), **sizes)  # type: ignore[arg-type]
    records = load_questions(data, "validation", None)
    drawn, count = draw_questions(len(records), seed=0), args.samples // (4 if args.quick else 1)
    records = records.select([drawn[place % len(drawn)] for place in range(count)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ModelArguments(
            model_name_or_path=str(args.model or trained(folder, args.quick))
        )
        model, tokenizer = load_model(arguments, 0), load_tokenizer(arguments)
        for part in (model, tokenizer):
            part.save_pretrained(folder / "model")
        label = args.model.resolve().parent.name if args.model else "the sample"
        report(
            compare(Ours(folder / "model", records, data), folder, args.quick), len(records), label
        )


if __name__ == "__main__":
    main()

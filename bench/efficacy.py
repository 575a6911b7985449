"""How many questions per second are answered: by ours, and by the pipeline of transformers 4.

    python bench/efficacy.py --quick
    python bench/efficacy.py --model FOLDER --questions SQUAD.json

Both get the same weights and the same questions. Without --model they get the sample's model, which
is trained first (about a minute). A model without a QA head gets a random one.
"""

import json
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable, Sequence
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
from huggin.asking.questions import AHEAD, ask_all, draw_questions  # noqa: E402
from huggin.model.fast_linear import speed_up  # noqa: E402
from huggin.model.loading import (  # noqa: E402
    load_model,
    load_tokenizer,
    match_tokenizer,
    quieten_libraries,
)
from huggin.qa.arguments import DataArguments, ModelArguments  # noqa: E402
from huggin.qa.questions import load_questions  # noqa: E402

SIZES = (1, 4, 16, 64)  # questions in a batch
LARGEST = SIZES[-1]


class Ours:
    """The toolkit, ready to be asked. `answers` holds the last ones of each batch size."""

    def __init__(self, folder: Path, records: Any, data: DataArguments) -> None:
        arguments = ModelArguments(model_name_or_path=str(folder))
        self.model = speed_up(load_model(arguments, 0)[0].eval())
        self.tokenizer = load_tokenizer(arguments)
        match_tokenizer(self.tokenizer, self.model, data.max_seq_length)
        self.records = records
        self.data = data
        self.answers: dict[int, list[str]] = {}

    def seconds(self, size: int) -> float:
        """How long it takes to answer all questions in batches of `size`."""
        ahead = 1 if size == 1 else AHEAD
        indices = range(len(self.records))
        asked = ask_all(self.model, self.tokenizer, self.records, indices, self.data, size, ahead)
        found: list[Any] = []
        taken = seconds_of(lambda: found.extend(asked))
        self.answers[size] = [one.answer.text for one in found]
        return taken


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each batch size, and how ours compares with the pipeline."""
    args = read_arguments(argv)
    quieten_libraries()
    lengths = (384, 128) if args.model else (128, 32)
    data = DataArguments(
        validation_file=str(args.questions), max_seq_length=lengths[0], doc_stride=lengths[1]
    )
    count = args.samples // 4 if args.quick else args.samples
    records = questions(data, count)
    label = args.model.resolve().parent.name if args.model else "the sample"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_with_head(args.model or trained(folder, args.quick), folder / "model")
        ours = Ours(folder / "model", records, data)
        report(compare(ours, folder, args.quick), count, label)
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line."""
    parser = parser_of(__doc__)
    model = "a model's folder (default: the sample's, which is trained first)"
    parser.add_argument("--model", type=Path, help=model)
    sample = ROOT / "sample" / "questions.json"
    file = "questions in SQuAD's format (default: the sample's)"
    parser.add_argument("--questions", type=Path, default=sample, help=file)
    samples = "how many are asked; repeated if there are fewer (default: 200)"
    parser.add_argument("--samples", type=int, default=200, help=samples)
    return parser.parse_args(argv)


def questions(data: DataArguments, count: int) -> Any:
    """`count` questions in random order, repeated if there are fewer."""
    records = load_questions(data, "validation", None)
    drawn = draw_questions(len(records), seed=0)
    return records.select([drawn[place % len(drawn)] for place in range(count)])


def trained(folder: Path, quick: bool) -> Path:
    """Train the sample's model. Returns its folder."""
    epochs = "20" if quick else "150"
    line = [sys.executable, str(ROOT / "run_qa.py"), str(ROOT / "cfg-facts.json")]
    flags = ["--num_train_epochs", epochs, "--output_dir", "run", "--do_eval", "false"]
    subprocess.run([*line, *flags], cwd=folder, check=True, capture_output=True)
    return folder / "run"


def save_with_head(source: Path, target: Path) -> None:
    """Copy a model and its tokenizer, so that both rivals load the same QA head."""
    arguments = ModelArguments(model_name_or_path=str(source))
    load_model(arguments, 0)[0].save_pretrained(target)
    load_tokenizer(arguments).save_pretrained(target)


def compare(ours: Ours, folder: Path, quick: bool) -> dict[str, list[float]]:
    """Seconds for every batch size, ours and the pipeline's, in turns.

    Prints how many answers differ.
    """
    data = ours.data
    file = folder / "asked.json"
    asked = {key: list(ours.records[key]) for key in ("question", "context")}
    file.write_text(json.dumps(asked))
    limits = (data.max_seq_length, data.doc_stride, data.max_answer_length)
    theirs: dict[int, list[str]] = {}
    with Asked(rivals_python(), "questions.py", folder / "model", file, *limits) as pipeline:

        def seconds(size: int) -> float:
            answer = pipeline.ask(size=size)
            theirs[size] = answer["answers"]
            return answer["seconds"]

        ways: dict[str, Callable[[], float]] = {}
        ways |= {f"ours {size}": partial(ours.seconds, size) for size in SIZES}
        ways |= {f"pipeline {size}": partial(seconds, size) for size in SIZES}
        for way in ways.values():
            way()  # warm up
        measured = alternate(ways, 2 if quick else 5, 30 if quick else 90)
    say_what_differs("ours", ours.answers[1], ours.answers[LARGEST])
    say_what_differs("the pipeline's", ours.answers[1], theirs[1])
    return measured


def say_what_differs(name: str, answers: list[str], others: list[str]) -> None:
    """Print a row with the number of answers that are not the same."""
    differ = sum(one != other.strip() for one, other in zip(answers, others, strict=True))
    row(f"answers of {len(answers)} that differ from ours, one at a time: {name}", differ)


def report(measured: dict[str, list[float]], count: int, label: str) -> None:
    """Print a row for each way, and our best batch size by the pipeline's best."""
    for name, times in measured.items():
        who, size = name.split()
        speed = spread([count / one for one in times])
        row(f"{label}: {who}, batches of {size}", speed, "questions/s")
    ours = fastest(measured, "ours")
    row(f"{label}: best batch by one at a time", ratios(measured, "ours 1", ours))
    ratio = ratios(measured, fastest(measured, "pipeline"), ours)
    row(f"{label}: ours by the pipeline, each at its best batch", ratio, least=1.5)
    last_line("efficacy", ratio)


def fastest(measured: dict[str, list[float]], who: str) -> str:
    """The name of the way that is fastest, of ours or of the pipeline's."""
    names = [name for name in measured if name.startswith(who)]
    return min(names, key=lambda name: spread(measured[name]).median)


if __name__ == "__main__":
    sys.exit(main())

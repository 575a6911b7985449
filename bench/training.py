"""How long fine-tuning takes for 1,000 questions, compared with Hugging Face's example.

    python bench/training.py squad-xquad-en.json
    python bench/training.py squad-xquad-en.json --tokenizer MINILM --quick

The toolkit trains with its recording on and windows of similar length in a batch. Its rivals are
transformers 4's Trainer with the steps of its example run_qa.py as the README of the example starts
it, written again here: every window is padded to 384 tokens; and a loop of PyTorch that pads to the
longest window of a batch. All have random weights, batches of 12, windows of 384 tokens that share
128. Each process makes the batches of an epoch in its own way and picks some that stand for all of
them, at even distances in the order of their lengths. A round trains each process on its picked
batches once; the rounds alternate. --quick takes batches of 4, fewer of them, and one round.
"""

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tokenizers import BertWordPieceTokenizer  # noqa: E402
from transformers import AutoTokenizer, BertConfig, PreTrainedTokenizerFast  # noqa: E402

from bench.measure import (  # noqa: E402
    Asked,
    alternate,
    last_line,
    parser_of,
    ratios,
    rivals_python,
    row,
    spread,
)
from huggin.qa.questions import read_records  # noqa: E402

SHAPES = {
    "MiniLM": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "BERT-base": {},  # the defaults of BertConfig
}
OURS = "ours"
GROUPED = {"train_sampling_strategy": "group_by_length"}
MORE: dict[str, dict[str, Any]] = {
    "ours in random order": {"train_sampling_strategy": "random"},
    "ours in bf16": {**GROUPED, "bf16": True},
}
RIVALS = {"the example": "example", "a plain loop": "plain"}
MOST = {"the example": 0.55, "a plain loop": 0.70}  # targets of our time by theirs


def main(argv: Sequence[str] | None = None) -> int:
    """Print the rows of both shapes."""
    parser = parser_of(__doc__)
    parser.add_argument("questions", type=Path, help="questions with contexts as long as SQuAD's")
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help="(default: a new one)")
    more = "also ours in random order and in bf16; takes more memory"
    parser.add_argument("--more", action="store_true", help=more)
    parser.add_argument("--shape", choices=SHAPES, help="only this one (default: all)")
    args = parser.parse_args(argv)
    for shape in [args.shape] if args.shape else SHAPES:
        measure(shape, args)
    return 0


def measure(shape: str, args: Namespace) -> None:
    """Train all ways in turns, and print the rows of a shape."""
    batch, count, rounds = (4, 3, 1) if args.quick else (12, 6, 3)
    with tempfile.TemporaryDirectory() as name, ExitStack() as open_processes:
        folder = Path(name)
        asked = prepare(folder, shape, args)
        common = (folder, folder / "questions.json", batch, count)
        processes = {}
        for way, keys in ({OURS: GROUPED} | (MORE if args.more else {})).items():
            process = Asked(sys.executable, "toolkit.py", *common, json.dumps(keys))
            processes[way] = open_processes.enter_context(process)
        for rival, way in RIVALS.items():
            process = Asked(rivals_python(), "fine_tuning.py", way, *common)
            processes[rival] = open_processes.enter_context(process)
        ways = {
            name: partial(seconds, process, count, asked) for name, process in processes.items()
        }
        for process in processes.values():
            process.ask(batches=1)  # warm up
        print_rows(shape, alternate(ways, rounds, 1200))


def seconds(process: Asked, count: int, windows_of_a_question: float) -> float:
    """How long a process takes for 1,000 questions, from so many batches."""
    answer = process.ask(batches=count)
    return 1000 * windows_of_a_question * answer["seconds"] / answer["windows"]


def prepare(folder: Path, shape: str, args: Namespace) -> float:
    """Write config, tokenizer and questions into a folder; how many windows a question has."""
    records = list(read_records(args.questions))
    (folder / "questions.json").write_text(json.dumps(records), encoding="utf-8")
    texts = [text for record in records for text in (record["question"], record["context"])]
    tokenizer = tokenizer_for(args.tokenizer, texts)
    tokenizer.save_pretrained(folder)
    BertConfig(**SHAPES[shape], architectures=["BertForQuestionAnswering"]).save_pretrained(folder)
    windows = tokenizer(
        [record["question"] for record in records],
        [record["context"] for record in records],
        truncation="only_second",
        max_length=384,
        stride=128,
        return_overflowing_tokens=True,
    )
    return len(windows["input_ids"]) / len(records)


def tokenizer_for(folder: Path | None, texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of a folder, or a WordPiece that is trained on the texts."""
    if folder:
        return AutoTokenizer.from_pretrained(folder)
    trained = BertWordPieceTokenizer()
    trained.train_from_iterator(texts, vocab_size=30522, show_progress=False)
    special = {"pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "unk": "[UNK]", "mask": "[MASK]"}
    return PreTrainedTokenizerFast(
        tokenizer_object=trained._tokenizer,
        **{f"{name}_token": token for name, token in special.items()},
    )


def print_rows(shape: str, measured: dict[str, list[float]]) -> None:
    """Seconds for 1,000 questions of all ways, and our time by theirs."""
    for name, times in measured.items():
        row(f"{shape}: {name}, 1,000 questions", spread(times), "s")
    for rival in RIVALS:
        most = MOST[rival] if shape == "BERT-base" else None
        row(f"{shape}: ours by {rival}", ratios(measured, OURS, rival), most=most)
    for way in MORE.keys() & measured.keys():
        row(f"{shape}: {way} by ours", ratios(measured, way, OURS))
    last_line("training", ratios(measured, OURS, "the example"))


if __name__ == "__main__":
    sys.exit(main())

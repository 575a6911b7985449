"""Share of labels whose own text is the answer, for each language and kind of tokenizer.

    python bench/labels.py squad-xquad-en.json xquad-th.json xquad-zh.json

A tokenizer of each kind is trained on the texts of each file. So the table says what the kind of
tokenizer does to a script, and not which words one model's vocabulary lacks. A label's own text can
differ from the answer where the answer begins or ends inside a token.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from datasets import Dataset, disable_progress_bars  # noqa: E402
from tokenizers import (  # noqa: E402
    Tokenizer,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast  # noqa: E402

from bench.measure import parser_of  # noqa: E402
from huggin.qa.arguments import DataArguments  # noqa: E402
from huggin.qa.features import check_labels, training_features  # noqa: E402
from huggin.qa.questions import load_questions  # noqa: E402

VOCABULARY = 8000
QUICK = 100  # questions of each file
SPECIAL = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "mask_token": "[MASK]",
}
WORDS = list(SPECIAL.values())


@dataclass(frozen=True)
class Labels:
    """The labels of one file with one tokenizer."""

    answers: int
    not_exact: int
    first: str  # the first that is not exact, in words

    @property
    def share(self) -> float:
        """Labels whose own text is the answer, in percent."""
        return 100 * (1 - self.not_exact / self.answers)


def wordpiece(texts: Iterable[str], lowercase: bool) -> Tokenizer:
    """As BERT's: cased, or uncased, which also drops accents and other combining marks."""
    backend = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(
        vocab_size=VOCABULARY, special_tokens=WORDS, show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def byte_level_bpe(texts: Iterable[str]) -> Tokenizer:
    """As RoBERTa's and GPT-2's: a character can become several tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=WORDS,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(texts, trainer)
    return backend


def unigram(texts: Iterable[str]) -> Tokenizer:
    """As XLM-RoBERTa's: words with the blank before them, after NFKC."""
    backend = Tokenizer(models.Unigram())
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=VOCABULARY, special_tokens=WORDS, unk_token="[UNK]", show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    return backend


KINDS: dict[str, Callable[[list[str]], Tokenizer]] = {
    "WordPiece, cased": lambda texts: wordpiece(texts, lowercase=False),
    "WordPiece, uncased": lambda texts: wordpiece(texts, lowercase=True),
    "byte-level BPE": byte_level_bpe,
    "unigram": unigram,
}


def train_tokenizer(kind: str, texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of one of KINDS, with [CLS] question [SEP] context [SEP] around its tokens."""
    backend = KINDS[kind](texts)
    cls, sep = ((word, backend.token_to_id(word)) for word in ("[CLS]", "[SEP]"))
    if kind == "byte-level BPE":
        backend.post_processor = processors.RobertaProcessing(sep, cls, add_prefix_space=False)
    else:
        backend.post_processor = processors.BertProcessing(sep, cls)
    names = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names, **SPECIAL)


def texts_of(records: Dataset) -> list[str]:
    """Each context and question, once."""
    return list(dict.fromkeys([*records["context"], *records["question"]]))


def labels_of(records: Dataset, tokenizer: PreTrainedTokenizerFast, data: DataArguments) -> Labels:
    """Make training features and check their labels."""
    check = check_labels(records, training_features(records, tokenizer, data))
    return Labels(check.answers, check.not_exact, check.first)


def rows(file: Path, questions: int | None) -> Iterator[tuple[str, Labels]]:
    """(kind of tokenizer, labels) for each kind."""
    data = DataArguments(train_file=str(file), max_train_samples=questions)
    records = load_questions(data, "train")
    texts = texts_of(records)
    for kind in KINDS:
        yield kind, labels_of(records, train_tokenizer(kind, texts), data)


def main() -> None:
    """Print the table, in Markdown."""
    parser = parser_of(__doc__)
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="questions")
    args = parser.parse_args()
    disable_progress_bars()
    print(f"| file | {' | '.join(KINDS)} |")
    print(f"|---|{'---|' * len(KINDS)}")
    first = []
    for file in args.files:
        found = dict(rows(file, QUICK if args.quick else None))
        shares = " | ".join(f"{labels.share:.1f} %" for labels in found.values())
        print(f"| {file.name}, {next(iter(found.values())).answers} answers | {shares} |")
        first += [f"{file.name}, {kind}: {one.first}" for kind, one in found.items() if one.first]
    print("\nThe first label that is not the answer:\n")
    print("\n".join(f"- {line}" for line in first))


if __name__ == "__main__":
    main()

"""Questions and contexts -> features.

A feature is a question and one window of its context as tokens: `[CLS] question [SEP] window
[SEP]`, as in Hugging Face's question-answering example. Windows overlap by `doc_stride`. In a
window that does not hold the whole answer, the answer is [CLS].
"""

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedTokenizerFast

from huggin.common.errors import UserError
from huggin.common.text import first_few, short
from huggin.common.window import Window
from huggin.qa.answers import normalised_text
from huggin.qa.arguments import DataArguments
from huggin.qa.labels import (
    Offsets,
    answer_characters,
    answer_spans,
    plain_question,
    read_span,
)

if TYPE_CHECKING:  # importing it takes most of a second, which `huggin ask` need not wait
    from datasets import Dataset

CONTEXT = 1  # the number of the context in a pair of question and context
WORD = 3  # characters of the shortest words that are looked at
PIECE = 2  # characters that the pieces of a known word have on average, at least
LOOKED_AT = 200  # records whose words are looked at
MANY_UNKNOWN = 0.2  # share of unknown words from which on it is said
LABELS = ("start_positions", "end_positions", "label_exact", "label_text")


def training_features(
    records: "Dataset",
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
    without: Collection[str] = ("offset_mapping",),
) -> "Dataset":
    """The windows of records as `labelled_windows` has them, without some of the columns.

    `record` is the index in `records`. Raises UserError for a question that is too long.
    """
    refuse_long_questions(records, tokenizer, data)

    def label(batch: dict[str, list[Any]], indices: list[int]) -> dict[str, list[Any]]:
        columns = labelled_windows(batch, tokenizer, data)
        columns["record"] = [indices[record] for record in columns["record"]]
        return {name: column for name, column in columns.items() if name not in without}

    return records.map(
        label,
        batched=True,
        with_indices=True,
        remove_columns=records.column_names,
        desc="features",
    )


def evaluation_features(
    records: "Dataset", tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> "Dataset":
    """As `training_features`, with all columns."""
    return training_features(records, tokenizer, data, without=())


def labelled_windows(
    batch: Mapping[str, list[Any]], tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> dict[str, list[Any]]:
    """`windows` of a batch of records, with their labels, a list per column.

    More columns: `window`, 0 for the first of its context; `start_positions` and `end_positions`,
    the first and the last token of the answer; `label_exact` and `label_text`, see `label_says`.
    """
    columns = windows(batch["question"], batch["context"], tokenizer, data)
    columns |= {name: [] for name in (*LABELS, "window")}
    for record, group in groupby(range(len(columns["record"])), key=columns["record"].__getitem__):
        rows = list(group)
        answers = batch["answers"][record]
        places = [columns["offset_mapping"][row] for row in rows]
        spans = answer_spans(places, answer_characters(answers), data.doc_stride)
        says = label_says(batch["context"][record], places, spans, answers)
        for window, (row, span) in enumerate(zip(rows, spans, strict=True)):
            cls = _cls(columns["input_ids"][row], tokenizer)
            for name, value in zip(LABELS, (*(span or (cls, cls)), *says), strict=True):
                columns[name].append(value)
            columns["window"].append(window)
    return columns


def label_says(
    context: str,
    windows: Sequence[Offsets],
    spans: Sequence[tuple[int, int] | None],
    answers: dict[str, list[Any]],
) -> tuple[bool, str]:
    """Whether the label of a record says its answer, as SQuAD compares texts, and what it says.

    windows, spans: as for `answer_spans`. The text is "" if the answer has no token at all. Where
    there is no answer, or no window holds it, there is nothing to compare: (True, "").
    """
    characters = answer_characters(answers)
    if characters is None:
        return True, ""
    answer = context[slice(*characters)]
    for window, span in enumerate(spans):
        if span:
            text = context[slice(*read_span(context, windows, window, span))]
            return text == answer or normalised_text(text) == normalised_text(answer), text
    first, last = characters
    places = (place for offsets in windows for place in offsets if place)
    return any(place[0] < last and place[1] > first for place in places), ""


@dataclass(frozen=True)
class LabelCheck:
    """How well the labels of training features say what the answers are."""

    answers: int
    not_exact: int  # labels whose own text is not the answer
    too_long: int  # answers that no window holds, so that they are trained as no answer
    first: str  # the first label that is not exact, in words; "" if there is none

    def in_words(self) -> list[str]:
        """A line for each way in which labels do not say what the answers are."""
        lines = []
        if self.too_long:
            lost = f"{self.too_long} of {self.answers} answers are longer than any window"
            advice = "raise max_seq_length or doc_stride"
            lines.append(f"{lost}; these questions are trained as unanswerable; {advice}")
        if self.not_exact:
            wrong = f"{self.not_exact} of {self.answers} labels are not exactly the answer"
            lines.append(f"{wrong}; the first: {self.first}; see docs/data-and-models.md, Labels")
        return lines


def check_labels(records: "Dataset", features: "Dataset") -> LabelCheck:
    """Sum up the labels of `training_features`."""
    labels = zip(*(features[name][:] for name in ("record", *LABELS)), strict=True)
    labelled = set()
    says = {}
    for record, _, end, exact, text in labels:
        if end > 0:
            labelled.add(record)
        if not exact:
            says[record] = text
    answered = {at for at, answers in enumerate(records["answers"][:]) if answers["text"]}
    return LabelCheck(
        answers=len(answered),
        not_exact=len(says),
        too_long=len(answered - labelled - says.keys()),
        first=_first_in_words(records, says),
    )


def _first_in_words(records: "Dataset", says: dict[int, str]) -> str:
    """The first record of `says`, what its label says, and its answer."""
    if not says:
        return ""
    index = min(says)
    record = records[index]
    text = f"label {short(says[index])!r}" if says[index] else "no token"
    answer = short(record["answers"]["text"][0])
    return f"record {index + 1} (id {record['id']!r}): {text}, answer {answer!r}"


def windows(
    questions: list[str],
    contexts: list[str],
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
) -> dict[str, list[Any]]:
    """All windows of the contexts, a list per column.

    Columns: what the model takes; `record`, the index of the question; `offset_mapping`, each
    token's characters in the context, None outside of it.
    """
    encoded = tokenize(questions, contexts, tokenizer, data)
    inputs = {name: encoded[name] for name in tokenizer.model_input_names}
    offsets = [context_offsets(encoded, window) for window in range(len(encoded["input_ids"]))]
    return {**inputs, "record": encoded["overflow_to_sample_mapping"], "offset_mapping": offsets}


def tokenize(
    questions: list[str],
    contexts: list[str],
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
) -> Any:
    """Windows of at most `max_seq_length` tokens, unpadded, as a BatchEncoding with offsets.

    The question comes first and the windows follow each other from the context's beginning,
    whatever sides the tokenizer itself pads and truncates on.
    """
    with _truncating_right(tokenizer):
        return tokenizer(
            [plain_question(question) for question in questions],
            contexts,
            truncation="only_second",
            max_length=data.max_seq_length,
            stride=data.doc_stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            padding=False,
        )


def unknown_words(
    tokenizer: PreTrainedTokenizerFast, texts: Iterable[str]
) -> tuple[int, list[str]]:
    """How many different words the texts have, and those that the tokenizer does not know.

    It cuts an unknown word into pieces of less than PIECE characters, or has no token for it.
    """
    words: dict[str, bool] = {}
    for text in texts:
        encoded = tokenizer(text, add_special_tokens=False, verbose=False)
        tokens_of = Counter(number for number in encoded.word_ids() if number is not None)
        for number, tokens in tokens_of.items():
            word = text[slice(*encoded.word_to_chars(number))].strip()
            if len(word) >= WORD and any(map(str.isalpha, word)):
                first = encoded["input_ids"][encoded.word_to_tokens(number).start]
                words[word] = tokens * PIECE > len(word) or first == tokenizer.unk_token_id
    return len(words), [word for word, is_unknown in words.items() if is_unknown]


def doubts(
    records: "Dataset", features: "Dataset", tokenizer: PreTrainedTokenizerFast
) -> list[str]:
    """What is to be said of training data before it is trained on, a line each.

    Labels that do not say what the answers are, and many words that the tokenizer does not know.
    """
    lines = check_labels(records, features).in_words()
    first = records[:LOOKED_AT]
    texts = dict.fromkeys([*first["question"], *first["context"]])
    total, unknown = unknown_words(tokenizer, texts)
    if len(unknown) > MANY_UNKNOWN * total:
        what = f"{len(unknown)} of {total} different words are unknown to the tokenizer"
        advice = "it reads them letter by letter; a pretrained model knows more words"
        lines.append(f"{what} ({first_few(unknown)}); {advice}")
    return lines


def padded(tokenizer: PreTrainedTokenizerFast, features: Any) -> Any:
    """Features as a batch of tensors (features, tokens).

    features: a list of mappings, or a mapping of lists. The padding is on the right, whatever side
    the tokenizer itself pads on, because labels and offsets count from the first token.
    """
    return tokenizer.pad(features, padding_side="right", return_tensors="pt")


@contextmanager
def _truncating_right(tokenizer: PreTrainedTokenizerFast) -> Iterator[None]:
    side = tokenizer.truncation_side
    tokenizer.truncation_side = "right"
    try:
        yield
    finally:
        tokenizer.truncation_side = side


def refuse_long_questions(
    records: "Dataset", tokenizer: PreTrainedTokenizerFast, data: DataArguments
) -> None:
    """Raise UserError for the first question that leaves no room for new context in a window."""
    room = room_for_question(tokenizer, data)
    for start in range(0, len(records), 1000):
        batch = records[start : start + 1000]
        questions = [plain_question(question) for question in batch["question"]]
        encoded = tokenizer(questions, add_special_tokens=False)
        for row, ids in enumerate(encoded["input_ids"]):
            if len(ids) > room:
                where = f"record {start + row + 1} (id {batch['id'][row]!r})"
                advice = "raise max_seq_length or lower doc_stride"
                raise UserError(f"{where}: a question of {len(ids)} tokens; {advice}")


def room_for_question(tokenizer: PreTrainedTokenizerFast, data: DataArguments) -> int:
    """How many tokens of a question leave room for new context in a window."""
    special = tokenizer.num_special_tokens_to_add(pair=True)
    return data.max_seq_length - data.doc_stride - special - 1


def context_offsets(encoded: Any, window: int) -> list[tuple[int, int] | None]:
    """Each token's characters in the context; None for the question and the special tokens."""
    places = encoded["offset_mapping"][window]
    parts = encoded.sequence_ids(window)
    return [place if part == CONTEXT else None for place, part in zip(places, parts)]


def _cls(ids: list[int], tokenizer: PreTrainedTokenizerFast) -> int:
    """The place of [CLS] in a window; 0 if the tokenizer has none."""
    return ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0


def track_samples(
    records: "Dataset",
    count: int,
    seed: int,
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
) -> list[Window]:
    """The first record and `count - 1` others that `seed` draws, a window of each."""
    count = min(count, len(records))
    others = random.Random(seed).sample(range(1, len(records)), count - 1)
    return [track_sample(records[index], index, tokenizer, data) for index in (0, *sorted(others))]


def track_sample(
    record: dict[str, Any],
    index: int,
    tokenizer: PreTrainedTokenizerFast,
    data: DataArguments,
    window: int | None = None,
) -> Window:
    """A window of a record: the given one, else the first with the answer, else the first."""
    encoded = tokenize([record["question"]], [record["context"]], tokenizer, data)
    places = [context_offsets(encoded, at) for at in range(len(encoded["input_ids"]))]
    spans = answer_spans(places, answer_characters(record["answers"]), data.doc_stride)
    if window is None:
        window = next((at for at, span in enumerate(spans) if span), 0)
    cls = _cls(encoded["input_ids"][window], tokenizer)
    start, end = spans[window] or (cls, cls)
    names = {None: "special", 0: "question", CONTEXT: "context"}
    return Window(
        index=index,
        question=record["question"],
        context=record["context"],
        answer=next(iter(record["answers"]["text"]), ""),
        inputs={name: encoded[name][window] for name in tokenizer.model_input_names},
        tokens=tokenizer.convert_ids_to_tokens(encoded["input_ids"][window]),
        parts=[names[part] for part in encoded.sequence_ids(window)],
        offsets=encoded["offset_mapping"][window],
        gold_start=start,
        gold_end=end,
    )

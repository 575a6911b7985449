"""How each question did in the batches of a training -> by kind and by pass.

The numbers come from train mode, before the step of their batch: dropout is on, and the model has
not yet learned from that batch. Each window of a question counts. In a window without the answer
the right answer is [CLS].
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from huggin.common.errors import UserError
from huggin.common.statistics import half_interval, wilson_interval
from huggin.recording.reader import Recording, TrainedWindows

STRETCHES = 24  # points of a running figure at most
QUARTERS = 4  # stretches of a table
IN_A_ROW = 50  # windows of a kind, of which half must be right for it to count as learned
LEAST = 25  # windows of a kind in a stretch, on average; with fewer the stretches are longer
KINDS = ("who", "when", "where", "how many", "why", "what", "which", "how", "other")
WORDS = {  # the first of these words in a question says its kind
    "who": "who|whom|whose",
    "when": "when",
    "where": "where",
    "how many": "how (?:many|much)",
    "why": "why",
    "what": "what",
    "which": "which",
    "how": "how",
}
PATTERN = re.compile("|".join(rf"\b({words})\b" for words in WORDS.values()), re.IGNORECASE)
LENGTHS = ("1 word", "2 words", "3 or 4 words", "5 to 8 words", "over 8 words", "no answer")
PLACES = ("first quarter", "second quarter", "third quarter", "last quarter", "no answer")
MOST_OWN = 8  # own kinds that are drawn; the rest is one more


@dataclass(frozen=True)
class QuestionTexts:
    """The questions of the data, in its order."""

    question: list[str]
    answer: list[str]  # "" if it has none
    place: np.ndarray  # (questions,) where the answer begins, in parts of its context; NaN if none
    own: list[str] = field(default_factory=list)  # values of a column that the user chose


def texts_of(recording: Recording, records: Sequence[Mapping[str, Any]]) -> QuestionTexts:
    """The texts of SQuAD's records, as they were when the run was trained.

    records: question, context, answers, and maybe `own`. Raises UserError if they are not those
    that the recording knows.
    """
    last = int(recording.questions.index.max())
    samples = recording.facts.trained_samples
    changed = last >= len(records) or any(
        records[sample.index]["question"] != sample.question
        for sample in samples
        if sample.index < len(records)
    )
    if changed:
        raise UserError(
            f"{recording.facts.data_name} has changed since {recording.run.path} was trained"
        )
    return QuestionTexts(
        question=[record["question"] for record in records],
        answer=[_first(record["answers"]["text"], "") for record in records],
        place=np.array([_place(record) for record in records]),
        own=[str(record.get("own", "")) for record in records],
    )


def _first(values: Sequence[Any], otherwise: Any) -> Any:
    return values[0] if len(values) else otherwise


def _place(record: Mapping[str, Any]) -> float:
    return _first(record["answers"]["answer_start"], np.nan) / max(1, len(record["context"]))


@dataclass(frozen=True)
class Grouping:
    """Each question's kind."""

    key: str  # for the name of a file
    title: str
    names: list[str]
    kind: np.ndarray  # (questions,) place in `names`


@dataclass(frozen=True)
class Running:
    """Loss and share of right answers in stretches of the training; kinds are the second axis."""

    edges: np.ndarray  # (stretches + 1,) in steps
    windows: np.ndarray  # (stretches, kinds) how many were trained on
    loss: np.ndarray  # (stretches, kinds) mean of start and end, in nats; NaN without windows
    loss_error: np.ndarray  # (stretches, kinds) half of its 95 % interval; NaN for one window
    right: np.ndarray  # (stretches, kinds) share in percent
    right_interval: np.ndarray  # (stretches, kinds, 2) 95 % interval of it (Wilson), in percent


def kind_of(question: str) -> str:
    """The kind of an English question, by its first question word: `In what year ...` is what."""
    match = PATTERN.search(question)
    return KINDS[match.lastindex - 1] if match and match.lastindex else "other"


def by_question_word(texts: QuestionTexts) -> Grouping:
    """Who, when, where, and so on."""
    kinds = [KINDS.index(kind_of(text)) for text in texts.question]
    return Grouping("kind", "by question word", list(KINDS), np.array(kinds))


def by_length(texts: QuestionTexts) -> Grouping:
    """By the number of words in the answer."""
    counts = np.array([len(text.split()) for text in texts.answer])
    kinds = np.digitize(counts, [2, 3, 5, 9])
    return Grouping("length", "by length of the answer", list(LENGTHS), np.where(counts, kinds, 5))


def by_place(texts: QuestionTexts) -> Grouping:
    """By where in the whole context, not in the window, the answer begins."""
    kinds = np.digitize(np.nan_to_num(texts.place), [0.25, 0.5, 0.75])
    known = np.isfinite(texts.place)
    title = "by the answer's place in its context"
    return Grouping("place", title, list(PLACES), np.where(known, kinds, 4))


def by_own_kind(texts: QuestionTexts, column: str) -> Grouping:
    """By a column of the data: its most frequent values, the rest as one."""
    values, counts = np.unique(np.array(texts.own, dtype=str), return_counts=True)
    frequent = values[np.argsort(-counts, kind="stable")][:MOST_OWN].tolist()
    names = [*frequent, "all others"] if len(values) > len(frequent) else frequent
    places = {name: place for place, name in enumerate(frequent)}
    kinds = [places.get(value, len(frequent)) for value in texts.own]
    return Grouping("own", f"by {column}", names, np.array(kinds))


def all_in_one(found: TrainedWindows) -> Grouping:
    """No kinds, for data whose texts are not known."""
    return Grouping("all", "all questions", ["all"], np.zeros(int(found.index.max()) + 1, int))


def losses(found: TrainedWindows) -> np.ndarray:
    """The loss of each window, (windows,): the mean of start and end."""
    return (found.start_loss + found.end_loss).astype(float) / 2


def running(found: TrainedWindows, grouping: Grouping, most: int = STRETCHES) -> Running:
    """Loss and share of right answers by kind, in equally long stretches of the training.

    most: how many stretches at most; fewer if some would have too few windows.
    Losses that are not finite are left out of the means.
    """
    kinds = len(grouping.names)
    kind = grouping.kind[found.index]
    edges = _edges(found.step, kinds, most)
    stretch = np.searchsorted(edges, found.step) - 1
    cell = stretch * kinds + kind
    shape = (len(edges) - 1, kinds)
    loss = losses(found)
    known = np.isfinite(loss)
    count = _sums(cell[known], shape)
    mean = _divided(_sums(cell[known], shape, loss[known]), count)
    square = _divided(_sums(cell[known], shape, loss[known] ** 2), count)
    windows = _sums(cell, shape)
    correct = _sums(cell, shape, found.right)
    variance = _divided(np.maximum(square - mean**2, 0) * count, count - 1)
    return Running(
        edges=edges,
        windows=windows.astype(int),
        loss=mean,
        loss_error=half_interval(np.sqrt(_divided(variance, count)), count),
        right=100 * _divided(correct, windows),
        right_interval=_intervals(correct, windows),
    )


def _edges(step: np.ndarray, kinds: int, most: int) -> np.ndarray:
    """Where stretches begin and end, in steps, so that each has windows enough for `kinds`."""
    first = int(step.min())
    last = int(step.max())
    count = min(most, last - first + 1, len(step) // (LEAST * kinds))
    return np.linspace(first - 0.5, last + 0.5, max(1, count) + 1)


def _sums(
    cell: np.ndarray, shape: tuple[int, int], weights: np.ndarray | None = None
) -> np.ndarray:
    return np.bincount(cell, weights, minlength=shape[0] * shape[1]).reshape(shape).astype(float)


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _intervals(correct: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Wilson's interval of each cell in percent, (stretches, kinds, 2); NaN for an empty one."""
    pairs = zip(correct.flat, asked.flat, strict=True)
    found = [wilson_interval(right, of) if of else (np.nan, np.nan) for right, of in pairs]
    return np.array(found).reshape(*correct.shape, 2)


def half_right(found: TrainedWindows, grouping: Grouping) -> list[int | None]:
    """For each kind the first step at which half of its last IN_A_ROW windows were right.

    None if that never happened. A few windows alone would be right by chance.
    """
    kind = grouping.kind[found.index]
    of_kinds = [kind == number for number in range(len(grouping.names))]
    return [_half_of(found.right[mine], found.step[mine]) for mine in of_kinds]


def _half_of(right: np.ndarray, step: np.ndarray) -> int | None:
    if len(right) < IN_A_ROW:
        return None
    counts = np.convolve(right.astype(int), np.ones(IN_A_ROW, int), mode="valid")
    ends = np.flatnonzero(2 * counts >= IN_A_ROW) + IN_A_ROW - 1
    return int(step[ends[0]]) if len(ends) else None


def learned_in_words(found: TrainedWindows, grouping: Grouping) -> str:
    """When half of each kind's last windows were right for the first time, the earliest first."""
    seen = np.bincount(grouping.kind[found.index], minlength=len(grouping.names)) > 0
    half_at = half_right(found, grouping)
    pairs = [pair for pair, there in zip(zip(half_at, grouping.names), seen, strict=True) if there]
    steps = [f"{at} ({name})" for at, name in sorted((at, name) for at, name in pairs if at)]
    never = [name for at, name in pairs if not at]
    first = f"half of {IN_A_ROW} in a row right, first at step: {', '.join(steps)}" if steps else ""
    last = f"never half of {IN_A_ROW}: {', '.join(never)}" if never else ""
    return f"{grouping.title}: " + "; ".join(filter(None, (first, last)))


def by_window(found: TrainedWindows) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rows in the order of their windows, each window's rows by step.

    The second array says which rows, in this order, are the first of their window.
    """
    order = np.lexsort((found.step, found.window, found.index))
    index = found.index[order]
    window = found.window[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (index[1:] != index[:-1]) | (window[1:] != window[:-1])
    return order, is_first


def pass_of(found: TrainedWindows) -> np.ndarray:
    """How often each window had been seen before, (windows,): 0 = in the first pass.

    A pass is an epoch, unless some windows were left out of one.
    """
    order, is_first = by_window(found)
    places = np.arange(len(order))
    begins = np.maximum.accumulate(np.where(is_first, places, 0))
    passes = np.empty(len(order), int)
    passes[order] = places - begins
    return passes


@dataclass(frozen=True)
class Passes:
    """What became of the windows from each pass to the next, first axis = passes but the first.

    Source: learning and forgetting events, Toneva et al. 2019, https://arxiv.org/abs/1812.05159
    """

    learned: np.ndarray  # (passes - 1,) wrong before, right now
    forgotten: np.ndarray  # (passes - 1,) right before, wrong now
    stayed_right: np.ndarray  # (passes - 1,)
    stayed_wrong: np.ndarray  # (passes - 1,)


def between_passes(found: TrainedWindows) -> Passes:
    """Learned and forgotten from pass to pass; empty if every window was seen once."""
    passes = pass_of(found)
    order, _ = by_window(found)
    later = np.flatnonzero(passes[order][1:] > 0) + 1
    before = found.right[order][later - 1]
    now = found.right[order][later]
    number = passes[order][later] - 1
    count = int(passes.max(initial=0))

    def tally(which: np.ndarray) -> np.ndarray:
        return np.bincount(number[which], minlength=count)

    return Passes(
        tally(~before & now), tally(before & ~now), tally(before & now), tally(~before & ~now)
    )


def table_of_kinds(found: TrainedWindows, grouping: Grouping) -> str:
    """A row per kind: windows, share of right answers early and late, when half were right.

    In brackets: 95 % intervals (Wilson). The step is that of `half_right`: half of the last 50.
    """
    seen = running(found, grouping, most=QUARTERS)
    half_at = half_right(found, grouping)
    width = max(len(name) for name in [*grouping.names, grouping.title])
    count = len(seen.edges) - 1
    first = "all steps" if count == 1 else f"first 1/{count} of the steps"
    last = "" if count == 1 else f"  {f'last 1/{count} of the steps':>22}"
    lines = [f"{grouping.title:{width}}  windows  right: {first:>22}{last}  half of {IN_A_ROW}"]
    for kind, (name, half) in enumerate(zip(grouping.names, half_at, strict=True)):
        total = int(seen.windows[:, kind].sum())
        if not total:
            continue
        at = "-" if half is None else f"step {half}"
        begin, end = (_share(seen, place, kind) for place in (0, -1))
        late = f"  {end:>22}" if count > 1 else ""
        lines.append(f"{name:{width}}  {total:7d}  {begin:>29}{late}  {at:>10}")
    return "\n".join(lines)


def _share(seen: Running, place: int, kind: int) -> str:
    low, high = seen.right_interval[place, kind]
    if np.isnan(low):
        return "-"
    return f"{seen.right[place, kind]:.0f} % ({low:.0f} to {high:.0f})"


def passes_in_words(passes: Passes) -> str:
    """How many windows were learned and forgotten from the first pass to the last."""
    count = len(passes.learned)
    if not count:
        return "every window was seen once, so nothing can be learned or forgotten between passes"
    learned = int(passes.learned.sum())
    forgotten = int(passes.forgotten.sum())
    times = f"over {count + 1} passes"
    return f"{times}: {learned} times a window was learned, {forgotten} times one was forgotten"


def groupings(texts: QuestionTexts, column: str | None = None) -> list[Grouping]:
    """The usual kinds, or those of a column of the data."""
    if column is not None:
        return [by_own_kind(texts, column)]
    return [by_question_word(texts), by_length(texts), by_place(texts)]


def same_kinds(groupings_of_runs: Sequence[Sequence[Grouping]]) -> list[tuple[Grouping, ...]]:
    """The groupings of several runs, each with those of the others beside it.

    Raises UserError if the kinds of two runs have different names.
    """
    beside = list(zip(*groupings_of_runs, strict=True))
    for group in beside:
        if any(grouping.names != group[0].names for grouping in group):
            raise UserError(f"{group[0].title}: the runs have different kinds; draw each alone")
    return beside

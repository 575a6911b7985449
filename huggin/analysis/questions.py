"""How each question did in the batches of a training -> by kind, by pass, and one by one.

The numbers come from train mode, before the step of their batch: dropout is on, and the model has
not yet learned from that batch. Each window of a question counts. In a window without the answer
the right answer is [CLS].
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from huggin.common.errors import UserError
from huggin.common.statistics import half_interval, wilson_interval
from huggin.common.text import in_columns, short
from huggin.recording.reader import TrainedWindows

STRETCHES = 24  # points of a running figure at most
QUARTERS = 4  # stretches of a table
ENDS = ("first", "last")  # of them, in the table
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
HARDEST = 20  # questions that are told
NEVER = -1

Record = Mapping[str, Any]  # question, context, answers as in SQuAD, and maybe `own`


def answer_of(record: Record) -> str:
    """The first given answer; "" if there is none."""
    return next(iter(record["answers"]["text"]), "")


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

    @property
    def middles(self) -> np.ndarray:
        """The middle of each stretch, in steps."""
        return (self.edges[1:] + self.edges[:-1]) / 2


def kind_of(question: str) -> str:
    """The kind of an English question, by its first question word: `In what year ...` is what."""
    match = PATTERN.search(question)
    return KINDS[match.lastindex - 1] if match and match.lastindex else "other"


def by_length(records: Sequence[Record]) -> Grouping:
    """By the number of words in the answer."""
    counts = np.array([len(answer_of(record).split()) for record in records])
    kinds = np.digitize(counts, [2, 3, 5, 9])
    return Grouping("length", "by length of the answer", list(LENGTHS), np.where(counts, kinds, 5))


def by_place(records: Sequence[Record]) -> Grouping:
    """By where in the whole context, not in the window, the answer begins."""
    sizes = [max(1, len(record["context"])) for record in records]
    starts = [next(iter(record["answers"]["answer_start"]), np.nan) for record in records]
    places = np.array(starts, float) / sizes
    kinds = np.digitize(np.nan_to_num(places), [0.25, 0.5, 0.75])
    title = "by the answer's place in its context"
    return Grouping("place", title, list(PLACES), np.where(np.isfinite(places), kinds, 4))


def by_own_kind(records: Sequence[Record], column: str) -> Grouping:
    """By a column of the data: its most frequent values, the rest as one."""
    own = [str(record["own"]) for record in records]
    values, counts = np.unique(np.array(own, dtype=str), return_counts=True)
    frequent = values[np.argsort(-counts, kind="stable")][:MOST_OWN].tolist()
    names = [*frequent, "all others"] if len(values) > len(frequent) else frequent
    places = {name: place for place, name in enumerate(frequent)}
    kinds = [places.get(value, len(frequent)) for value in own]
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
    first, last = int(found.step.min()), int(found.step.max())
    count = min(most, last - first + 1, len(found.step) // (LEAST * len(grouping.names)))
    edges = np.linspace(first - 0.5, last + 0.5, max(1, count) + 1)
    shape = (len(edges) - 1, len(grouping.names))
    stretch = np.searchsorted(edges, found.step) - 1
    size = shape[0] * shape[1]
    cell = np.ravel_multi_index((stretch, grouping.kind[found.index]), shape)
    loss = losses(found)
    known = np.isfinite(loss)

    def total(rows: Any = slice(None), weights: np.ndarray | None = None) -> np.ndarray:
        return np.bincount(cell[rows], weights, size).reshape(shape).astype(float)

    finite = total(known)
    mean = _divided(total(known, loss[known]), finite)
    square = _divided(total(known, loss[known] ** 2), finite)
    variance = _divided(np.maximum(square - mean**2, 0) * finite, finite - 1)
    windows = total()
    correct = total(weights=found.right)
    pairs = zip(correct.flat, windows.flat, strict=True)
    intervals = [wilson_interval(right, of) if of else (np.nan, np.nan) for right, of in pairs]
    return Running(
        edges=edges,
        windows=windows.astype(int),
        loss=mean,
        loss_error=half_interval(np.sqrt(_divided(variance, finite)), finite),
        right=100 * _divided(correct, windows),
        right_interval=np.array(intervals).reshape(*shape, 2),
    )


def _divided(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def half_right(found: TrainedWindows, grouping: Grouping) -> list[int | None]:
    """For each kind the first step at which half of its last IN_A_ROW windows were right.

    None if that never happened. A few windows alone would be right by chance.
    """
    steps: list[int | None] = []
    for kind in range(len(grouping.names)):
        mine = np.flatnonzero(grouping.kind[found.index] == kind)
        counts = np.cumsum(np.append(0, found.right[mine]))
        enough = np.flatnonzero(2 * (counts[IN_A_ROW:] - counts[:-IN_A_ROW]) >= IN_A_ROW)
        steps.append(int(found.step[mine[enough[0] + IN_A_ROW - 1]]) if len(enough) else None)
    return steps


def learned_in_words(found: TrainedWindows, grouping: Grouping) -> str:
    """When half of each kind's last windows were right for the first time, the earliest first."""
    seen = np.bincount(grouping.kind[found.index], minlength=len(grouping.names))
    half_at = half_right(found, grouping)
    pairs = [pair for pair, count in zip(zip(half_at, grouping.names), seen) if count >= IN_A_ROW]
    few = [name for name, count in zip(grouping.names, seen) if 0 < count < IN_A_ROW]
    steps = [f"{at} ({name})" for at, name in sorted((at, name) for at, name in pairs if at)]
    never = [name for at, name in pairs if not at]
    first = f"half of {IN_A_ROW} in a row right, first at step: {', '.join(steps)}" if steps else ""
    last = f"never half of {IN_A_ROW}: {', '.join(never)}" if never else ""
    rest = f"fewer than {IN_A_ROW} windows, too few to say: {', '.join(few)}" if few else ""
    return f"{grouping.title}: " + "; ".join(filter(None, (first, last, rest)))


@dataclass(frozen=True)
class Visits:
    """What was trained on, window by window, each window's visits by step; first axis = visits."""

    index: np.ndarray  # (visits,) of the question in the data
    step: np.ndarray  # (visits,)
    loss: np.ndarray  # (visits,) mean of start and end, in nats
    right: np.ndarray  # (visits,) bool
    number: np.ndarray  # (visits,) how often the window had been seen before: its pass, from 0 on

    @property
    def was_right(self) -> np.ndarray:
        """Whether the visit of the same window before was right, (visits,) bool."""
        return np.append(False, self.right[:-1]) & (self.number > 0)

    @property
    def is_last(self) -> np.ndarray:
        """Which visits are the last ones of their windows, (visits,) bool."""
        return np.append(self.number[1:] == 0, True)


def visits_of(found: TrainedWindows) -> Visits:
    """The visits. A pass is an epoch, unless some windows were left out of one."""
    order = np.lexsort((found.step, found.window, found.index))
    index = found.index[order]
    is_first = np.append(True, (np.diff(index) != 0) | (np.diff(found.window[order]) != 0))
    places = np.arange(len(order))
    number = places - np.maximum.accumulate(np.where(is_first, places, 0))
    return Visits(index, found.step[order], losses(found)[order], found.right[order], number)


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
    visits = visits_of(found)
    again = visits.number > 0
    counts = np.zeros((2, 2, int(visits.number.max(initial=0))), int)  # right before, now, pass
    before = visits.was_right[again].astype(int)
    np.add.at(counts, (before, visits.right[again].astype(int), visits.number[again] - 1), 1)
    return Passes(counts[0, 1], counts[1, 0], counts[1, 1], counts[0, 0])


def table_of_kinds(found: TrainedWindows, grouping: Grouping) -> str:
    """A row per kind: windows, share of right answers early and late, when half were right.

    In brackets: 95 % intervals (Wilson). The step is that of `half_right`: half of the last 50.
    """
    seen = running(found, grouping, most=QUARTERS)
    count = len(seen.edges) - 1
    heads = ["all steps"] if count == 1 else [f"{end} 1/{count} of the steps" for end in ENDS]
    rows = [[grouping.title, "windows", f"right: {heads[0]}", *heads[1:], f"half of {IN_A_ROW}"]]
    for kind, half in enumerate(half_right(found, grouping)):
        total = int(seen.windows[:, kind].sum())
        if total:
            shares = [_share(seen, place, kind) for place in (0, -1)[: len(heads)]]
            at = "-" if half is None else f"step {half}"
            rows.append([grouping.names[kind], str(total), *shares, at])
    return "\n".join(in_columns(rows))


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
    return f"{times}: {learned:,} times a window was learned, {forgotten:,} times one was forgotten"


@dataclass(frozen=True)
class Histories:
    """How each question did in the batches of a training, in train mode; first axis = questions."""

    index: np.ndarray  # (questions,) in the data
    loss: np.ndarray  # (questions,) mean over its windows the last time that each was seen, nats
    right: np.ndarray  # (questions,) how often one of its windows was right
    seen: np.ndarray  # (questions,) how often one of them was seen
    forgotten: np.ndarray  # (questions,) how often one was wrong after it had been right
    since: np.ndarray  # (questions,) the step from which on all its windows are right; NEVER if not

    @property
    def orders(self) -> dict[str, np.ndarray]:
        """The places of the hardest questions, of those learned, and of those forgotten.

        hardest: all, the one with the highest loss the last time first. learned: those that were
        wrong, then right to the end; the earliest first. forgotten: at least once, the most often
        first.
        """
        learned = np.flatnonzero((self.since != NEVER) & (self.right < self.seen))
        forgotten = np.flatnonzero(self.forgotten)
        return {
            "hardest": np.argsort(-np.nan_to_num(self.loss, nan=np.inf), kind="stable"),
            "learned": learned[np.argsort(self.since[learned], kind="stable")],
            "forgotten": forgotten[np.argsort(-self.forgotten[forgotten], kind="stable")],
        }


def histories(found: TrainedWindows) -> Histories:
    """The history of each question that was trained on, by index."""
    visits = visits_of(found)
    index, row = np.unique(visits.index, return_inverse=True)
    last = visits.is_last
    begins = np.where(visits.right & ~visits.was_right, np.arange(len(row)), 0)
    streak = np.maximum.accumulate(begins)  # where the run of right visits began
    since = np.full(len(index), NEVER)
    np.maximum.at(since, row[last], visits.step[streak[last]])
    since[row[last & ~visits.right]] = NEVER
    return Histories(
        index=index,
        loss=np.bincount(row[last], visits.loss[last]) / np.bincount(row[last]),
        right=np.bincount(row, visits.right).astype(int),
        seen=np.bincount(row),
        forgotten=np.bincount(row, visits.was_right & ~visits.right).astype(int),
        since=since,
    )


def hardest(
    found: TrainedWindows, records: Sequence[Record] | None
) -> list[tuple[str, str, str, str, str]]:
    """Index, loss, how often right of how often seen, question, answer, the hardest first.

    Without records the last two are "".
    """
    known = histories(found)
    rows = []
    for at in known.orders["hardest"][:HARDEST]:
        record = records[known.index[at]] if records else None
        texts = (record["question"], answer_of(record) or "(none)") if record else ("", "")
        of_seen = f"{known.right[at]}/{known.seen[at]}"
        rows.append((str(known.index[at]), f"{known.loss[at]:#.3g}", of_seen, *texts))
    return rows


def table_of_hardest(found: TrainedWindows, records: Sequence[Record] | None) -> str:
    """The hardest questions as a table of text."""
    rows = [("question", "loss", "right/seen", "text")]
    for *numbers, question, answer in hardest(found, records):
        text = f"{short(question, 90)} -> {short(answer, 40)}" if records else ""
        rows.append((numbers[0], numbers[1], numbers[2], text))
    return "\n".join(in_columns(rows, left=(3,)))


def groupings(records: Sequence[Record], column: str | None = None) -> list[Grouping]:
    """The usual kinds, or those of a column of the data."""
    if column is not None:
        return [by_own_kind(records, column)]
    kinds = np.array([KINDS.index(kind_of(record["question"])) for record in records])
    by_word = Grouping("kind", "by question word", list(KINDS), kinds)
    return [by_word, by_length(records), by_place(records)]


def same_kinds(groupings_of_runs: Sequence[Sequence[Grouping]]) -> list[tuple[Grouping, ...]]:
    """The groupings of several runs, each with those of the others beside it.

    Raises UserError if the kinds of two runs have different names.
    """
    beside = list(zip(*groupings_of_runs, strict=True))
    for group in beside:
        if any(grouping.names != group[0].names for grouping in group):
            raise UserError(f"{group[0].title}: the runs have different kinds; draw each alone")
    return beside

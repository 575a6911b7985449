"""The parts of a model (embeddings, layers, head), measured in three ways, and told in words.

The norm of the gradient says which parts were moved hard. The ledger says what each part's change
did to the loss of a tracked question. Rewinding says what each part is worth in the trained model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from huggin.common.errors import BadValue, UserError
from huggin.common.statistics import half_interval, wilson_interval
from huggin.common.text import in_columns
from huggin.recording.reader import Credits, PartNorms, Recording
from huggin.recording.results import Answers, Rewound

TENTH = 10
MOST_COLUMNS = 400  # of a heat map; more could not be told apart
MOST_GAP = 0.02  # of the changes of the loss
FEW = 0.005  # nats: a loss that changed less than that has not changed
MORE_POINTS = "the parts are less exact than that; set ledger_points to 5 in the cfg"
DISAGREE = (
    "The two can disagree: a distance counts every weight that changed, also those that no answer "
    "depends on; rewinding counts only what the other parts have come to rely on."
)


def named(part: str) -> str:
    """`the head`, but `layer 3`."""
    return part if part.startswith("layer") else f"the {part}"


# The gradient's norms


def stretches_of(rows: int) -> list[np.ndarray]:
    """The rows of a heat map's columns: at most MOST_COLUMNS equally long stretches."""
    return np.array_split(np.arange(rows), min(rows, MOST_COLUMNS))


def log_norms(found: PartNorms) -> tuple[np.ndarray, np.ndarray]:
    """log10 of the norms' geometric means over stretches of the training.

    Returns the edges (stretches + 1,) in steps, and (stretches, parts); 0 and NaN are left out of
    the means, which are NaN if there is nothing else.
    """
    with np.errstate(divide="ignore"):
        logs = np.log10(found.norms.astype(float))
    stretches = stretches_of(len(found.step))
    edges = [found.step[stretch[0]] - 0.5 for stretch in stretches]
    means = np.array([mean_known(logs[stretch]) for stretch in stretches])
    return np.array([*edges, found.step[-1] + 0.5]), means


def mean_known(values: np.ndarray) -> np.ndarray:
    """The mean over the first axis without NaN; NaN if there is nothing else."""
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def frozen(found: PartNorms) -> np.ndarray:
    """Which parts have no gradient at any step where it is known, (parts,) bool."""
    known = np.isfinite(found.norms)
    return known.any(axis=0) & ~(known & (found.norms != 0)).any(axis=0)


def unknown_steps(found: PartNorms) -> int:
    """At how many steps the norms are not known."""
    return int(np.isnan(found.norms).any(axis=1).sum())


def chosen_parts(found: PartNorms, names: list[str] | None = None) -> list[int]:
    """The places of parts by name; without names the ends, and the first, middle and last layer.

    Raises UserError for a part that the model does not have.
    """
    if names:
        for name in names:
            if name not in found.parts:
                raise BadValue("part", name, f"choose from {', '.join(found.parts)}")
        return [found.parts.index(name) for name in dict.fromkeys(names)]
    layers = [at for at, name in enumerate(found.parts) if name.startswith("layer")]
    some = [layers[0], layers[len(layers) // 2], layers[-1]] if layers else []
    return sorted({0, *some, len(found.parts) - 1})


def table_of_norms(found: PartNorms) -> str:
    """A row per part: mean norm in the first and last tenth of the steps, and the part's share.

    The squares of the norms add up to the square of the whole gradient's norm.
    """
    few = max(1, len(found.step) // TENTH)
    squares = mean_known(np.square(found.norms.astype(float)))
    shares = squares / np.nansum(squares) if np.nansum(squares) > 0 else squares
    head = "gradient's norm: first tenth of the steps"
    rows = [("part", head, "last tenth", "share of the square")]
    means = (mean_known(found.norms[:few]), mean_known(found.norms[-few:]), shares)
    for name, still, first, last, share in zip(found.parts, frozen(found), *means, strict=True):
        numbers = ("frozen", "", "") if still else (f"{first:.4g}", f"{last:.4g}", f"{share:.1%}")
        rows.append((name, *numbers))
    return "\n".join(in_columns(rows))


# The ledger


@dataclass(frozen=True)
class Sums:
    """What each part did to a tracked sample's loss, in nats; a negative number lowered it."""

    parts: list[str]
    step: np.ndarray  # (rows,) of the probe at the end of each row
    credits: np.ndarray  # (rows, parts) between two probes
    modules: dict[tuple[str, str], float]  # the sum of each part and kind of module
    moved: float  # the share that goes to other parts with every second probe left out, or NaN
    change: float  # of the loss, from the first probe to the last one
    gap: float  # the sum of all |gaps| by the sum of all |changes|
    left_out: int  # rows that are not finite

    @property
    def lowered(self) -> np.ndarray:
        """The sum of each part's negative credits alone, (parts,)."""
        return np.minimum(self.credits, 0).sum(axis=0)

    @property
    def raised(self) -> np.ndarray:
        """The sum of each part's positive credits alone, (parts,)."""
        return np.maximum(self.credits, 0).sum(axis=0)

    @property
    def net(self) -> np.ndarray:
        """The sum of each part, (parts,)."""
        return self.lowered + self.raised


def sums_until(recording: Recording, step: int) -> Sums | None:
    """The ledger of the first tracked sample up to a step; None if there is none."""
    if not recording.has("ledger") or recording.ledger().step[0] > step:
        return None
    return sums_of(recording.ledger(), step)


def sums_of(found: Credits, last_step: float = np.inf) -> Sums:
    """The ledger by part, up to a step. Raises UserError if no row of it is finite."""
    finite = np.isfinite(found.credits).all(axis=1) & np.isfinite(found.gap)
    until = found.step <= last_step
    known = finite & until
    if not known.any():
        raise UserError("ledger: no loss of this sample is finite")
    parts = list(dict.fromkeys(place.part for place in found.places))
    of_part = np.array([[place.part == part for part in parts] for place in found.places])
    places = found.credits.astype(float)
    changes = places[known].sum(axis=1) + found.gap[known]
    size = np.abs(changes).sum()
    kinds = [(place.part, place.module) for place in found.places]
    return Sums(
        parts=parts,
        step=found.step[known],
        credits=(places @ of_part)[known],
        modules=dict(zip(kinds, places[known].sum(axis=0).tolist(), strict=True)),
        moved=_moved((places @ of_part)[until], (found.coarse @ of_part)[until]),
        change=float(changes.sum()),
        gap=float(np.abs(found.gap[known]).sum() / size) if size else 0.0,
        left_out=int((until & ~finite).sum()),
    )


def _moved(fine: np.ndarray, coarse: np.ndarray) -> float:
    """Which share of the sums goes to other parts in the rows that have a coarse one."""
    both = fine + np.roll(fine, 1, axis=0)  # a coarse row is about its own row and the one before
    even = np.isfinite(coarse + both).all(axis=1)
    sums = both[even].sum(axis=0)
    size = 2 * np.abs(sums).sum()
    return float(np.abs(coarse[even].sum(axis=0) - sums).sum() / size) if size else float("nan")


def made_most(sums: Sums) -> list[int]:
    """The fewest parts that together made at least half of the change, in the model's order."""
    shares = sums.net / sums.net.sum()
    order = np.argsort(-shares)
    enough = int(np.argmax(np.cumsum(shares[order]) >= 0.5)) + 1
    return sorted(order[:enough].tolist())


def ledger_in_words(sums: Sums) -> str:
    """By how much the loss changed, which parts did most of it and when, and how exact that is."""
    words = [f"The loss changed by {sums.change:+.2f} nats"]
    if abs(sums.change) > FEW and sums.change * sums.net.sum() > 0:
        most = made_most(sums)
        share = sums.net[most].sum() / sums.net.sum()
        done = np.cumsum(sums.credits[:, most].sum(axis=1))
        first, last = (sums.step[np.argmax(done / done[-1] >= part)] for part in (0.25, 0.75))
        when = f"at step {first}" if first == last else f"between steps {first} and {last}"
        what = f"{subject(sums.parts, most)} made {100 * share:.0f} % of it"
        words.append(f"{what}, half of that {when}")
    advice = f": {MORE_POINTS}" if sums.gap > MOST_GAP else ""
    words.append(f"Gap: {100 * sums.gap:.1f} %{advice}")
    if np.isfinite(sums.moved):
        moved = f"{100 * sums.moved:.1f} % goes to other parts"
        words.append(f"With every second probe left out {moved}")
    if sums.left_out:
        words.append(f"Left out: {sums.left_out} probes whose loss is not finite")
    return ". ".join(words) + "."


def subject(parts: Sequence[str], chosen: Sequence[int]) -> str:
    """Parts as the subject of a sentence: `Layers 1 and 2`, `The embeddings and layer 1`."""
    names = [parts[at] for at in chosen]
    layers = [name.removeprefix("layer ") for name in names if name.startswith("layer ")]
    several = f"layers {_listed(layers)}" if len(layers) > 1 else ""
    told = [several if several and name.startswith("layer ") else named(name) for name in names]
    text = _listed(list(dict.fromkeys(told)))
    return text[0].upper() + text[1:]


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def table_of_ledger(sums: Sums) -> str:
    """In words; then a row per part: net, lowered, raised, its share, and its largest module."""
    rows: list[tuple[str, ...]] = [("part", "net (nats)", "lowered", "raised", "share", "most by")]
    total = sums.net.sum()
    columns = (sums.net, sums.lowered, sums.raised)
    for part, *numbers in zip(sums.parts, *columns, strict=True):
        share = f"{100 * numbers[0] / total:.1f} %" if total else "-"
        inside = {kind: nats for (name, kind), nats in sums.modules.items() if name == part}
        kind = max(inside, key=lambda name: abs(inside[name]))
        largest = f"{kind} {inside[kind]:+.3f}" if inside[kind] else "nothing: frozen"
        rows.append((part, *(f"{value:+.3f}" for value in numbers), share, largest))
    return "\n".join([ledger_in_words(sums), *in_columns(rows, left=(0, 5))])


# Rewinding


@dataclass(frozen=True)
class Mean:
    """A mean over the questions with its 95 % interval."""

    value: float
    low: float
    high: float


def mean_loss(answers: Answers, base: Answers) -> Mean:
    """The mean loss in nats; the interval is that of its difference from `base`.

    Both answered the same questions, so that how hard a question is cancels out. The interval is
    cut at 0, as no loss is lower. It is NaN for a single question.
    """
    asked = len(answers.loss)
    value = float(np.mean(answers.loss))
    error = float("nan")
    if asked > 1:
        difference = np.subtract(answers.loss, base.loss)
        error = half_interval(float(difference.std(ddof=1)) / asked**0.5, asked)
    low = value - error
    return Mean(value, 0.0 if low < 0 else low, value + error)


def share_right(answers: Answers) -> Mean:
    """The share of right answers in percent, with Wilson's interval."""
    right = sum(answers.right)
    asked = len(answers.right)
    return Mean(100 * right / asked, *wilson_interval(right, asked))


def rank_correlation(some: Sequence[float], others: Sequence[float]) -> float:
    """Spearman's correlation of two lists of numbers.

    NaN if all of one are alike. Ties have their mean rank. (scipy.stats takes long to load.)
    """
    ordered = [(values, np.sort(values)) for values in (some, others)]
    ranks = [every.searchsorted(of) + every.searchsorted(of, "right") for of, every in ordered]
    with np.errstate(invalid="ignore"):
        return float(np.corrcoef(ranks)[0, 1])


def rewound_in_words(found: Rewound) -> str:
    """Which part is worth most, which one moved most, and how well the two agree."""
    worth = max(found.parts, key=lambda part: np.mean(part.put_back.loss))
    moved = max(found.parts, key=lambda part: part.moved)
    trained = np.mean(found.trained.loss)
    without = np.mean(worth.put_back.loss)
    if without <= trained:
        what = "No part alone hurts when it is put back"
        return f"{what}; the weights of {named(moved.part)} moved most"
    first = f"Putting back {named(worth.part)} hurts most (loss {trained:.2f} -> {without:.2f})"
    costly = min(found.parts, key=lambda part: sum(part.put_back.right))
    before = share_right(found.trained).value
    after = share_right(costly.put_back).value
    if after < min(before, share_right(worth.put_back).value):
        right = f"({before:.0f} % -> {after:.0f} % right)"
        first = f"{first}, {named(costly.part)} costs most answers {right}"
    weights = f"the weights of {named(moved.part)}"
    words = [first, f"{'its weights also' if moved is worth else weights} moved most"]
    losses = [float(np.mean(part.put_back.loss)) for part in found.parts]
    correlation = rank_correlation(losses, [part.moved for part in found.parts])
    if np.isfinite(correlation):
        words.append(f"rank correlation of the two orders of the parts {correlation:+.2f}")
    return "; ".join(words)


def table_of_rewound(found: Rewound) -> str:
    """A row per part: loss and right answers when it is put back, when it alone is trained, change.

    In brackets: 95 % intervals. The first two rows are the trained and the untrained model.
    """
    rows = [
        ("", "put back alone: loss, right", "alone trained: loss, right", "change of a weight"),
        ("all trained", _cell(found.trained, found.trained), "", ""),
        ("none trained", _cell(found.untrained, found.untrained), "", ""),
    ]
    for part in found.parts:
        put_back = _cell(part.put_back, found.trained)
        alone = _cell(part.alone, found.untrained)
        rows.append((part.part, put_back, alone, f"{part.moved:.2e}"))
    return "\n".join(in_columns(rows, left=range(4)))


def _cell(answers: Answers, base: Answers) -> str:
    loss = mean_loss(answers, base)
    right = share_right(answers)
    known = answers is not base and np.isfinite(loss.high)
    interval = f" ({loss.low:.2f} to {loss.high:.2f})" if known else ""
    return f"{loss.value:.2f}{interval}, {right.value:.0f} % ({right.low:.0f} to {right.high:.0f})"

"""The ledger of a tracked sample -> what each part of the model did to its loss, and in words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from huggin.analysis.rewinding import named
from huggin.common.errors import UserError
from huggin.common.text import in_columns
from huggin.recording.reader import Credits, Recording

MOST_GAP = 0.02  # of the changes of the loss
FEW = 0.005  # nats: a loss that changed less than that has not changed
MORE_POINTS = "the parts are less exact than that; set ledger_points to 5 in the cfg"


@dataclass(frozen=True)
class Sums:
    """What each part did to a tracked sample's loss, in nats; a negative number lowered it."""

    parts: list[str]
    step: np.ndarray  # (rows,) of the probe at the end of each row
    credits: np.ndarray  # (rows, parts) between two probes
    lowered: np.ndarray  # (parts,) the sum of each part's negative credits alone
    raised: np.ndarray  # (parts,) that of its positive ones
    modules: dict[tuple[str, str], float]  # the sum of each part and kind of module
    moved: float  # the share that goes to other parts with every second probe left out, or NaN
    change: float  # of the loss, from the first probe to the last one
    gap: float  # the sum of all |gaps| by the sum of all |changes|
    left_out: int  # rows that are not finite

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
    credits = (places @ of_part)[known]
    changes = places[known].sum(axis=1) + found.gap[known]
    size = np.abs(changes).sum()
    totals = places[known].sum(axis=0)
    return Sums(
        parts=parts,
        step=found.step[known],
        credits=credits,
        lowered=np.minimum(credits, 0).sum(axis=0),
        raised=np.maximum(credits, 0).sum(axis=0),
        modules={
            (place.part, place.module): float(total)
            for place, total in zip(found.places, totals, strict=True)
        },
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


def half_between(sums: Sums, parts: Sequence[int]) -> tuple[int, int]:
    """Two steps: by them, a quarter and three quarters of what the parts did was done."""
    done = np.cumsum(sums.credits[:, list(parts)].sum(axis=1))
    share = done / done[-1]
    first, last = (int(sums.step[np.argmax(share >= quarter)]) for quarter in (0.25, 0.75))
    return first, last


def in_words(sums: Sums) -> str:
    """By how much the loss changed, which parts did most of it and when, and how exact that is."""
    words = [f"The loss changed by {sums.change:+.2f} nats"]
    if abs(sums.change) > FEW and sums.change * sums.net.sum() > 0:
        most = made_most(sums)
        share = sums.net[most].sum() / sums.net.sum()
        first, last = half_between(sums, most)
        when = f"at step {first}" if first == last else f"between steps {first} and {last}"
        words.append(
            f"{subject(sums.parts, most)} made {100 * share:.0f} % of it, half of that {when}"
        )
    exact = f"Gap: {100 * sums.gap:.1f} %"
    words.append(f"{exact}: {MORE_POINTS}" if sums.gap > MOST_GAP else exact)
    if np.isfinite(sums.moved):
        words.append(
            f"With every second probe left out {100 * sums.moved:.1f} % goes to other parts"
        )
    if sums.left_out:
        words.append(f"Left out: {sums.left_out} probes whose loss is not finite")
    return ". ".join(words) + "."


def subject(parts: Sequence[str], chosen: Sequence[int]) -> str:
    """Parts as the subject of a sentence: `Layers 1 and 2`, `The embeddings and layer 1`."""
    layers = [parts[at].removeprefix("layer ") for at in chosen if parts[at].startswith("layer ")]
    several = f"layers {_listed(layers)}" if len(layers) > 1 else ""
    names = [
        several if several and parts[at].startswith("layer ") else named(parts[at]) for at in chosen
    ]
    text = _listed(list(dict.fromkeys(names)))
    return text[0].upper() + text[1:]


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def words_and_table(sums: Sums) -> str:
    """In words; then a row per part: net, lowered, raised, its share, and its largest module."""
    rows: list[tuple[str, ...]] = [("part", "net (nats)", "lowered", "raised", "share", "most by")]
    total = sums.net.sum()
    for at, part in enumerate(sums.parts):
        net = sums.net[at]
        share = f"{100 * net / total:.1f} %" if total else "-"
        numbers = (f"{value:+.3f}" for value in (net, sums.lowered[at], sums.raised[at]))
        rows.append((part, *numbers, share, _largest_module(sums, part)))
    return "\n".join([in_words(sums), *in_columns(rows, left=(0, 5))])


def _largest_module(sums: Sums, part: str) -> str:
    inside = {kind: total for (name, kind), total in sums.modules.items() if name == part}
    kind = max(inside, key=lambda name: abs(inside[name]))
    return f"{kind} {inside[kind]:+.3f}" if inside[kind] else "nothing: frozen"

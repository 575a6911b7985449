"""The ledger of a tracked sample -> what each part of the model did to its loss, and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from huggin.common.errors import UserError
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
    modules: dict[tuple[str, str], float]  # the sum of each part and kind of module
    coarse: np.ndarray  # (parts,) sums with every second probe left out, of `coarse_rows`
    coarse_rows: np.ndarray  # (rows,) bool: those that the coarse sums are about
    change: float  # of the loss, from the first probe to the last one
    gap: float  # the sum of all |gaps| by the sum of all |changes|
    left_out: int  # rows that are not finite

    @property
    def net(self) -> np.ndarray:
        """The sum of each part, (parts,)."""
        return self.credits.sum(axis=0)

    @property
    def lowered(self) -> np.ndarray:
        """The sum of each part's negative credits alone, (parts,)."""
        return np.minimum(self.credits, 0).sum(axis=0)

    @property
    def raised(self) -> np.ndarray:
        """The sum of each part's positive credits alone, (parts,)."""
        return np.maximum(self.credits, 0).sum(axis=0)

    @property
    def moved(self) -> float:
        """Which share of the sums goes to other parts if every second probe is left out."""
        fine = self.credits[self.coarse_rows].sum(axis=0)
        size = np.abs(fine).sum()
        return float(np.abs(self.coarse - fine).sum() / 2 / size) if size else 0.0


def sums_of(found: Credits) -> Sums:
    """The ledger by part. Raises UserError if no row of it is finite."""
    known = np.isfinite(found.credits).all(axis=1) & np.isfinite(found.gap)
    if not known.any():
        raise UserError("ledger: no loss of this sample is finite")
    parts = list(dict.fromkeys(place.part for place in found.places))
    of_part = np.array([[place.part == part for part in parts] for place in found.places])
    places = found.credits.astype(float)
    even = np.isfinite(found.coarse).all(axis=1) & known & np.roll(known, 1)
    changes = places[known].sum(axis=1) + found.gap[known]
    size = np.abs(changes).sum()
    totals = places[known].sum(axis=0)
    return Sums(
        parts=parts,
        step=found.step[known],
        credits=(places @ of_part)[known],
        modules={
            (place.part, place.module): float(total)
            for place, total in zip(found.places, totals, strict=True)
        },
        coarse=(found.coarse[even].astype(float) @ of_part).sum(axis=0),
        coarse_rows=(even | np.roll(even, -1))[known],
        change=float(changes.sum()),
        gap=float(np.abs(found.gap[known]).sum() / size) if size else 0.0,
        left_out=int((~known).sum()),
    )


def sums_until(recording: Recording, step: int) -> Sums | None:
    """The ledger of the first tracked sample up to a step; None if nothing is known of it."""
    if not recording.has("ledger"):
        return None
    found = recording.ledger()
    rows = found.step <= step
    if not (np.isfinite(found.credits).all(axis=1) & rows).any():
        return None
    return sums_of(
        Credits(
            found.step[rows],
            found.credits[rows],
            found.gap[rows],
            found.coarse[rows],
            found.places,
        )
    )


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
            f"{named(sums.parts, most)} made {100 * share:.0f} % of it, half of that {when}"
        )
    exact = f"Gap: {100 * sums.gap:.1f} %"
    words.append(f"{exact}: {MORE_POINTS}" if sums.gap > MOST_GAP else exact)
    if sums.coarse_rows.any():
        words.append(
            f"With every second probe left out {100 * sums.moved:.1f} % goes to other parts"
        )
    if sums.left_out:
        words.append(f"Left out: {sums.left_out} probes whose loss is not finite")
    return ". ".join(words) + "."


def named(parts: Sequence[str], chosen: Sequence[int]) -> str:
    """Parts as the subject of a sentence: `Layers 1 and 2`, `The embeddings, layer 1 and the head`.

    Neighbouring layers are joined.
    """
    names: list[str] = []
    for is_layer, some in groupby(chosen, key=lambda at: parts[at].startswith("layer")):
        group = list(some)
        if is_layer and len(group) > 1:
            *others, last = [parts[at].removeprefix("layer ") for at in group]
            names.append(f"layers {', '.join(others)} and {last}")
        else:
            names += [f"{'' if is_layer else 'the '}{parts[at]}" for at in group]
    *others, last = names
    text = f"{', '.join(others)} and {last}" if others else last
    return text[0].upper() + text[1:]


def words_and_table(sums: Sums) -> str:
    """In words; then a row per part: net, lowered, raised, its share, and its largest module."""
    rows: list[tuple[str, ...]] = [("part", "net (nats)", "lowered", "raised", "share", "most by")]
    total = sums.net.sum()
    for at, part in enumerate(sums.parts):
        net = sums.net[at]
        share = f"{100 * net / total:.1f} %" if total else "-"
        numbers = (f"{value:+.3f}" for value in (net, sums.lowered[at], sums.raised[at]))
        rows.append((part, *numbers, share, _largest_module(sums, part)))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = [
        "  ".join(
            text.ljust(width) if column in (0, 5) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([in_words(sums), *lines])


def _largest_module(sums: Sums, part: str) -> str:
    inside = {kind: total for (name, kind), total in sums.modules.items() if name == part}
    kind = max(inside, key=lambda name: abs(inside[name]))
    return f"{kind} {inside[kind]:+.3f}" if inside[kind] else "nothing: frozen"

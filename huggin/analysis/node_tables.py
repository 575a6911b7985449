"""Rankings of nodes as text."""

import numpy as np

from huggin.analysis.nodes import (
    RANKINGS,
    TOP_RANKED,
    NodeChoice,
    rank_nodes,
    ranked,
    ranking_values,
    weight_change,
)
from huggin.recording.reader import Recording

TOP = 10  # nodes in the tables
CELLS = "{:11.5f} {:9.5f} {:+9.5f} {:+8.1f}%"  # first weight, last weight, change, percent


def table_of_nodes(recording: Recording, choice: NodeChoice = TOP_RANKED) -> str:
    """The weights of the first nodes of the ranking, the tracked node first."""
    change = weight_change(recording.steps)
    columns = [change.first, change.last, change.absolute, change.percent]
    numbers = np.stack(columns, axis=-1)  # (2, hidden, 4)
    heads = [
        f"{end + ' first':>11} {'last':>9} {'change':>9} {'percent':>9}" for end in ("start", "end")
    ]
    lines = [f"{'node':>6}  " + "   ".join(heads)]
    ranking = rank_nodes(recording, choice)
    for node in ranking.nodes[:TOP]:
        cells = [CELLS.format(*half) for half in numbers[:, node]]
        lines.append(f"{node:6d}  " + "   ".join(cells))
    lines.append(f"ranked by {ranking.name}")
    return "\n".join(lines)


def table_of_rankings(recording: Recording, choice: NodeChoice = TOP_RANKED) -> str:
    """The first nodes of the chosen ranking with their values and places in all four rankings.

    Below it, how many of the first TOP nodes each pair of rankings shares.
    """
    values = {name: ranking_values(recording, name, choice.sample) for name in RANKINGS}
    order = {name: ranked(value) for name, value in values.items()}
    place = {name: np.argsort(nodes) + 1 for name, nodes in order.items()}
    lines = [f"{'node':>6}" + "".join(f"{name:>15} {'place':>6}" for name in RANKINGS)]
    for node in rank_nodes(recording, choice).nodes[:TOP]:
        cells = [
            f"{_cell(name, values[name][node]):>15} {place[name][node]:6d}" for name in RANKINGS
        ]
        lines.append(f"{node:6d}" + "".join(cells))
    return "\n".join([*lines, *_shared(order)])


def _shared(order: dict[str, np.ndarray]) -> list[str]:
    """How many of each ranking's first nodes are among the first of the other rankings."""
    top = {name: set(nodes[:TOP].tolist()) for name, nodes in order.items()}
    lines = [f"of the first {TOP} nodes by"]
    for name in RANKINGS:
        others = [other for other in RANKINGS if other != name]
        shared = [f"{len(top[name] & top[other])} by {other}" for other in others]
        lines.append(f"{name:>14}: {', '.join(shared)} too")
    return lines


def _cell(ranking: str, value: float) -> str:
    return f"{value:+.1f}%" if ranking == "percent" else f"{value:+.5f}"

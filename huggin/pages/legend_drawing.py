"""One forward pass and its legend -> DOT -> PDF, SVG or PNG, with Graphviz.

The parts stand in columns, read from top to bottom and from left to right. Graphviz lays out each
column by itself, so an arrow from another column becomes a small label with the number of its part.
"""

import math
import re
from bisect import bisect
from pathlib import Path

import graphviz

from huggin.common.files import replacing
from huggin.common.site import ModuleRow
from huggin.model.forward_pass import TOKENS, ForwardPass, Part, forward_pass
from huggin.model.loading import load_architecture
from huggin.model.modules import legend_rows
from huggin.pages.dot import (
    FACTS_BLUE,
    FONT,
    LEGEND_GREEN,
    advising,
    cell_text,
    format_of,
    label,
    legend_table,
    table,
)

TENSOR_YELLOW = "#fff6cc"
SHORTEST = 12  # parts of a column
SHAPE = 5  # a column has about sqrt(SHAPE x number of parts) parts
SLACK = 3  # parts by which a column's start may be moved


def drawing(name: str, depth: int | None = None) -> graphviz.Digraph:
    """The drawing of the model that the config.json of a folder or on the Hub describes.

    depth: as in `boxes_of`. Raises UserError if there is no such model.
    """
    model = load_architecture(name)
    passed = forward_pass(model, depth)
    modules = legend_rows(model, depth)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    facts: list[tuple[str, ...]] = [
        ("model", f"{type(model).__name__} of {name}"),
        ("parameters", f"{parameters:,}"),
        ("drawn", f"one forward pass of {TOKENS} tokens; below each name the shape of its output"),
    ]
    numbered = {number for row in modules for number in row.numbers}
    missing = sorted(numbered - {part.number for part in passed.parts})
    if missing:
        numbers = ", ".join(map(str, missing))
        facts.append(("left out", f"{numbers}: not called, or changing nothing"))
    return _graph(passed, modules, facts)


def _graph(
    passed: ForwardPass, modules: list[ModuleRow], facts: list[tuple[str, ...]]
) -> graphviz.Digraph:
    """Facts and legend on the left, the parts in columns beside them."""
    starts = _column_starts(passed)
    columns = [bisect(starts, index) for index in range(len(passed.parts))]  # 1 for the first
    layout = {
        "pack": "40",
        "packmode": f"array_ut{len(starts) + 1}",
        "ranksep": "0.3",
        "nodesep": "0.3",
    }
    graph = graphviz.Digraph(
        graph_attr=layout, node_attr={"shape": "plain", "fontname": FONT, "fontsize": "12"}
    )
    graph.node("facts", label(table(facts, FACTS_BLUE, (16, 112))), sortv="0")
    graph.node("legend", label(legend_table(modules)), sortv="0")
    graph.edge("facts", "legend", style="invis")
    for index, part in enumerate(passed.parts):
        graph.node(str(index), _label(part), sortv=str(columns[index]))
    _join_columns(graph, passed, columns)
    return graph


def _column_starts(passed: ForwardPass) -> list[int]:
    """The index of each column's first part: similar lengths, cut where few arrows pass."""
    total = len(passed.parts)
    columns = math.ceil(total / max(SHORTEST, math.isqrt(SHAPE * total)))
    starts = [0]
    for column in range(1, columns):
        aim = round(column * total / columns)
        candidates = []
        for at in range(aim - SLACK, aim + SLACK + 1):
            passing = sum(tail < at <= head for tail, head in passed.arrows)
            candidates.append((passing, abs(at - aim), at))
        starts.append(min(candidates)[2])
    return starts


def _label(part: Part) -> str:
    colour = LEGEND_GREEN if part.number else TENSOR_YELLOW if part.is_tensor else "white"
    number = f'<TD ROWSPAN="2"><B>{part.number}</B></TD>' if part.number else ""
    from_the_layer_on = re.sub(r"^.*?(?=\w+\.\d+\.)", "", part.name)
    name = cell_text(from_the_layer_on, 44)
    shape = cell_text(part.shape, 44)
    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="5" BGCOLOR="{colour}"'
    return (
        f"<<TABLE {attributes}><TR>{number}<TD>{name}</TD></TR><TR><TD>{shape}</TD></TR></TABLE>>"
    )


def _join_columns(graph: graphviz.Digraph, passed: ForwardPass, columns: list[int]) -> None:
    """Draw the arrows.

    An arrow within a column is drawn, one from another column becomes a label. Invisible arrows
    keep a column in one piece.
    """
    led_to = set()
    for tail, head in passed.arrows:
        if columns[tail] == columns[head]:
            graph.edge(str(tail), str(head))
            led_to.add(head)
        else:
            part = passed.parts[tail]
            origin = f"{tail}-{head}"
            graph.node(origin, f"from {part.number or part.name}", fontsize="11")
            graph.edge(origin, str(head))
    for index in set(range(len(columns))) - led_to:
        first = columns.index(columns[index])
        if index != first:
            graph.edge(str(first), str(index), style="invis")


def draw(graph: graphviz.Digraph, path: Path) -> None:
    """Write the drawing, whole or not at all. Raises UserError if Graphviz is missing or fails."""
    with advising(path), replacing(path) as beside:
        beside.write_bytes(graph.pipe(format=format_of(path), quiet=True))

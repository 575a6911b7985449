"""One forward pass + legend -> DOT -> PDF, SVG or PNG, with Graphviz.

The parts stand in columns, read downwards and from left to right. Graphviz lays out each column by itself, so an arrow
from another column is a small label with the number that it comes from.
"""

import math
import re
from bisect import bisect
from pathlib import Path

import graphviz

from huggin.common.errors import UserError
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
    label,
    legend_table,
    table,
)

FORMATS = (".pdf", ".svg", ".png")
TENSOR_YELLOW = "#fff6cc"
SHORTEST = 12  # parts of a column
SHAPE = 5  # a column has about the root of this times all parts
SLACK = 3  # how far a column's start may be moved


def format_of(path: Path) -> str:
    """pdf, svg or png, by the file's ending. Raises UserError for another one."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"{path}: its ending says how to draw; choose from {', '.join(FORMATS)}")
    return path.suffix.lower().removeprefix(".")


def drawing(name: str, depth: int | None = None) -> graphviz.Digraph:
    """The drawing of the model that the config.json of a folder or the Hub describes; `depth` as in `boxes_of`."""
    model = load_architecture(name)
    passed, modules = forward_pass(model, depth), legend_rows(model, depth)
    missing = {number for row in modules for number in row.numbers} - {
        part.number for part in passed.parts
    }
    facts: list[tuple[str, ...]] = [
        ("model", f"{type(model).__name__} of {name}"),
        ("parameters", f"{sum(parameter.numel() for parameter in model.parameters()):,}"),
        (
            "drawn",
            f"one forward pass of {TOKENS} tokens; under each name the shape of what comes out of it",
        ),
    ]
    if missing:
        facts.append(
            ("left out", f"{', '.join(map(str, sorted(missing)))}: not called, or changing nothing")
        )
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
    """The index of each column's first part: columns of like length, cut where few arrows pass."""
    total = len(passed.parts)
    columns = math.ceil(total / max(SHORTEST, math.isqrt(SHAPE * total)))
    starts = [0]
    for aim in (round(column * total / columns) for column in range(1, columns)):
        passing = {
            at: sum(tail < at <= head for tail, head in passed.arrows)
            for at in range(aim - SLACK, aim + SLACK + 1)
        }
        starts.append(min(passing, key=lambda at: (passing[at], abs(at - aim))))  # noqa: B023 called at once
    return starts


def _label(part: Part) -> str:
    colour = LEGEND_GREEN if part.number else TENSOR_YELLOW if part.is_tensor else "white"
    number = f'<TD ROWSPAN="2"><B>{part.number}</B></TD>' if part.number else ""
    name, shape = (cell_text(text, 44) for text in (_from_the_layer_on(part.name), part.shape))
    attributes = f'BORDER="0" CELLBORDER="1" CELLSPACING="0" CELLPADDING="5" BGCOLOR="{colour}"'
    return (
        f"<<TABLE {attributes}><TR>{number}<TD>{name}</TD></TR><TR><TD>{shape}</TD></TR></TABLE>>"
    )


def _from_the_layer_on(name: str) -> str:
    """`bert.encoder.layer.0.output` -> `layer.0.output`; names outside of layers as they are."""
    return re.sub(r"^.*?(?=\w+\.\d+\.)", "", name)


def _join_columns(graph: graphviz.Digraph, passed: ForwardPass, columns: list[int]) -> None:
    """Arrows within a column, labels for those from another, and invisible ones that keep a column in one piece."""
    led_to = set()
    for tail, head in passed.arrows:
        if columns[tail] == columns[head]:
            graph.edge(str(tail), str(head))
            led_to.add(head)
        else:
            part, label = passed.parts[tail], f"{tail}-{head}"
            graph.node(label, f"from {part.number or part.name}", fontsize="11")
            graph.edge(label, str(head))
    for index in set(range(len(columns))) - led_to:
        first = columns.index(columns[index])
        if index != first:
            graph.edge(str(first), str(index), style="invis")


def draw(graph: graphviz.Digraph, path: Path) -> None:
    """Write the drawing, whole or not at all. Raises UserError where Graphviz cannot."""
    with advising(path), replacing(path) as beside:
        beside.write_bytes(graph.pipe(format=format_of(path), quiet=True))

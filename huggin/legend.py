"""A model's modules -> the rows of a legend: numbers, module, parameters.

A module is opened while it holds the list of layers, is a layer, or holds embeddings; what is left are the boxes
that data passes through, numbered in the order in which it does. Modules that are alike share a row.
"""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from huggin.sites import calls_in_a_pass

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LegendRow:
    """Modules that are alike."""

    numbers: list[int]
    names: list[str]  # in model.named_modules()
    module: str  # as PyTorch prints it, and how often a pass calls it where that is more than once
    parameters: int  # of one of them


def legend_rows(model: "nn.Module", depth: int | None = None) -> list[LegendRow]:
    """The model's boxes, grouped, in the order of their first number; `depth` as in `boxes_of`."""
    rows: dict[str, LegendRow] = {}
    for number, (name, module, calls) in enumerate(boxes_of(model, depth), start=1):
        text = repr(module) + (f"\n(called {calls} times)" if calls > 1 else "")
        row = rows.setdefault(text, LegendRow([], [], text, _size(module)))
        row.numbers.append(number)
        row.names.append(name)
    return list(rows.values())


def legend_facts(model: "nn.Module", depth: int | None = None) -> list[dict[str, Any]]:
    """The rows as JSON for run.json."""
    return [asdict(row) for row in legend_rows(model, depth)]


def boxes_of(model: "nn.Module", depth: int | None = None) -> list[tuple[str, "nn.Module", int]]:
    """The boxes as (name, module, calls in a pass), number 1 first: the legend's, or the modules `depth` levels down.

    They are in the order in which a pass first calls them. One that is never called comes behind the one before it
    where its weight is used without a call; else it goes.
    """
    boxes = _boxes("", model) if depth is None else _boxes_down("", model, depth)
    calls = calls_in_a_pass(model, [name for name, _ in boxes])
    place, placed = -1, []
    for name, module in boxes:
        place = calls.index(name) if name in calls else place
        if name in calls or _size(module):
            placed.append((place, name, module))
    return [(name, module, calls.count(name)) for _, name, module in sorted(placed, key=lambda entry: entry[0])]


def _size(module: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _boxes_down(name: str, module: "nn.Module", depth: int) -> list[tuple[str, "nn.Module"]]:
    from torch import nn

    is_list = isinstance(module, nn.ModuleList)  # no level of its own: data passes through what it holds
    children = list(module.named_children())
    if not children or (depth == 0 and not is_list):
        return [(name, module)]
    prefix = f"{name}." if name else ""
    return [box for child, inner in children for box in _boxes_down(prefix + child, inner, depth - (not is_list))]


def _boxes(name: str, module: "nn.Module", is_layer: bool = False) -> list[tuple[str, "nn.Module"]]:
    from torch import nn

    is_list = isinstance(module, nn.ModuleList)
    children = list(module.named_children())
    holds_layers = any(isinstance(inner, nn.ModuleList) for inner in module.modules())
    holds_embeddings = any(isinstance(child, nn.Embedding) for _, child in children)
    if not (is_list or is_layer or holds_layers or holds_embeddings):
        return [(name, module)]
    prefix = f"{name}." if name else ""
    return [box for child, inner in children for box in _boxes(prefix + child, inner, is_layer=is_list)]

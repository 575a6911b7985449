"""A model's modules -> the rows of a legend: numbers, module, parameters.

    legend_rows(model)

A module that holds the list of layers or embeddings is replaced by what is inside, and so is a
layer. What remains are boxes, numbered in the order in which data passes through them. Modules that
are alike share a row.
"""

from torch import nn

from huggin.common.site import ModuleRow
from huggin.common.window import Window
from huggin.model.hooks import calls_in_a_pass


def legend_rows(
    model: nn.Module, depth: int | None = None, window: Window | None = None
) -> list[ModuleRow]:
    """The model's boxes; those that are alike share a row, in the order of their first number.

    A module that a pass calls more than once says how often. `depth` and `window` as in `boxes_of`.
    """
    rows: dict[str, ModuleRow] = {}
    for number, (name, module, calls) in enumerate(boxes_of(model, depth, window), start=1):
        text = repr(module) + (f"\n(called {calls} times)" if calls > 1 else "")
        row = rows.setdefault(text, ModuleRow([], [], text, _parameter_count(module)))
        row.numbers.append(number)
        row.names.append(name)
    return list(rows.values())


def boxes_of(
    model: nn.Module, depth: int | None = None, window: Window | None = None
) -> list[tuple[str, nn.Module, int]]:
    """The boxes as (name, module, calls in a pass), in the order in which a pass first calls them.

    depth: how many levels down the boxes are; None for those of the legend.
    window: what is sent through the model; None for the few tokens that `transformers` has for it.

    A box that is never called is kept after its predecessor if it has parameters, because its
    weight is then used directly; else it is dropped.
    """
    boxes = _boxes("", model, depth)
    calls = calls_in_a_pass(model, [name for name, _ in boxes], window)
    placed = []
    place = -1
    for name, module in boxes:
        place = calls.index(name) if name in calls else place
        if name in calls or _parameter_count(module):
            placed.append((place, name, module))
    placed.sort(key=lambda entry: entry[0])
    return [(name, module, calls.count(name)) for _, name, module in placed]


def _parameter_count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _boxes(
    name: str, module: nn.Module, depth: int | None, is_layer: bool = False
) -> list[tuple[str, nn.Module]]:
    """The boxes in a module, which is one itself if it is not opened."""
    children = list(module.named_children())
    is_list = isinstance(module, nn.ModuleList)  # no level of its own: it is never called
    has_layers = any(isinstance(inner, nn.ModuleList) for inner in module.modules())
    is_opened = (
        is_layer or has_layers or any(isinstance(child, nn.Embedding) for _, child in children)
    )
    opened = is_opened if depth is None else depth > 0
    if not children or not (is_list or opened):
        return [(name, module)]
    prefix = f"{name}." if name else ""
    below = depth if depth is None or is_list else depth - 1
    return [
        box
        for child, inner in children
        for box in _boxes(prefix + child, inner, below, is_layer=is_list)
    ]

"""One forward pass through a model -> its parts and the arrows between them, with shapes.

    forward_pass(load_architecture("runs/mine"))

torchview records the pass. What happens inside a box of the legend is not shown. Outside of boxes a
function that joins data (`add`) is a part, and one that only passes data on (`view`, `split`) is an
arrow. What comes from constants alone is left out.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import torch
from torch import nn
from torchview import draw_graph

from huggin.common.errors import UserError
from huggin.common.text import one_line
from huggin.model.modules import boxes_of

TOKENS = 16  # of the input
EVERYTHING: dict[str, Any] = {
    "depth": float("inf"),
    "hide_module_functions": False,
    "mode": "eval",
}


@dataclass(frozen=True)
class Part:
    """A box of the legend, a function (`add 3` is the third one) or a tensor."""

    name: str
    shape: str  # of its output
    number: int | None = None  # of a box, in the legend
    is_tensor: bool = False


@dataclass(frozen=True)
class ForwardPass:
    """What `forward_pass` returns."""

    parts: list[Part]  # in the order in which data reaches them
    arrows: list[tuple[int, int]]  # indices of the parts at both ends


def forward_pass(model: nn.Module, depth: int | None = None) -> ForwardPass:
    """Send TOKENS ids through a model on the meta device.

    depth: as in `boxes_of`.
    Raises UserError if they do not pass.
    """
    boxes = enumerate(boxes_of(model, depth), start=1)
    numbered = {id(module): (number, name) for number, (name, module, _) in boxes}
    recorded = _recorded(model)
    ends = _inputs_and_outputs(recorded)
    box_of = dict(_placed(recorded.node_hierarchy, numbered, None))
    sources = _sources(recorded.edge_list, box_of, ends)
    nodes = list(TopologicalSorter(sources).static_order())
    index = {node: at for at, node in enumerate(nodes)}
    arrows = [(index[tail], index[head]) for head in nodes for tail in sources[head]]
    return ForwardPass(list(_parts(nodes, numbered, ends)), sorted(arrows))


def _recorded(model: nn.Module) -> Any:
    """torchview's record, down to every function."""
    ids = torch.ones(1, TOKENS, dtype=torch.long, device="meta")
    reason = ""
    # Most models look into a mask, which has no values here; DeBERTa needs one
    for more in ({}, {"attention_mask": ids}):
        try:
            with _recorded_buffers(model):
                return draw_graph(model, {"input_ids": ids, **more}, device="meta", **EVERYTHING)
        except RuntimeError as error:
            reason = one_line(error.__cause__ or error)
    what = f"{type(model).__name__}: {TOKENS} tokens do not pass through it: {reason}"
    raise UserError(f"{what}; choose another model")


@contextmanager
def _recorded_buffers(model: nn.Module) -> Iterator[None]:
    """Replace each buffer by a new one during the pass.

    torchview follows the input and new tensors only, not buffers such as BERT's position_ids. On
    the meta device a buffer has no values to lose.
    """

    def renew(module: nn.Module, _args: Any) -> None:
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros_like(buffer))

    with ExitStack() as hooks:
        for module in model.modules():
            hooks.enter_context(module.register_forward_pre_hook(renew))
        yield


def _inputs_and_outputs(recorded: Any) -> dict[Any, str]:
    """torchview's nodes of the inputs and outputs, with their names."""
    inputs = dict(zip(recorded.root_container, ("input_ids", "attention_mask")))
    heads = dict.fromkeys(head for _, head in recorded.edge_list if head.name == "output-tensor")
    names = ("start_logits", "end_logits") if len(heads) == 2 else ("output",) * len(heads)
    return inputs | dict(zip(heads, names))


def _placed(entry: Any, numbered: dict[int, Any], box: Any) -> Iterator[tuple[Any, Any]]:
    """Each of torchview's nodes in a nested hierarchy, with the call of the box that it is in.

    That is None outside of boxes.
    """
    if not isinstance(entry, dict):
        yield entry, box
        return
    for call, entries in entry.items():
        is_box = box is None and call.compute_unit_id in numbered
        for inner in entries:
            yield from _placed(inner, numbered, call if is_box else box)


def _sources(
    edges: list[tuple[Any, Any]], box_of: dict[Any, Any], ends: dict[Any, str]
) -> dict[Any, dict[Any, None]]:
    """Each part -> the parts that its data comes from."""
    tails: dict[Any, list[Any]] = {}
    for tail, head in edges:
        # torchview gives an input another node in each module that it enters
        tails.setdefault(head, []).append(getattr(tail, "main_node", tail))
    parts: dict[Any, dict[Any, None]] = {}
    carried: dict[Any, dict[Any, None]] = {}  # node -> the parts that its output comes from
    for node in TopologicalSorter(tails).static_order():
        box = box_of[node]
        arriving = [part for tail in tails.get(node, []) for part in carried[tail]]
        sources = dict.fromkeys(part for part in arriving if part is not box)
        if box or len(sources) > 1 or node in ends:
            parts.setdefault(box or node, {}).update(sources)
            sources = {box or node: None}
        carried[node] = sources
    return parts


def _parts(
    nodes: list[Any], numbered: dict[int, tuple[int, str]], ends: dict[Any, str]
) -> Iterator[Part]:
    """torchview's nodes as parts; functions of one name are counted."""
    functions: Counter[str] = Counter()
    for node in nodes:
        if node in ends:
            yield Part(ends[node], _shape(node.tensor_shape), is_tensor=True)
            continue
        shape = ", ".join(map(_shape, node.output_shape))
        if node.compute_unit_id in numbered:
            number, name = numbered[node.compute_unit_id]
            yield Part(name, shape, number)
        else:
            functions[node.name] += 1
            yield Part(f"{node.name} {functions[node.name]}", shape)


def _shape(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))

"""Where a model is watched, and the rows of its legend: plain values that every folder shares."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, order=True)
class Site:
    """A hook point. Two sites are equal if layer and component are, whatever module they name.

    component: `self` = the layer's self-attention, `out` = the layer's output,
    `in` = what the layer receives, `head` = what the QA head receives, if that is not the last
    layer's output.
    """

    layer: int  # 1 = the first
    component: Literal["in", "self", "out", "head"]
    module: str = field(default="", compare=False)  # its name in model.named_modules()
    call: int = field(default=0, compare=False)  # 0 = the module's first call in a pass


@dataclass(frozen=True)
class ModuleRow:
    """A row of the legend: modules of a model that are alike."""

    numbers: list[int]  # their places in the order of a forward pass, 1 = the first
    names: list[str]  # their names in model.named_modules()
    module: str  # as PyTorch prints it
    parameters: int  # of one of them


@dataclass(frozen=True)
class Place:
    """Where the ledger counts credits: the modules of a kind in a part of the model."""

    part: str  # embeddings, layer 1 .. L, head
    module: str  # query, attention output, feed-forward in, norm, ..: see `huggin/model/parts.py`

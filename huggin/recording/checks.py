"""What must hold between the fields of a recording, beyond each field's own type.

Each function returns the first problem in words, or None. The reader adds the file's name.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from huggin.common.site import ModuleRow, Site
from huggin.common.window import Window

PARTS = ("special", "question", "context")
COMPONENTS = ("self", "out", "head")
MOST_NODES = 1 << 20  # far more than any model has; a larger number is a damaged file
LARGEST = float(np.finfo(np.float32).max)  # losses and norms are computed in float32


def problem_with_window(window: Window) -> str | None:
    """Whether tokens, parts and the gold answer of a window fit together."""
    size = len(window.tokens)
    if size == 0:
        return "tokens: there are none"
    if len(window.parts) != size:
        return f"parts: {len(window.parts)} for {size} tokens"
    if unknown := set(window.parts) - set(PARTS):
        return f"parts: {sorted(unknown)[0]!r} is none of {', '.join(PARTS)}"
    if not 0 <= window.gold_start <= window.gold_end < size:
        gold = f"gold_start {window.gold_start}, gold_end {window.gold_end}"
        return f"{gold}: not a span of the {size} tokens"
    if window.offsets and len(window.offsets) != size:
        return f"offsets: {len(window.offsets)} for {size} tokens"
    for name, ids in window.inputs.items():
        if len(ids) != size:
            return f"inputs.{name}: {len(ids)} for {size} tokens"
    return "index: negative" if window.index < 0 else None


def problem_with_facts(
    hidden_size: int,
    layers: int,
    sites: list[Site],
    samples: list[Window],
    modules: list[ModuleRow],
) -> str | None:
    """Whether the fields of run.json fit together."""
    return next(
        chain(
            _of_sizes(hidden_size, layers),
            _of_sites(sites, layers),
            _of_samples(samples),
            _of_modules(modules),
        ),
        None,
    )


def _of_sizes(hidden_size: int, layers: int) -> Iterator[str]:
    if not 1 <= hidden_size <= MOST_NODES:
        yield f"hidden_size: must be 1 to {MOST_NODES}, not {hidden_size}"
    if layers < 1:
        yield f"layers: must be 1 or more, not {layers}"


def _of_sites(sites: list[Site], layers: int) -> Iterator[str]:
    if len(set(sites)) < len(sites):
        yield "sites: one is there twice"
    for number, site in enumerate(sites):
        if site.component not in COMPONENTS:
            yield f"sites.{number}.component: {site.component!r} is unknown"
        if not 1 <= site.layer <= layers:
            yield f"sites.{number}.layer: {site.layer} is not among the {layers} layers"


def _of_samples(samples: list[Window]) -> Iterator[str]:
    for number, window in enumerate(samples):
        if problem := problem_with_window(window):
            yield f"samples.{number}.{problem}"


def _of_modules(modules: list[ModuleRow]) -> Iterator[str]:
    for number, row in enumerate(modules):
        if len(row.numbers) != len(row.names) or not row.names:
            yield f"modules.{number}: {len(row.numbers)} numbers for {len(row.names)} names"
        if row.parameters < 0:
            yield f"modules.{number}.parameters: {row.parameters} is negative"


def problem_with_step(table: str, step: int, before: int | None, first_step: int) -> str | None:
    """Whether a row's step follows the one before it in its segment.

    first_step: what the segment's name says. before: None for the first row.
    Only `steps` has a single row per step.
    """
    single = table == "steps"
    if before is None:
        fits = step == first_step if single else step >= first_step
        return None if fits else f"begins with step {step}, its name says {first_step}"
    follows = step > before if single else step >= before
    return None if follows else f"step {step} comes after step {before}"


def problem_with_numbers(columns: Mapping[str, Any]) -> str | None:
    """Whether losses, norms and rates are numbers that a training in float32 can have."""
    for name, values in columns.items():
        numbers = np.asarray(values, dtype=np.float64)
        wrong = np.isfinite(numbers) & (np.abs(numbers) > LARGEST)
        if wrong.any():
            return f"{name}: {numbers[wrong][0]:g} is more than float32 can hold"
    return None

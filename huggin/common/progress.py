"""Progress bars: on a terminal only, so that a log file gets none."""

import os
import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm

from huggin.common.streams import warn

DELAY = 2.0  # seconds until a bar appears


def progress(
    items: Iterable[Any] | None = None,
    *,
    label: str,
    unit: str,
    total: int | None = None,
    delay: float = DELAY,
    initial: int = 0,
    leave: bool = False,
    hidden: bool = False,
) -> tqdm:
    """A progress bar on stderr around `items`, or one that is updated by hand.

    label: what is done. unit: what is counted, in the plural. total: how many, if `items` cannot
    say. delay: seconds until it appears. initial: how many are done already. leave: whether the
    bar stays when it is full. hidden: show none. If stderr is no terminal there is no bar.
    """
    return tqdm(
        items,
        desc=label,
        unit=f" {unit}",
        total=total,
        delay=delay,
        initial=initial,
        leave=leave,
        disable=True if hidden else None,
        dynamic_ncols=True,
    )


def shows_bars() -> bool:
    """Whether stderr is a terminal, so that progress bars are shown."""
    return bool(sys.stderr and sys.stderr.isatty())


def loading(what: str) -> None:
    """Say on a terminal what is loaded; a log file gets no such line."""
    going_on(f"loading {what}")


def going_on(what: str) -> None:
    """Say on a terminal what the next seconds go into; a log file gets no such line."""
    if shows_bars():
        warn(what)


def quieten_libraries_bars() -> None:
    """Keep the bars of `datasets` out of a log file; it reads this variable when it is imported."""
    if not shows_bars():
        os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")

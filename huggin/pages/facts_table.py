"""Facts of runs -> a table of the PDF. Facts in words need no figures, and are in `facts.py`."""

from collections.abc import Sequence

from huggin.graphs.runs import side_by_side
from huggin.pages.blocks import Block, text_block
from huggin.pages.dot import FACTS_BLUE, table
from huggin.pages.facts import Row, in_columns
from huggin.recording.reader import Recording

LABELS = 16  # characters of the labels of facts
ALONE = 100  # characters of the texts of a single run
WIDE = 160  # characters of the texts of several runs, across the page


def facts_of_runs(runs: Sequence[Recording], texts: Sequence[Sequence[Row]]) -> Block:
    """Facts of one or several runs in one table, each run's first fact in its colour."""
    heads = ("black", *(run.colour for run in side_by_side(runs)))
    width = ALONE if len(runs) == 1 else max(30, WIDE // len(runs))
    return text_block(table(in_columns(texts), FACTS_BLUE, (LABELS, *[width] * len(runs)), heads))

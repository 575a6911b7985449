"""Recording -> a data map: how sure of each given answer the model was, and how steadily.

Source: Dataset Cartography, Swayamdipta et al. 2020, https://arxiv.org/abs/2009.10795
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from huggin.analysis.suspects import losses_by_pass
from huggin.graphs.style import END, QUIET, legend_above, new_figure
from huggin.recording.reader import Recording

CORNERS = (("easy to learn", 0.01, 0.97), ("ambiguous", 0.99, 0.5), ("hard to learn", 0.01, 0.03))


def draw_data_map(run: Recording, suspects: Sequence[int] = ()) -> dict[str, Figure]:
    """`questions-suspects`: confidence by variability over the passes, a dot a question.

    suspects: indices of the questions to mark. Losses that are not finite are left out. Empty if
    every question was seen once.
    """
    losses = losses_by_pass(run.questions)
    known = np.isfinite(losses.loss)
    passes = int(known.any(axis=0).sum())
    if passes < 2:
        return {}
    chance = np.exp(-np.where(known, losses.loss, np.nan)[known.any(axis=1)] / 2)
    confidence = np.nanmean(chance, axis=1)
    variability = np.nanstd(chance, axis=1)
    marked = np.isin(losses.index[known.any(axis=1)], suspects)
    figure = new_figure(7, 5.5, f"Data map of the training questions, over {passes} passes")
    axes = figure.subplots()
    axes.plot(variability, confidence, ".", color=QUIET, alpha=0.6, label="question")
    label = f"the {marked.sum()} most suspicious"
    axes.plot(variability[marked], confidence[marked], "o", color=END, markersize=5, label=label)
    for name, across, up in CORNERS:
        side = "left" if across < 0.5 else "right"
        axes.text(across, up, name, transform=axes.transAxes, ha=side, va="center", style="italic")
    axes.set_xlabel("variability: standard deviation of the probability")
    axes.set_ylabel("confidence: mean probability of the given answer's start and end")
    axes.margins(0.08)
    legend_above(axes)
    return {"questions-suspects": figure}

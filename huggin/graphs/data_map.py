"""Recording -> a data map: how sure of each question's answer the model was, and how steadily.

Source: Dataset Cartography, Swayamdipta et al. 2020, https://arxiv.org/abs/2009.10795
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from huggin.analysis.suspects import losses_by_pass
from huggin.common.errors import UserError
from huggin.graphs.style import END, QUIET, new_figure
from huggin.recording.reader import Recording

NAMED = 10  # suspects with their index beside the point
REGIONS = (("easy to learn", 0.02, 0.97), ("ambiguous", 0.98, 0.5), ("hard to learn", 0.02, 0.06))


def draw_data_map(run: Recording, suspects: Sequence[int] = ()) -> dict[str, Figure]:
    """`questions-suspects`: confidence by variability over the passes, a dot a question.

    suspects: their indices, the most suspicious first. Raises UserError for a single pass.
    """
    losses = losses_by_pass(run.questions)
    chance = losses.probability
    if chance.shape[1] < 2:
        raise UserError(f"{run.run.path}: a data map needs 2 passes or more; train longer")
    confidence = np.nanmean(chance, axis=1)
    variability = np.nanstd(chance, axis=1)
    figure = new_figure(7, 5.5, "Data map of the training questions")
    axes = figure.subplots()
    axes.scatter(
        variability, confidence, s=9, color=QUIET, alpha=0.6, linewidths=0, label="question"
    )
    marked = np.isin(losses.index, suspects)
    label = f"the {marked.sum()} most suspicious"
    axes.scatter(variability[marked], confidence[marked], s=24, color=END, label=label)
    for index in suspects[:NAMED]:
        at = np.flatnonzero(losses.index == index)
        for place in at:
            point = (variability[place], confidence[place])
            axes.annotate(str(index), point, (3, 3), textcoords="offset points", fontsize=7)
    for name, across, up in REGIONS:
        side = "left" if across < 0.5 else "right"
        axes.text(across, up, name, transform=axes.transAxes, ha=side, va="center", style="italic")
    passes = f"over {chance.shape[1]} passes, train mode"
    axes.set_title(f"p = that of the given start times that of the given end, {passes}")
    axes.set(xlabel="variability (standard deviation of p)", ylabel="confidence (mean p)")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlim(left=-0.005)
    axes.legend(loc="center right")
    return {"questions-suspects": figure}

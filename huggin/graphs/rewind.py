"""What rewinding a run found -> bars for each part: loss, right answers, change of the weights."""

import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.analysis.ledger import Sums
from huggin.analysis.rewinding import DISAGREE, Mean, in_words, mean_loss, share_right
from huggin.graphs.style import ACCENT, GOLD, new_figure, plain, say_drawn_for
from huggin.recording.results import Answers, Rewound

PUT_BACK = "#CC6677"  # Paul Tol's "muted"
ALONE = "#88CCEE"
CREDIT = "#542788"  # as in `ledger`
THICK = 0.38  # of a bar; a part has two
WIDE = 118  # characters of a line above the panels

LEDGER = (
    "Rewinding asks the trained model without a part; its bars do not add up. The ledger says what "
    "the part's own change did to the loss of the first tracked question while the model was "
    "trained; its bars add up to {change:+.2f} nats."
)

Measure = Callable[[Answers, Answers], Mean]


def draw_rewound(
    found: Rewound, ledger: Sums | None, name: str = "", of_step: bool = False
) -> dict[str, Figure]:
    """`rewind`: what each part of the model is worth, beside how far its weights have moved.

    ledger: up to the step of the model, drawn in a panel of its own; None if there is none.
    name: of the run, if several are drawn. of_step: call the figure `rewind-step-K`.
    """
    title = "Each part of the model put back to step 0, and trained alone"
    figure = new_figure(13, 2.6 + 0.42 * len(found.parts), title)
    widths = [1.3, 1.1, 0.8, 0.8][: 4 if ledger else 3]
    loss, right, moved, *credits = figure.subplots(1, len(widths), sharey=True, width_ratios=widths)
    _draw_measure(loss, found, mean_loss)
    _draw_measure(right, found, lambda answers, _: share_right(answers))
    _draw_moved(moved, found)
    if ledger:
        _draw_credits(credits[0], found, ledger)
    loss.set_title("\n".join([*([name] if name else []), *_headlines(found, ledger)]))
    loss.set_xlabel("loss (nats)")
    right.set_xlabel("right answers (%)")
    right.set_xlim(-2, 102)
    loss.set_yticks(range(len(found.parts)), [part.part for part in found.parts])
    handles, labels = loss.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    say_drawn_for(figure, step=found.step, questions=len(found.questions), seed=found.seed)
    return {f"rewind-step-{found.step}" if of_step else "rewind": figure}


def _headlines(found: Rewound, ledger: Sums | None) -> list[str]:
    """What was asked, what was found, and why distance and ledger can disagree with it."""
    asked = f"{len(found.questions)} questions of {found.data}"
    about = f"after step {found.step}; {asked}; black lines: 95 % intervals"
    of_ledger = LEDGER.format(change=ledger.net.sum()) if ledger else ""
    return [about, *textwrap.wrap(f"{in_words(found)}. {DISAGREE} {of_ledger}", WIDE)]


def _draw_measure(axes: Axes, found: Rewound, measure: Measure) -> None:
    """Two bars for each part, and dotted lines for the trained and the untrained model."""
    put_back = [measure(part.put_back, found.trained) for part in found.parts]
    alone = [measure(part.alone, found.untrained) for part in found.parts]
    _draw_bars(axes, put_back, THICK / 2, PUT_BACK, "this part put back, the rest trained")
    _draw_bars(axes, alone, -THICK / 2, ALONE, "this part trained, the rest put back")
    trained = measure(found.trained, found.trained).value
    untrained = measure(found.untrained, found.untrained).value
    axes.axvline(trained, color=GOLD, linestyle=":", linewidth=1.6, label="all trained")
    axes.axvline(untrained, color="black", linestyle=":", linewidth=1.6, label="none trained")
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def _draw_bars(axes: Axes, means: Sequence[Mean], shift: float, colour: str, label: str) -> None:
    places = np.arange(len(means)) + shift
    values = np.array([mean.value for mean in means])
    errors = [[mean.value - mean.low for mean in means], [mean.high - mean.value for mean in means]]
    axes.barh(places, values, THICK, color=colour, label=label)
    axes.errorbar(
        values, places, xerr=np.maximum(errors, 0), fmt="none", ecolor="black", elinewidth=1
    )


def _draw_credits(axes: Axes, found: Rewound, ledger: Sums) -> None:
    """What each part did to the loss of the first tracked sample, in the order of the others."""
    net = dict(zip(ledger.parts, ledger.net.tolist(), strict=True))
    credits = [net.get(part.part, 0.0) for part in found.parts]
    axes.barh(range(len(credits)), credits, 2 * THICK, color=CREDIT)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("ledger: change of\nthe loss (nats)")
    axes.locator_params(axis="x", nbins=5)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")


def _draw_moved(axes: Axes, found: Rewound) -> None:
    places = range(len(found.parts))
    axes.barh(places, [part.moved for part in found.parts], 2 * THICK, color=ACCENT)
    axes.set_xlabel("change of a weight\n(root mean square)")
    axes.xaxis.set_major_formatter(plain)
    axes.locator_params(axis="x", nbins=5)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")

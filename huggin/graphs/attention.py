"""The newest answer -> from which tokens each attention head reads: a panel per layer."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs import palette, style
from huggin.graphs.tokens import edges_of_answer
from huggin.recording.answer import AnswerFacts, Attention, read_answer
from huggin.recording.reader import Recording

MOST_LAYERS = 12  # of a figure; more could not be read on a sheet of paper
NAMED = 48  # tokens whose names fit below a panel
LEAST = 0.01  # weights below it have the lightest colour
CLS = 0
CAPTION = (
    "On the right: the token that each head reads most from. Attention says from where a head "
    "reads. It is not importance:\na head that finds nothing to read often looks at [CLS], [SEP] "
    "or a full stop, and what it reads may change nothing in the answer."
)


def draw_attention(recording: Recording) -> dict[str, Figure]:
    """`attention` of the newest answer; of more than 12 layers also `attention-from-layer-13`.

    Empty if the answer was kept without its attention. Raises UserError if there is no answer.
    """
    answer = read_answer(recording.run)
    attention = answer.attention
    if attention is None:
        return {}
    figures = {}
    for first in range(0, len(attention.weights), MOST_LAYERS):
        layers = range(first, min(first + MOST_LAYERS, len(attention.weights)))
        name = "attention" if first == 0 else f"attention-from-layer-{first + 1}"
        figures[name] = _figure(answer.facts, attention, layers)
    return figures


def _figure(facts: AnswerFacts, attention: Attention, layers: range) -> Figure:
    window, explained = facts.window, facts.explained
    whose = "the answer's" if facts.right is None else "the true"
    heads = attention.weights.shape[1]
    columns = len(attention.of)
    height = len(layers) * max(0.85, 0.35 + 0.085 * heads) + 1.6
    title = "From which tokens the answer's tokens read: every attention head of every layer"
    figure = style.new_figure(1.4 + 5.2 * columns, height, title)
    panels = figure.subplots(len(layers), columns, squeeze=False, sharex=True)
    for row, layer in enumerate(layers):
        for column, reader in enumerate(attention.of):
            axes = panels[row, column]
            _draw_heads(axes, attention.weights[layer, :, column], window)
            if row == 0:
                ends = ((explained.gold_start, "start"), (explained.gold_end, "end"))
                read = " and ".join(end for place, end in ends if place == reader)
                role = "the first token" if reader == CLS else f"{whose} {read}"
                axes.set_title(f"{role}, “{short(window.tokens[reader], 20)}” ({reader})")
        panels[row, 0].set_ylabel(f"layer {layer + 1}\nhead", fontsize=8)
    for axes in panels[-1]:
        _name_tokens(axes, window)
    style.add_log_colours(
        panels.ravel(), LEAST, palette.ATTENTION, "attention (log scale)", aspect=50
    )
    figure.supxlabel(CAPTION, fontsize=9)
    index = None if facts.right is None else window.index
    style.say_drawn_for(figure, step=facts.step, question=index)
    return figure


def _draw_heads(axes: Axes, weights: np.ndarray, window: Window) -> None:
    """weights: (heads, tokens)."""
    heads, tokens = weights.shape
    across = style.edges_of(np.arange(tokens))
    up = style.edges_of(np.arange(1, heads + 1))
    style.heat_map(axes, across, up, weights.astype(np.float32), palette.ATTENTION, LEAST)
    axes.set_ylim(heads + 0.5, 0.5)
    axes.set_yticks([1, heads] if heads > 1 else [1])
    axes.tick_params(labelsize=6)
    if window.has_answer:
        for edge in edges_of_answer(window):
            axes.axvline(edge, color=palette.GOLD, linewidth=0.8)
    for place in range(1, tokens):
        if window.parts[place] != window.parts[place - 1]:  # question, [SEP], context, [SEP]
            axes.axvline(place - 0.5, color=palette.QUIET, linewidth=0.5, linestyle=":")
    _name_most(axes, weights, window)


def _name_most(axes: Axes, weights: np.ndarray, window: Window) -> None:
    """Write beside each head the token that it reads most from, and how much."""
    most = weights.argmax(axis=1)
    names = [
        f"{short(window.tokens[token], 12)} {weights[head, token]:.2f}"
        for head, token in enumerate(most)
    ]
    beside = axes.twinx()
    beside.set_ylim(axes.get_ylim())
    beside.set_yticks(range(1, len(names) + 1), names, fontsize=5)
    beside.tick_params(length=0, pad=1)
    beside.grid(visible=False)


def _name_tokens(axes: Axes, window: Window) -> None:
    """The names of the tokens below the lowest panel, if they fit."""
    notes = "dotted: question | context" + ("; green: the true answer" if window.has_answer else "")
    if len(window.tokens) > NAMED:
        axes.set_xlabel(f"token's place ({notes})", fontsize=8)
        return
    axes.set_xticks(range(len(window.tokens)), window.tokens, rotation=90, family="monospace")
    axes.set_xlabel(f"token ({notes})", fontsize=8)

"""The newest answer -> the attention heads that stand out, and the words that they read."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from huggin.common.text import short
from huggin.common.window import Window
from huggin.graphs import palette, style
from huggin.graphs.tokens import edges_of_answer
from huggin.recording.answer import AnswerFacts, Attention, read_answer
from huggin.recording.reader import Recording

STANDS_OUT = 0.2  # of its attention that a head gives to one word
MOST_HEADS = 20  # for one reader
MOST_TOKENS = 48  # beside each other; of a longer window those that the heads read most
LEAST = 0.01  # weights below it have the lightest colour
CLS = 0
CAPTION = (
    "Attention says from where a head reads. It is not importance: what it reads may change "
    "nothing in the answer. Heads that read mostly [CLS], [SEP] or punctuation are left out."
)


def draw_attention(recording: Recording) -> dict[str, Figure]:
    """`attention` of the newest answer: a panel for each token that reads.

    Empty if the answer was kept without its attention. Raises UserError if there is no answer.
    """
    answer = read_answer(recording.run)
    if answer.attention is None:
        return {}
    return {"attention": _figure(answer.facts, answer.attention)}


def _figure(facts: AnswerFacts, attention: Attention) -> Figure:
    weights = attention.weights.astype(np.float32).transpose(2, 0, 1, 3)
    weights = weights.reshape(len(attention.of), -1, weights.shape[-1])  # (readers, heads, tokens)
    shown = [_standing_out(values, facts.window) for values in weights]
    heads = attention.weights.shape[1]
    names = [[f"layer {at // heads + 1}, head {at % heads + 1}" for at in some] for some in shown]
    most = max(map(len, shown))
    title = f"Which attention heads read a word: at most {most} of {weights.shape[1]}"
    height = 2.6 + 0.19 * most
    figure = style.new_figure(1.6 + 5.6 * len(shown), height, title)
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, reader, values, some, called in zip(
        panels, attention.of, weights, shown, names, strict=True
    ):
        role = _role(facts, reader)
        token = f"“{short(facts.window.tokens[reader], 20)}” ({reader})"
        axes.set_title(f"{role}, {token}: {len(some)} of {len(values)} heads")
        if len(some):
            _draw_heads(axes, values[some], called, facts.window)
        else:
            axes.set_axis_off()
    label = "attention (log scale)"
    style.add_log_colours(panels, LEAST, palette.ATTENTION, label, aspect=30)
    figure.supxlabel(textwrap.fill(CAPTION, 60 * len(shown)), fontsize=9)
    index = None if facts.right is None else facts.window.index
    style.say_drawn_for(figure, step=facts.step, question=index)
    return figure


def _role(facts: AnswerFacts, reader: int) -> str:
    """What a token that reads is."""
    ends = ((facts.explained.gold_start, "start"), (facts.explained.gold_end, "end"))
    read = " and ".join(end for place, end in ends if place == reader)
    whose = "the answer's" if facts.right is None else "the true"
    return "the first token" if reader == CLS else f"{whose} {read}"


def _standing_out(weights: np.ndarray, window: Window) -> np.ndarray:
    """The heads that give most of their attention to a word, in their order.

    weights: (heads, tokens).
    """
    is_word = [
        part != "special" and any(map(str.isalnum, token))
        for part, token in zip(window.parts, window.tokens, strict=True)
    ]
    most = weights.max(axis=1)
    stand_out = np.array(is_word)[weights.argmax(axis=1)] & (most >= STANDS_OUT)
    strongest = np.argsort(-np.where(stand_out, most, -1), kind="stable")[:MOST_HEADS]
    return np.sort(strongest[stand_out[strongest]])


def _draw_heads(axes: Axes, weights: np.ndarray, names: list[str], window: Window) -> None:
    """weights: (heads, tokens) of those that are shown, as many names."""
    strongest = np.argsort(-weights.max(axis=0), kind="stable")[:MOST_TOKENS]
    tokens = np.sort(strongest)
    across = style.edges_of(np.arange(len(tokens)))
    up = style.edges_of(np.arange(len(names)))
    style.heat_map(axes, across, up, weights[:, tokens], palette.ATTENTION, LEAST)
    axes.invert_yaxis()
    axes.set_yticks(range(len(names)), names, fontsize=7)
    words = [window.tokens[token] for token in tokens]
    axes.set_xticks(range(len(words)), words, rotation=90, fontsize=7, family="monospace")
    left_out = len(window.tokens) - len(tokens)
    notes = ["between the green lines: the true answer"] if window.has_answer else []
    notes += [f"{left_out} tokens that they hardly read are left out"] if left_out else []
    axes.set_xlabel(f"token read ({'; '.join(notes)})" if notes else "token read", fontsize=8)
    if window.has_answer:
        for edge in edges_of_answer(window):
            axes.axvline(np.searchsorted(tokens, edge) - 0.5, color=palette.GOLD, linewidth=1)

"""What figures say: titles from the numbers, marks of resumes, bars for a few points."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

import huggin
from huggin.analysis.learning import when_learned
from huggin.analysis.questions import all_in_one, running
from huggin.graphs.attention import STANDS_OUT, draw_attention
from huggin.graphs.logits import draw_logits
from huggin.graphs.losses import draw_losses
from huggin.graphs.questions import draw_kinds
from huggin.graphs.weights import draw_weights
from huggin.recording.answer import Attention, write_answer
from huggin.recording.reader import Recording
from huggin.recording.schema import RecordingWriter
from tests.recording.test_answer import answer
from tests.recordings import window, write_run

KINDS = ("losses", "weights", "logits", "layers", "questions")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_no_text_that_is_drawn_is_a_formula(tiny_run, kind):
    for name, figure in huggin.figures(tiny_run, kind).figures.items():
        figure.draw_without_rendering()
        texts = [text.get_text() for text in figure.findobj(Text)]
        assert [text for text in texts if "\\math" in text] == [], name


def test_the_title_says_since_when_it_is_right(tiny_run):
    recording = Recording(tiny_run)
    learned = when_learned(recording.probes(), recording.tracked())
    title = draw_logits(recording)["logits"].get_suptitle().replace("\n", " ")
    if learned.right_since is None:
        assert title.endswith((": never right", ": wrong at the end"))
    else:
        assert title.endswith(f": right from step {learned.right_since:,} on")


def steps_of(folder, segments: list[range], loss=lambda step: 4.0 - step) -> Recording:
    """A run whose training was stopped and resumed: a segment of steps each time."""
    run = write_run(folder, 4, window())
    for steps in segments:
        writer = RecordingWriter(run, 4)
        numbers = dict.fromkeys(("epoch", "learning_rate", "grad_norm"), 0.0)
        for step in steps:
            weight = np.full(8, step, np.float32)
            more = {"weight": weight, "bias": weight[:2]}
            writer.append("steps", step=step, loss=loss(step), **numbers, **more)
        writer.close()
    return Recording(run.path)


def test_resumes_are_marked_in_all_panels_and_named_once(tmp_path):
    drawn = draw_losses(steps_of(tmp_path, [range(2), range(2, 4)]))["losses"]
    assert drawn.get_suptitle() == "Training loss: 4 at the beginning, 1 at the end"
    for axes in drawn.axes:
        marks = [line for line in axes.lines if set(line.get_xdata()) == {2}]
        assert len(marks) == 1
    labels = drawn.axes[0].get_legend_handles_labels()[1]
    assert labels.count("resumed at step 2") == 1
    once = draw_losses(steps_of(tmp_path / "once", [range(4)]))["losses"]
    assert not any("resumed" in label for label in once.axes[0].get_legend_handles_labels()[1])


def test_nodes_are_named_once_and_the_title_has_the_largest_change(tmp_path):
    drawn = draw_weights(steps_of(tmp_path, [range(4)]))["weights"]
    assert drawn.get_suptitle() == "Weights of the head by node: none changed by more than 3"
    named = [[text.get_text() for text in axes.texts] for axes in drawn.axes]
    assert named[:2] == [[], []]
    assert [sorted(some) for some in named[2:]] == [["0", "1", "2", "3"]] * 2


def test_few_points_are_bars_with_intervals(tiny_run):
    recording = Recording(tiny_run)
    kinds = all_in_one(recording.questions)
    assert len(running(recording.questions, kinds).middles) < 4
    (drawn,) = draw_kinds(recording, kinds=[kinds]).values()
    whole = running(recording.questions, kinds, most=1)
    for axes, values in zip(drawn.axes, (whole.loss, whole.right), strict=True):
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(values[0])
        (whiskers,) = axes.collections
        assert len(whiskers.get_segments()) == 1
        assert axes.lines == [] or all(line.get_linestyle() == "None" for line in axes.lines)


def test_only_heads_that_read_a_word_are_drawn_and_the_others_counted(tmp_path):
    run = write_run(tmp_path, 2, window())
    kept = answer(8)
    # of four heads: reads [CLS]; reads the word; reads it too little; reads [SEP]
    rows = [[1, 0, 0], [0.25, 0.75, 0], [0.9, 0.1, 0], [0, 0.25, 0.75]]
    weights = np.array(rows, np.float16).reshape(1, 4, 1, 3)
    write_answer(run, replace(kept, attention=Attention([1], weights)))
    drawn = draw_attention(Recording(run.path))["attention"]
    axes = drawn.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["layer 1, head 2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["[CLS]", "x", "[SEP]"]
    np.testing.assert_array_equal(axes.collections[0].get_array(), [rows[1]])
    assert axes.get_title(loc="left").endswith(": 1 of 4 heads")
    assert rows[1][1] >= STANDS_OUT

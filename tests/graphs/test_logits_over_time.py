"""Learning over time: heat maps of what was recorded, and the table of the tracked samples."""

import numpy as np

from huggin.analysis.learning import flips_in_words, table_of_samples
from huggin.graphs.logits import draw_logits_over_time
from huggin.graphs.palette import GOLD
from huggin.graphs.style import edges_of
from huggin.recording.reader import Probes, Recording
from tests.graphs.test_figures import long_run  # noqa: F401


def maps_of(figure):
    return [
        axes.collections[0].get_array()
        for axes in figure.axes
        if axes.get_ylabel().startswith("step (")
    ]


def test_the_map_is_what_was_recorded(pretrained_run):
    recording = Recording(pretrained_run)
    for sample in range(3):
        probes = recording.probes(sample)
        (figure,) = draw_logits_over_time(recording, sample=sample).values()
        start, end = maps_of(figure)
        np.testing.assert_array_equal(start, probes.start_logits)
        np.testing.assert_array_equal(end, probes.end_logits)
        trace = next(
            line for line in figure.axes[0].lines if line.get_label() == "the model's answer"
        )
        np.testing.assert_array_equal(trace.get_xdata(), probes.predicted_start)
        np.testing.assert_array_equal(trace.get_ydata(), probes.step)
        window = recording.tracked(sample)
        gold = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_color() == GOLD]
        assert gold == [window.gold_start - 0.5, window.gold_end + 0.5]


def test_rows_of_the_map_are_around_their_steps():
    assert edges_of(np.array([0, 2, 10])).tolist() == [-1, 1, 6, 14]
    assert edges_of(np.array([5])).tolist() == [4.5, 5.5]


def test_a_long_sample_of_one_probe_is_mapped(long_run):  # noqa: F811
    (figure,) = draw_logits_over_time(Recording(long_run.path)).values()
    assert len(maps_of(figure)) == 2


def spans(recording, sample, pairs):
    """The recording, with other predicted spans of a sample."""
    probes = recording.probes(sample)
    start, end = np.array(pairs).T
    replaced = Probes(**{**vars(probes), "predicted_start": start, "predicted_end": end})
    recording.probes = lambda wanted=0: (
        replaced if wanted == sample else Recording(recording.run.path).probes(wanted)
    )
    return recording


def test_first_right_and_flips_in_the_table(pretrained_run):
    recording = Recording(pretrained_run)
    window = recording.tracked(1)
    gold = (window.gold_start, window.gold_end)
    recording = spans(recording, 1, [(1, 1), gold, (1, 1), gold, gold, gold, gold, gold, gold])
    assert flips_in_words(recording, 1) == (
        "sample 1: first right at step 1, turned wrong or right again at 2; 3, right at the end"
    )
    lines = table_of_samples(recording).splitlines()
    assert len(lines) == 4
    assert lines[2].split()[:6] == ["1", str(window.index), "1", "3", "3", "right"]
    assert lines[2].endswith(window.question)


def test_of_a_window_without_an_answer_nothing_is_said_to_be_right_or_wrong(pretrained_run):
    recording = Recording(pretrained_run)
    recording.facts.samples[0].__dict__.update(gold_start=0, gold_end=0)
    said = "sample 0: its window holds no answer, so nothing tells when it was right"
    assert flips_in_words(recording) == said
    assert table_of_samples(recording).splitlines()[1].split()[2:6] == ["-", "0", "-", "-"]


def test_never_right_is_said(pretrained_run):
    recording = spans(Recording(pretrained_run), 0, [(1, 1)] * 9)
    assert flips_in_words(recording) == "sample 0: never answered right"
    assert table_of_samples(recording).splitlines()[1].split()[2:6] == ["-", "0", "-", "wrong"]

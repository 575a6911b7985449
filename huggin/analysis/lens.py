"""The QA head on every layer's output -> how probable the true answer is there, and when it won.

The head on a layer says what the head makes of that layer's output. It was trained on the last
layer's output alone, so an early layer can hold an answer that the head does not find. One kept
answer is read in the same way, and by its shares of nodes.
"""

from dataclasses import dataclass

import numpy as np

from huggin.analysis.learning import NO_ANSWER, is_right
from huggin.analysis.nodes import ROUNDINGS, Snapshots, beside_probes, tolerance, unit_of, untrue_at
from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.common.text import in_columns
from huggin.common.window import Window
from huggin.recording.answer import AnswerInside
from huggin.recording.reader import LensLogits, Recording

OTHERWISE = "the model transforms its last output before its head, or computes in another precision"


@dataclass(frozen=True)
class LayerAnswers:
    """How the head on each layer does with a tracked sample; first axis = probes."""

    step: np.ndarray  # (probes,)
    probability: np.ndarray  # (probes, 2, layers + 1) of the true start and the true end
    right: np.ndarray  # (probes, layers + 1) bool: the best span is the true answer

    @property
    def lowest_right(self) -> np.ndarray:
        """The lowest layer whose best span is right, (probes,) float; NaN if none is."""
        return np.where(self.right.any(axis=1), self.right.argmax(axis=1), np.nan)

    def first_right(self, layer: int) -> int | None:
        """The first probed step at which the best span of the head on `layer` is right."""
        steps = self.step[self.right[:, layer]]
        return int(steps[0]) if len(steps) else None


def true_lens(recording: Recording, sample: int = 0) -> LensLogits:
    """The lens of a tracked sample, checked.

    Raises UserError if there is none, or if its last row is not what the model itself computed.
    """
    lens = recording.lens(sample)
    ours, own = beside_probes(recording.probes(sample), lens.step)
    last = np.stack([lens.start_logits[ours, -1], lens.end_logits[ours, -1]], axis=1)
    limit = lens_tolerance(own, unit_of(recording))
    if at := untrue_at(lens.step[ours], last, own, limit):
        what = f"{recording.run.path}: the head on the last layer is not the model's own answer"
        raise UserError(f"{what} ({at}, sample {sample}); no layers are drawn")
    return lens


def lens_tolerance(logits: np.ndarray, unit: float) -> np.ndarray:
    """How far rounding can take the lens from the model's logits, of the same shape (.., tokens).

    unit: the relative error of one rounding. The largest logit of a row stands for the size of the
    terms that were added up.
    """
    size = np.abs(np.where(np.isfinite(logits), logits, 0))
    return ROUNDINGS * unit * (size + size.max(axis=-1, keepdims=True))


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The softmax over the tokens, the last axis, as in the loss: all tokens take part."""
    shifted = logits.astype(np.float32)
    exponents = np.exp(shifted - shifted.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def layer_answers(recording: Recording, sample: int = 0) -> LayerAnswers:
    """How the head on each layer does with a tracked sample.

    Raises UserError as `true_lens` does.
    """
    window = recording.tracked(sample)
    lens = true_lens(recording, sample)
    start = probabilities(lens.start_logits)[..., window.gold_start]
    end = probabilities(lens.end_logits)[..., window.gold_end]
    right = right_spans(recording, lens, window)
    # The lens is rounded to float16, in which two spans may have the same score: the last layer is
    # right where the model's own answer, as recorded, was right.
    probes = recording.probes(sample)
    _, ours, theirs = np.intersect1d(lens.step, probes.step, return_indices=True)
    predicted = (probes.predicted_start[theirs], probes.predicted_end[theirs])
    right[ours, -1] = is_right(*predicted, window)
    return LayerAnswers(lens.step, np.stack([start, end], axis=1), right)


def right_spans(recording: Recording, lens: LensLogits, window: Window) -> np.ndarray:
    """Whether each layer's best span is the true answer, (probes, layers)."""
    facts = recording.facts
    starts = _candidates(lens.start_logits, window, facts.n_best_size)
    ends = _candidates(lens.end_logits, window, facts.n_best_size)
    return is_right(*best_span(starts, ends, facts.max_answer_length), window)


def _candidates(logits: np.ndarray, window: Window, n_best: int) -> np.ndarray:
    """The `n_best` highest logits of each row if they are of the context, -inf elsewhere."""
    values = np.nan_to_num(logits.astype(np.float32), nan=-np.inf, neginf=-np.inf)
    tokens = values.shape[-1]
    least = np.sort(values, axis=-1)[..., max(0, tokens - n_best), None]
    in_context = np.array(window.parts) == "context"
    return np.where((values >= least) & in_context, values, -np.inf)


def best_span(starts: np.ndarray, ends: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last token of the best pair in each row; -1 if no pair is valid.

    starts, ends: (.., tokens), -inf for a token that cannot be one. A pair is in order, and at
    most `longest` tokens long.
    """
    best = np.full(starts.shape[:-1], -np.inf, np.float32)
    first = np.full(best.shape, -1)
    last = np.full(best.shape, -1)
    tokens = starts.shape[-1]
    for more in range(min(longest, tokens)):  # tokens after the first
        scores = starts[..., : tokens - more] + ends[..., more:]
        place = scores.argmax(axis=-1)
        score = np.take_along_axis(scores, place[..., None], axis=-1)[..., 0]
        better = score > best
        best = np.where(better, score, best)
        first = np.where(better, place, first)
        last = np.where(better, place + more, last)
    return first, last


def table_of_layers(recording: Recording, sample: int = 0) -> str:
    """A row per layer: when the head on it was first right, how often, and the probabilities."""
    found = layer_answers(recording, sample)
    ends = ("true start: first, last probe", "true end: first, last")
    rows = [("layer", "first right", "right at probes", *ends)]
    for layer in range(found.right.shape[1]):
        first = found.first_right(layer)
        at = "-" if first is None else f"step {first}"
        start, end = found.probability[:, :, layer].T
        known = (f"{start[0]:.3f}, {start[-1]:.3f}", f"{end[0]:.3f}, {end[-1]:.3f}")
        rows.append((str(layer), at, f"{found.right[:, layer].mean():.0%}", *known))
    return "\n".join([*in_columns(rows, left=()), layers_in_words(recording, sample)])


def layers_in_words(recording: Recording, sample: int = 0) -> str:
    """The lowest layer with which the head is right: the first time, and at the last probe."""
    if not recording.tracked(sample).has_answer:
        return f"sample {sample}: {NO_ANSWER}"
    found = layer_answers(recording, sample)
    lowest = found.lowest_right
    known = np.flatnonzero(np.isfinite(lowest))
    if not len(known):
        return f"sample {sample}: the head is not right on any layer at any probe"
    first = f"first right at step {found.step[known[0]]:,}, on layer {lowest[known[0]]:.0f}"
    end = f"the lowest layer on which it is right is {lowest[-1]:.0f}"
    if np.isnan(lowest[-1]):
        end = "it is right on no layer"
    last = f"at the last probe, step {found.step[-1]:,}"
    return f"sample {sample}: the head is {first}; {last}, {end}"


def snapshot_of_answer(recording: Recording, answer: AnswerInside) -> Snapshots:
    """The head and its input while the answer was given, as the only snapshot.

    Raises UserError if the head of that step is not recorded, or if the shares do not add up to
    the answer's logits.
    """
    weight, bias = _head(recording, answer)
    sites = _sites(answer, "head") or _sites(answer, "out")
    if not sites:
        raise UserError("what the head received was not kept with the answer")
    inputs = answer.activations[sites[-1]]
    step = np.array([answer.facts.step])
    found = Snapshots(step, inputs[None], weight[None], bias[None])
    limit = tolerance(found, unit_of(recording))
    if untrue_at(step, found.logits(), _logits_of(answer), limit):
        raise UserError(f"the recorded nodes do not add up to the answer's logits: {OTHERWISE}")
    return found


def lens_of_answer(recording: Recording, answer: AnswerInside) -> tuple[LensLogits, np.ndarray]:
    """The head on the output of each layer while the answer was given, from layer 1 on.

    And whether each layer's best span is the true answer, (1, layers).

    Raises UserError as `snapshot_of_answer` does, and if the head cannot be applied to a layer.
    """
    weight, bias = _head(recording, answer)
    outputs = _sites(answer, "out")
    if not outputs or _sites(answer, "head"):
        raise UserError(f"the head cannot be applied to every layer's output: {OTHERWISE}")
    states = np.stack([answer.activations[site] for site in outputs]).astype(np.float32)
    logits = np.einsum("rh,lth->lrt", weight, states) + bias[:, None]
    step = np.array([answer.facts.step])
    own = _logits_of(answer)
    if untrue_at(step, logits[-1:], own, lens_tolerance(own, unit_of(recording))):
        raise UserError(f"the head on the last layer is not the model's own answer: {OTHERWISE}")
    halves = logits.astype(np.float16)[None]
    lens = LensLogits(step, halves[:, :, 0], halves[:, :, 1])
    return lens, right_spans(recording, lens, answer.facts.explained)


def _head(recording: Recording, answer: AnswerInside) -> tuple[np.ndarray, np.ndarray]:
    """The head's weight (2, hidden) and bias (2,) at the answer's step."""
    steps = recording.steps
    places = np.flatnonzero(steps.step == answer.facts.step)
    if not len(places):
        raise UserError(f"the head of step {answer.facts.step} is not in the recording")
    return steps.weight[places[0]], steps.bias[places[0]]


def _sites(answer: AnswerInside, component: str) -> list[Site]:
    """The sites of a component, in order."""
    return sorted(site for site in answer.activations if site.component == component)


def _logits_of(answer: AnswerInside) -> np.ndarray:
    """(1, 2, tokens)."""
    return np.stack([answer.start_logits, answer.end_logits])[None]

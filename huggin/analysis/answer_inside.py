"""One kept answer -> its shares of nodes, and the QA head on the output of every layer."""

import numpy as np

from huggin.analysis.lens import tolerance as tolerance_of_lens
from huggin.analysis.nodes import BFLOAT, HALF, Snapshots, tolerance
from huggin.common.errors import UserError
from huggin.common.site import Site
from huggin.recording.answer import AnswerInside
from huggin.recording.reader import LensLogits, Recording

OTHERWISE = "the model transforms its last output before its head, or computes in another precision"


def snapshot_of_answer(recording: Recording, answer: AnswerInside) -> Snapshots:
    """The head and its input while the answer was given, as the only snapshot.

    Raises UserError if the head of that step is not recorded, or if the shares do not add up to
    the answer's logits.
    """
    weight, bias = _head(recording, answer)
    inputs = answer.activations[_input_site(answer)]
    step = np.array([answer.facts.step])
    found = Snapshots(step, inputs[None], weight[None], bias[None])
    own = _own_logits(answer)
    off = np.abs(found.logits()[0] - own)
    if not (off <= tolerance(found, _unit(recording))[0]).all():
        raise UserError(f"the recorded nodes do not add up to the answer's logits: {OTHERWISE}")
    return found


def lens_of_answer(recording: Recording, answer: AnswerInside) -> LensLogits:
    """The head on the output of each layer while the answer was given, from layer 1 on.

    Raises UserError as `snapshot_of_answer` does, and if the head cannot be applied to a layer.
    """
    weight, bias = _head(recording, answer)
    outputs = _outputs(answer)
    if not outputs or any(site.component == "head" for site in answer.activations):
        raise UserError(f"the head cannot be applied to every layer's output: {OTHERWISE}")
    states = np.stack([answer.activations[site] for site in outputs]).astype(np.float32)
    logits = np.einsum("rh,lth->lrt", weight, states) + bias[:, None]
    own = _own_logits(answer)
    if not (np.abs(logits[-1] - own) <= tolerance_of_lens(own, _unit(recording))).all():
        raise UserError(f"the head on the last layer is not the model's own answer: {OTHERWISE}")
    step = np.array([answer.facts.step])
    halves = logits.astype(np.float16)[None]
    return LensLogits(step, halves[:, :, 0], halves[:, :, 1])


def _head(recording: Recording, answer: AnswerInside) -> tuple[np.ndarray, np.ndarray]:
    """The head's weight (2, hidden) and bias (2,) at the answer's step."""
    steps = recording.steps
    places = np.flatnonzero(steps.step == answer.facts.step)
    if not len(places):
        raise UserError(f"the head of step {answer.facts.step} is not in the recording")
    return steps.weight[places[0]], steps.bias[places[0]]


def _outputs(answer: AnswerInside) -> list[Site]:
    """The sites of the layers' outputs, in order."""
    return sorted(site for site in answer.activations if site.component == "out")


def _input_site(answer: AnswerInside) -> Site:
    """What the head received. Raises UserError if it was not kept."""
    heads = [site for site in answer.activations if site.component == "head"]
    sites = heads or _outputs(answer)
    if not sites:
        raise UserError("what the head received was not kept with the answer")
    return max(sites)


def _own_logits(answer: AnswerInside) -> np.ndarray:
    """(2, tokens)."""
    return np.stack([answer.start_logits, answer.end_logits])


def _unit(recording: Recording) -> float:
    return BFLOAT if recording.facts.uses_bf16 else HALF

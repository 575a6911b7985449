"""Questions that were asked -> the run's folder: the efficacy, and one answer from the inside."""

from collections.abc import Sequence

import numpy as np
from transformers import PreTrainedModel

from huggin.asking.examination import Examination
from huggin.asking.questions import Asked
from huggin.common.streams import warn
from huggin.common.window import Window
from huggin.model.hooks import attention_rows, find_sites
from huggin.recording.answer import AnswerInside, Attention, write_answer
from huggin.recording.probe import probe
from huggin.recording.results import Efficacy, keep_efficacy
from huggin.recording.run_folder import one_at_a_time

CLS = 0  # its place in a window


def keep(examination: Examination, asked: Sequence[Asked], efficacy: Efficacy | None) -> None:
    """Keep the efficacy, if given, and the inside of the first right answer, else the last."""
    run = examination.run
    run.recording.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(run.recording):
        if efficacy:
            keep_efficacy(run, efficacy)
        look_inside(examination, next((one for one in asked if one.right), asked[-1]))


def look_inside(examination: Examination, one: Asked) -> None:
    """Ask a question again with hooks on every layer, and keep what they recorded.

    The attention of the true start, the true end and [CLS] comes from one more pass.
    """
    model = examination.model
    facts = examination.facts_of(one)
    seen = probe(model, facts.window, find_sites(model, "all", facts.window), examination.data)
    answer = AnswerInside(
        facts,
        seen.start_logits,
        seen.end_logits,
        seen.activations,
        attention_of_answer(model, facts.window),
    )
    write_answer(examination.run, answer)


def attention_of_answer(model: PreTrainedModel, window: Window) -> Attention | None:
    """Where the true start, the true end and [CLS] look; None, and said, if it cannot be known."""
    tokens = list(dict.fromkeys([window.gold_start, window.gold_end, CLS]))
    weights = attention_rows(model, window.inputs, tokens)
    if weights is None or not np.isfinite(weights).all():
        warn(f"{type(model).__name__}: gives no attention weights; the answer is kept without them")
        return None
    return Attention(tokens, weights)

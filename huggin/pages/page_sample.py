"""A tracked sample of a recording -> what the page shows of it: texts, and packed arrays.

What the recording lacks is None, and `missing` says why.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from huggin.analysis.learning import margins_over_time, when_learned
from huggin.analysis.lens import layer_answers, probabilities
from huggin.analysis.nodes import Snapshots, largest_both_ways, snapshots, top_shares
from huggin.common.errors import UserError
from huggin.common.window import Window
from huggin.pages.packing import packed
from huggin.pages.page_texts import pieces_of, shown
from huggin.recording.reader import LensLogits, Probes, Recording

PER_NAT = 16  # steps of a lens' log probability: each is 6 % of the probability
LEAST_LIKELY = 255  # of these steps: 1.2e-7 and below
TOP_OF_MARGIN = 5  # nodes each way of a margin
Page = dict[str, Any]  # what becomes JSON


def page_of_sample(recording: Recording, sample: int) -> Page:
    """Everything that the page shows of a tracked sample."""
    window = recording.tracked(sample)
    page: Page = {**page_of_window(window), "number": sample, "missing": {}}
    page["probes"] = found_or_why(page, "probes", lambda: _probes(recording, sample))
    page["learned"] = found_or_why(page, "learned", lambda: _learned(recording, sample))
    page["lens"] = found_or_why(page, "lens", lambda: _lens(recording, sample))
    page["shares"] = found_or_why(page, "shares", lambda: _shares(recording, sample))
    return page


def page_of_window(window: Window) -> Page:
    """A question and its tokens."""
    gold = [window.gold_start, window.gold_end] if window.has_answer else None
    return {
        "index": window.index,
        "question": shown(window.question),
        "answer": shown(window.answer),
        "gold": gold,
        "pieces": pieces_of(window),
        "parts": "".join(part[0] for part in window.parts),  # s(pecial), q(uestion), c(ontext)
    }


def found_or_why(page: Page, name: str, find: Callable[[], Any]) -> Any:
    """What `find` returns; if it raises UserError, None, and why is kept in page["missing"]."""
    try:
        return find()
    except UserError as error:
        page["missing"][name] = shown(str(error), 500)
        return None


def halves(values: np.ndarray) -> Page:
    """Numbers in float16, packed; those beyond 65504 become infinite."""
    with np.errstate(over="ignore"):
        return packed(values.astype(np.float16))


def _probes(recording: Recording, sample: int) -> Page:
    return page_of_probes(recording.probes(sample), recording.tracked(sample))


def page_of_probes(probes: Probes, window: Window) -> Page:
    """Logits, losses and predicted spans, packed."""
    margins = margins_over_time(probes, window)
    return {
        "step": packed(probes.step.astype(np.int32)),
        "start": halves(probes.start_logits),
        "end": halves(probes.end_logits),
        "start_loss": packed(probes.start_loss.astype(np.float32)),
        "end_loss": packed(probes.end_loss.astype(np.float32)),
        "first": packed(probes.predicted_start.astype(np.int16)),
        "last": packed(probes.predicted_end.astype(np.int16)),
        "margin": packed(margins.astype(np.float32)),
    }


def _learned(recording: Recording, sample: int) -> Page:
    learned = when_learned(recording.probes(sample), recording.tracked(sample))
    return {
        "first_right": learned.first_right,
        "right_since": learned.right_since,
        "flips": learned.flips,
    }


def _lens(recording: Recording, sample: int) -> Page:
    right = layer_answers(recording, sample).right
    return page_of_lens(recording.lens(sample), right, first=0)


def page_of_lens(lens: LensLogits, right: np.ndarray, first: int) -> Page:
    """The head on every layer, packed. right: (probes, layers). first: the number of the first."""
    lowest = np.where(right.any(axis=1), right.argmax(axis=1) + first, -1).astype(np.int16)
    return {
        "first": first,
        "step": packed(lens.step.astype(np.int32)),
        "start": packed(likelihoods(lens.start_logits)),
        "end": packed(likelihoods(lens.end_logits)),
        "lowest_right": packed(lowest),  # -1: the head is right on no layer
        "layers": int(lens.start_logits.shape[1]),
    }


def likelihoods(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis as -log p in steps of 1/PER_NAT, uint8.

    Not a number, and anything less likely than the last step, becomes that step.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = -PER_NAT * np.log(probabilities(logits))
    return np.nan_to_num(steps, nan=LEAST_LIKELY).clip(0, LEAST_LIKELY).round().astype(np.uint8)


def _shares(recording: Recording, sample: int) -> Page:
    return page_of_shares(snapshots(recording, sample), recording.tracked(sample))


def page_of_shares(found: Snapshots, window: Window) -> Page:
    """The largest shares in each token's logits and in the true start's margin, packed."""
    margin = _margin_shares(found, window) if window.has_answer else None
    top = top_shares(found)
    return {
        "step": packed(found.step.astype(np.int32)),
        "nodes": packed(top.nodes),
        "values": halves(top.shares),
        "bias": packed(found.bias.astype(np.float32)),
        "logits": halves(found.logits()),
        "hidden": int(found.weight.shape[-1]),
        "margin": margin,
    }


def _margin_shares(found: Snapshots, window: Window) -> Page | None:
    """The largest shares in the margin of the true start over its last best rival."""
    try:
        rival = found.rival(-1, window)
    except UserError:
        return None
    shares = found.margin_shares(window.gold_start, rival)
    nodes, values = largest_both_ways(shares, TOP_OF_MARGIN)
    return {
        "rival": rival,
        "nodes": packed(nodes),
        "values": packed(values.astype(np.float32)),
        "total": packed(shares.sum(axis=1).astype(np.float32)),
    }

"""A tracked sample of a recording -> what the page shows of it: texts, and packed arrays.

What the recording lacks is None, and `missing` says why. Arrays become text without loss:
rearranged, deflated, in base64; the page's codec.js undoes it. The bytes of numbers are sorted by
significance, and neighbours along the first axis, say the same token at two probes, are subtracted
where that makes the text shorter.
"""

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from huggin.analysis.learning import margins_over_time, when_learned
from huggin.analysis.lens import layer_answers, probabilities
from huggin.analysis.nodes import Snapshots, largest_both_ways, snapshots, top_shares
from huggin.analysis.questions import Record
from huggin.analysis.teachers import Teacher, taught_by
from huggin.common.errors import UserError
from huggin.common.text import printable, short
from huggin.common.window import Window
from huggin.recording.reader import LensLogits, Probes, Recording

PER_NAT = 16  # steps of a lens' log probability: each is 6 % of the probability
LEAST_LIKELY = 255  # of these steps: 1.2e-7 and below
TOP_OF_MARGIN = 5  # nodes each way of a margin
TEACHERS = 5  # proponents, and as many opponents
LONGEST = 20_000  # characters of a text that the page shows
LONGEST_TOKEN = 200
CUT = " … (cut)"
GOES_ON = "##"
LEVEL = 6  # of deflate; 9 takes three times as long and saves 1 %

Page = dict[str, Any]  # what becomes JSON
Piece = tuple[str, str]  # what stands before a token, and the token's own text


def page_of_sample(recording: Recording, sample: int, records: Sequence[Record] = ()) -> Page:
    """Everything that the page shows of a tracked sample. records: the training data, if known."""
    window = recording.tracked(sample)
    page: Page = {**page_of_window(window), "number": sample, "missing": {}}
    for name, find in (
        ("probes", lambda: page_of_probes(recording.probes(sample), window)),
        ("learned", lambda: asdict(when_learned(recording.probes(sample), window))),
        ("lens", lambda: _lens(recording, sample)),
        ("shares", lambda: page_of_shares(snapshots(recording, sample), window)),
        ("teachers", lambda: _teachers(recording, sample, records)),
    ):
        page[name] = found_or_why(page, name, find)
    return page


def page_of_window(window: Window) -> Page:
    """A question and its tokens."""
    return {
        "index": window.index,
        "question": shown(window.question),
        "answer": shown(window.answer),
        "gold": [window.gold_start, window.gold_end] if window.has_answer else None,
        "pieces": pieces_of(window),
        "parts": "".join(part[0] for part in window.parts),  # s(pecial), q(uestion), c(ontext)
    }


def found_or_why(page: Page, name: str, find: Callable[..., Any], *values: Any) -> Any:
    """What `find` returns; if it raises UserError, None, and why is kept in page["missing"]."""
    try:
        return find(*values)
    except UserError as error:
        page["missing"][name] = shown(str(error), 500)
        return None


def page_of_probes(probes: Probes, window: Window) -> Page:
    """Logits, losses and predicted spans, packed."""
    return {
        "step": packed(probes.step, np.int32),
        "start": packed(probes.start_logits, np.float16),
        "end": packed(probes.end_logits, np.float16),
        "start_loss": packed(probes.start_loss, np.float32),
        "end_loss": packed(probes.end_loss, np.float32),
        "first": packed(probes.predicted_start, np.int16),
        "last": packed(probes.predicted_end, np.int16),
        "margin": packed(margins_over_time(probes, window), np.float32),
    }


def _lens(recording: Recording, sample: int) -> Page:
    return page_of_lens(recording.lens(sample), layer_answers(recording, sample).right, first=0)


def page_of_lens(lens: LensLogits, right: np.ndarray, first: int) -> Page:
    """The head on every layer, packed. right: (probes, layers). first: the number of the first."""
    lowest = np.where(right.any(axis=1), right.argmax(axis=1) + first, -1).astype(np.int16)
    return {
        "first": first,
        "step": packed(lens.step, np.int32),
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


def page_of_shares(found: Snapshots, window: Window) -> Page:
    """The largest shares in each token's logits and in the true start's margin, packed."""
    margin = _margin_shares(found, window) if window.has_answer else None
    nodes, shares = top_shares(found)
    return {
        "step": packed(found.step, np.int32),
        "nodes": packed(nodes),
        "values": packed(shares, np.float16),
        "bias": packed(found.bias, np.float32),
        "logits": packed(found.logits(), np.float16),
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
        "start": window.gold_start,
        "rival": rival,
        "nodes": packed(nodes),
        "values": packed(values, np.float32),
        "total": packed(shares.sum(axis=1), np.float32),
    }


def _teachers(recording: Recording, sample: int, records: Sequence[Record]) -> Page:
    """The training questions that taught a sample, and its opponents, the first ones each."""
    if not records:
        raise UserError("the texts of the training questions are not known")
    taught = taught_by(recording, records, sample)
    sides = {"proponents": taught.proponents(TEACHERS), "opponents": taught.opponents(TEACHERS)}
    return {side: [_teacher(each) for each in teachers] for side, teachers in sides.items()}


def _teacher(teacher: Teacher) -> Page:
    texts = {"question": teacher.question, "answer": teacher.answer, "shares": teacher.shares}
    numbers = {name: getattr(teacher, name) for name in ("index", "push", "step")}
    return {**numbers, **{name: shown(short(text, 200)) for name, text in texts.items()}}


def shown(text: str, most: int = LONGEST) -> str:
    """A text that can be shown: without control characters, and cut if it is very long."""
    text = printable(text)
    return text if len(text) <= most else text[:most] + CUT


def pieces_of(window: Window) -> list[Piece]:
    """Each token as it is written in the question or the context, and what stands before it.

    A recording that has no places of its tokens gets the tokens' own names, with spaces.
    """
    if len(window.offsets) != len(window.tokens):
        return [_named(at, name) for at, name in enumerate(window.tokens)]
    sources = {"question": window.question, "context": window.context}
    reached: dict[str, int] = {}  # up to which character each text has been shown
    pieces = []
    for at, (part, (begin, end)) in enumerate(zip(window.parts, window.offsets, strict=True)):
        if part not in sources or end <= begin:
            pieces.append((" ", shown(window.tokens[at], LONGEST_TOKEN)))
            continue
        before = reached.get(part, begin)
        goes_on = at > 0 and window.parts[at - 1] == part
        gap = sources[part][before:begin] if goes_on else " "
        own = sources[part][max(begin, before) : end] or window.tokens[at]
        reached[part] = max(end, before)
        pieces.append((shown(gap, LONGEST_TOKEN), shown(own, LONGEST_TOKEN)))
    return pieces


def _named(at: int, name: str) -> Piece:
    """A token by its own name; WordPiece marks those that go on with a word."""
    if name.startswith(GOES_ON) and name != GOES_ON:
        return "", shown(name.removeprefix(GOES_ON), LONGEST_TOKEN)
    return " " if at else "", shown(name, LONGEST_TOKEN)


def packed(array: np.ndarray, kind: Any = None) -> dict[str, Any]:
    """An array as a value of JSON: its dtype, its shape, and its numbers in base64.

    kind: the dtype (default: the array's own). Numbers beyond 65504 are infinite in float16.
    """
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array).astype(kind or array.dtype)
    values = array.astype(array.dtype.newbyteorder("<"))
    plain = zlib.compress(_by_significance(values), LEVEL)
    bits = values.view(np.dtype(f"<u{values.dtype.itemsize}"))
    bits = np.concatenate([bits[:1], bits[1:] - bits[:-1]])  # on the first axis; it wraps around
    differences = zlib.compress(_by_significance(bits), LEVEL)
    is_shorter = len(differences) < len(plain)
    data = differences if is_shorter else plain
    return {
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "differences": is_shorter,
        "data": base64.b64encode(data).decode("ascii"),
    }


def _by_significance(values: np.ndarray) -> bytes:
    """The lowest byte of every number, then the next one of every number, and so on."""
    planes = values.reshape(-1).view(np.uint8).reshape(-1, values.dtype.itemsize)
    return planes.T.tobytes()


def as_script(value: Any) -> str:
    """JSON that can stand in a <script> element, whatever its texts are.

    It is ASCII, and has no `<` that could end the element. Raises ValueError for NaN.
    """
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

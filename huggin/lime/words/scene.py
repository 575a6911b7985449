"""A window of a question and its context -> the scene that LIME works on, and its answers.

    scene = make_text_scene("question 7", window, words, kept, "words", "mask", text_model)

A segment is hidden by hiding its tokens. The probability of a span is P(start) P(end), the softmax
of the start logits at its first token times that of the end logits at its last: what the training
raises, as its loss is -ln P(start) - ln P(end).
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.common.errors import BadValue, UserError
from huggin.common.window import Window
from huggin.lime.predictor import Answers, AnyScene, Rows, Target
from huggin.lime.words.text import LONG, Place, label, only_place, place_of_token, text_of
from huggin.model.device import copy_to_host
from huggin.qa.arguments import DataArguments
from huggin.qa.labels import answer_characters, answer_spans, read_span

TokenSpan = tuple[int, int]  # first and last token
OVER = " over "  # between the two spans of a contrast
NEVER = -1  # the segment of tokens that are never hidden
ON_CPU = 16  # masks at a time
ON_ACCELERATOR = 128
SELDOM = 0.2  # share of the masks below which the model is said to answer otherwise
NEARLY_ALL = 0.95  # share from which on the text is said to matter little


@dataclass(frozen=True)
class TextModel:
    """A model for question answering, in evaluation mode, and its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    data: DataArguments
    fingerprint: str  # a hash that changes when the model's answers may change
    run: str = ""  # its folder
    step: int = 0

    @property
    def batch(self) -> int:
        """How many texts are asked at a time."""
        return ON_CPU if self.model.device.type == "cpu" else ON_ACCELERATOR

    def substitute(self, hide: str) -> int:
        """The token that stands for hidden ones. Raises BadValue if the model has none."""
        name = "mask_token_id" if hide == "mask" else "pad_token_id"
        token = getattr(self.tokenizer, name)
        if token is None:
            raise BadValue("hide", hide, "this model has no such token; choose delete")
        return int(token)


@dataclass(frozen=True)
class TextScene(AnyScene[TokenSpan]):
    """A question and a window of its context, cut into segments; its methods are `AnyScene`'s."""

    window: Window
    kind: str  # of the segments: words, sentences or spans
    hide: str  # how a segment is hidden: mask, delete or pad
    segments: list[Place]
    segment_of: np.ndarray  # (tokens,) int64 the segment of each token; NEVER for some
    text_model: TextModel

    thing = "text"
    in_logs = True

    @property
    def count(self) -> int:
        return len(self.segments)

    @property
    def batch(self) -> int:
        return self.text_model.batch

    @property
    def texts(self) -> list[str]:
        """The text of each segment."""
        return [text_of(self.window, place) for place in self.segments]

    def name_of(self, segment: int) -> str:
        return label(segment, self.texts, self.segments[segment].part, LONG)

    def seen(self, on: np.ndarray) -> np.ndarray:
        """Which tokens masks (masks, segments) bool leave visible: (masks, tokens) bool."""
        return on[:, self.segment_of] | (self.segment_of == NEVER)

    def rows(self, about: tuple[TokenSpan, ...]) -> Rows:
        in_context = torch.tensor([part == "context" for part in self.window.parts])

        def rows(on: np.ndarray) -> np.ndarray:
            start, end = ask_masked(self, torch.from_numpy(self.seen(on)))
            allowed = in_context & start.isfinite()  # others are deleted or padded
            best = best_token_spans(start, end, allowed, self.text_model.data)
            logs = [span_logs(start, end, span) for span in about]
            columns = [pair[0] for pair in logs] + [pair[1] for pair in logs] + list(best.T)
            return torch.stack(columns, dim=1).float().numpy()

        return rows

    def key(self, about: tuple[TokenSpan, ...]) -> str:
        own = self.text_model
        data = own.data
        model = (own.fingerprint, str(own.model.device.type), str(own.model.dtype))
        text = (self.window.inputs, self.hide, self.segment_of.tolist())
        null = (data.version_2_with_negative, data.null_score_diff_threshold)
        facts = (*model, *text, about, (data.max_answer_length, *null))
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def kept(self, target: Target[TokenSpan], answers: Answers[TokenSpan]) -> float:
        return float((answers.best[1:] == answers.best[0]).all(axis=1).mean())

    def kept_in_words(self, target: Target[TokenSpan], kept: float) -> str:
        return f"the model still gives its answer in {100 * kept:.0f} % of the masked texts"

    def doubts(self, kept: float) -> list[str]:
        masked = f"in {100 * kept:.0f} % of the masked texts"
        if kept >= NEARLY_ALL:
            return [f"the model gives its answer {masked}, whatever is hidden"]
        if kept < SELDOM:
            return [f"the model gives its answer only {masked}, which are unlike its training's"]
        return []

    def details(self, answers: Answers[TokenSpan]) -> list[str]:
        first, last = answers.best[1].tolist()
        how = f"of {len(self.window.tokens)} tokens, hidden by {self.hide}"
        answer = answer_text(self.window, (first, last))
        return [
            f"of {len(answers.best)} masked texts {how}",
            f"e.g. the answer to masks[1]: {answer}",
        ]

    def as_json(self, target: Target[TokenSpan]) -> dict[str, Any]:
        owners = self.segment_of[self.segment_of >= 0]
        areas = np.bincount(owners, minlength=self.count) / len(owners)
        rows = zip(self.segments, self.texts, areas.tolist(), strict=True)
        segments = [{**vars(place), "text": text, "area": area} for place, text, area in rows]
        return {"kind": self.kind, "hide": self.hide, "segments": segments}


def make_text_scene(
    window: Window,
    places: Sequence[Place],
    kept: Collection[int],
    kind: str,
    hide: str,
    text_model: TextModel,
) -> TextScene:
    """Turn places into segments.

    kept: tokens that are never hidden. Places without a token that can be hidden are left out. A
    place without a token of its own, as in scripts without blanks, joins the one whose token
    reaches into it.
    Raises UserError if fewer than two segments are left.
    """
    owners = []
    for token in range(len(window.tokens)):
        overlaps = map(place_of_token(window, token).overlaps, places)
        owners.append(next((number for number, shares in enumerate(overlaps) if shares), NEVER))
    hidden = {owner for token, owner in enumerate(owners) if token not in kept}
    numbers: dict[int, int] = {}
    segments: list[Place] = []
    for number, place in enumerate(places):
        if number in hidden:
            numbers[number] = len(segments)
            segments.append(place)
        elif number not in owners:
            inside = (place.overlaps(place_of_token(window, token)) for token in range(len(owners)))
            owner = next(compress(owners, inside), NEVER)  # its token reaches into this place
            if owner in numbers:
                joined = segments[numbers[owner]]
                segments[numbers[owner]] = Place(place.part, joined.first, place.last)
    if len(segments) < 2:
        what = f"{len(segments)} segments can be hidden, two are needed"
        raise UserError(f"{what}; give a longer context, or hide the answer's words, too")
    segment_of = np.array([numbers.get(owner, NEVER) for owner in owners])
    segment_of[list(kept)] = NEVER
    return TextScene(window, kind, hide, segments, segment_of, text_model)


def answer_text(window: Window, span: TokenSpan) -> str:
    """The characters of an answer, as it is printed."""
    if span == (0, 0):
        return "(no answer)"
    return window.context[slice(*read_span(window.context, [places_in_context(window)], 0, span))]


def span_target(
    wanted: str, window: Window, answer: TokenSpan, answers: Mapping[str, Sequence[Any]]
) -> Target[TokenSpan]:
    """`answer`, `gold`, a text of the context, or one of these over another: `answer over gold`.

    window: the one that is explained. answer: the model's. answers: those expected, as in SQuAD.
    Raises BadValue if there is no such span in the window.
    """
    plus, over, minus = wanted.partition(OVER)
    is_contrast = over and wanted not in window.context
    texts = [plus.strip(), minus.strip()] if is_contrast else [wanted]
    spans = [_span_of(text, window, answer, answers) for text in texts]
    if len(set(spans)) < len(texts):
        raise BadValue("explain", wanted, "the two spans must differ")
    return Target(OVER.join(answer_text(window, span) for span in spans), *spans)


def _span_of(
    text: str, window: Window, answer: TokenSpan, answers: Mapping[str, Sequence[Any]]
) -> TokenSpan:
    """The tokens of a span. Raises BadValue if it is not in the window."""
    if text == "answer":
        return answer
    if text == "gold":
        characters = answer_characters(answers)
        if characters is None:
            raise BadValue("explain", text, "this question has no expected answer; give a text")
    else:
        place = only_place(window, text, ["context"], "explain")
        characters = (place.first, place.last)
    (span,) = answer_spans([places_in_context(window)], characters, 0)
    if span is None:
        what = "is not in the part of the context that the model's answer is from"
        raise BadValue("explain", text, f"{what}; give a span of that part")
    return span


def places_in_context(window: Window) -> list[tuple[int, int] | None]:
    """The characters of the context of each token; None for a token that is not in it."""
    pairs = zip(window.offsets, window.parts, strict=True)
    return [place if part == "context" else None for place, part in pairs]


def ask_masked(scene: TextScene, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Start and end logits of texts with hidden tokens, each (texts, tokens) float64 on the CPU.

    seen: (texts, tokens) bool. Tokens are those of the full window. A token that is deleted, or
    padded and so never read, has -inf. Raises UserError if a logit is NaN or infinite.
    """
    text_model = scene.text_model
    if scene.hide == "delete":
        rows = [row.nonzero()[:, 0] for row in seen]
        places = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        attention = seen = places >= 0
    else:
        places = torch.arange(seen.shape[1]).expand(len(seen), -1)
        attention = torch.ones_like(seen) if scene.hide == "mask" else seen
    window = scene.window.inputs.items()
    inputs = {name: torch.tensor(ids)[places.clamp(min=0)] for name, ids in window}
    substitute = "mask" if scene.hide == "mask" else "pad"
    inputs["input_ids"][~seen] = text_model.substitute(substitute)
    inputs["attention_mask"] = attention.long()
    logits = _logits(text_model, inputs)
    shape = (2, len(seen), len(scene.window.tokens))
    full = torch.full(shape, -torch.inf, dtype=torch.float64)
    texts = torch.arange(len(seen))[:, None].expand_as(places)
    full[:, texts[attention], places[attention]] = logits[:, attention]
    return full[0], full[1]


def _logits(text_model: TextModel, inputs: dict[str, Tensor]) -> Tensor:
    """(2, texts, tokens) float64 on the CPU."""
    device = text_model.model.device
    names = text_model.tokenizer.model_input_names
    with torch.inference_mode():
        accepted = {name: ids.to(device) for name, ids in inputs.items() if name in names}
        output = text_model.model(**accepted)
        both = torch.stack([output.start_logits, output.end_logits]).float()
    logits = copy_to_host(both).wait().double()
    if not logits.isfinite().all():
        raise UserError(f"{text_model.name}: its logits are not finite; train it again")
    return logits


def span_logs(start: Tensor, end: Tensor, span: TokenSpan) -> tuple[Tensor, Tensor]:
    """ln p and ln(1 - p) of a span (texts,), exact also where p is near 0 or 1.

    start, end: logits (texts, tokens); -inf for tokens that are not there.
    """
    of_start, not_start = _logs(start, span[0])
    of_end, not_end = _logs(end, span[1])
    return of_start + of_end, torch.logaddexp(not_start, of_start + not_end)


def _logs(logits: Tensor, token: int) -> tuple[Tensor, Tensor]:
    """ln p of a token, and ln of what all others have together, each (texts,)."""
    everything = logits.logsumexp(dim=1)
    others = torch.cat([logits[:, :token], logits[:, token + 1 :]], dim=1)
    return logits[:, token] - everything, others.logsumexp(dim=1) - everything


def best_token_spans(start: Tensor, end: Tensor, allowed: Tensor, data: DataArguments) -> Tensor:
    """First and last token of each text's best span, (texts, 2) int64.

    allowed: (texts, tokens) bool, tokens that can be in an answer. A span is at most
    `max_answer_length` tokens long. With `version_2_with_negative` it is (0, 0), no answer, if
    [CLS] beats the best span by more than `null_score_diff_threshold`.
    """
    length = min(data.max_answer_length, start.shape[1])
    ends = end.masked_fill(~allowed, -torch.inf)
    ends = torch.nn.functional.pad(ends, (0, length - 1), value=-torch.inf)
    best_end, offset = ends.unfold(1, length, 1).max(dim=2)  # (texts, tokens)
    total = start.masked_fill(~allowed, -torch.inf) + best_end
    score, first = total.max(dim=1)
    last = first + offset.gather(1, first[:, None])[:, 0]
    spans = torch.stack([first, last], dim=1)
    if data.version_2_with_negative:
        lead = start[:, 0] + end[:, 0] - score
        spans[lead > data.null_score_diff_threshold] = 0
    return spans

"""LIME's step 2 for texts: masks -> how sure the model is of a span of the context.

predictor = TextPredictor(scene, text_model, targets, Path("predictions.npz"))
predictor.scores(masks, target, "logit")

The probability of a span is P(start) P(end), the softmax of the start logits at its first token
times that of the end logits at its last: what the training raises, as its loss is
-ln P(start) - ln P(end).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.common.errors import BadValue, UserError
from huggin.common.window import Window
from huggin.lime.remembered import Remembered
from huggin.lime.words.scene import TextScene
from huggin.model.device import copy_to_host
from huggin.qa.arguments import DataArguments
from huggin.qa.labels import read_span

TokenSpan = tuple[int, int]  # first and last token
ON_CPU = 16  # masks at a time
ON_ACCELERATOR = 128


@dataclass(frozen=True)
class SpanTarget:
    """What is explained: the score of a span of the window, or of it over another one."""

    name: str
    plus: TokenSpan
    minus: TokenSpan | None = None

    @property
    def spans(self) -> list[TokenSpan]:
        """The span, and the other one if there is one."""
        return [self.plus] if self.minus is None else [self.plus, self.minus]


@dataclass(frozen=True)
class TextModel:
    """A model for question answering, in evaluation mode, and its tokenizer."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    data: DataArguments
    fingerprint: str  # a hash that changes when the model's answers may change

    @property
    def batch(self) -> int:
        """How many texts are asked at a time."""
        return ON_CPU if self.model.device.type == "cpu" else ON_ACCELERATOR

    def substitute(self, hide: str) -> int:
        """The token that stands for hidden ones. Raises BadValue if the model has none."""
        name = "mask_token_id" if hide == "mask" else "pad_token_id"
        found = getattr(self.tokenizer, name)
        if found is None:
            raise BadValue("hide", hide, "this model has no such token; choose delete")
        return int(found)


@dataclass(frozen=True)
class TextAnswers:
    """The model's answers to masked texts."""

    spans: tuple[TokenSpan, ...]  # those asked about
    log_p: np.ndarray  # (masks, spans) float32
    log_rest: np.ndarray  # (masks, spans) float32: ln(1 - p)
    answer: np.ndarray  # (masks, 2) int64: first and last token of the best span

    def score(self, target: SpanTarget, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,) float64."""
        logs = [self._logs(span) for span in target.spans]
        return score_of(logs[0], logs[1] if target.minus else None, scale).numpy()

    def kept(self, _: SpanTarget) -> float:
        """The share of the masked texts to which the model gives its answer to the full text.

        The first mask must be the full one.
        """
        return float((self.answer[1:] == self.answer[0]).all(axis=1).mean())

    def probability_of(self, target: SpanTarget) -> float:
        """The probability of the target's `plus` in the first text."""
        return float(np.exp(self.log_p[0, self.spans.index(target.plus)]))

    def _logs(self, span: TokenSpan) -> tuple[Tensor, Tensor]:
        at = self.spans.index(span)
        log_p, log_rest = (torch.from_numpy(logs[:, at]) for logs in (self.log_p, self.log_rest))
        return log_p.double(), log_rest.double()


class TextPredictor:
    """Asks a model about the masks of one text; a file keeps the answers for the next start."""

    def __init__(
        self,
        scene: TextScene,
        text_model: TextModel,
        targets: Sequence[SpanTarget],
        file: Path,
    ) -> None:
        self.scene = scene
        self.text_model = text_model
        self._spans = tuple(dict.fromkeys(span for target in targets for span in target.spans))
        shape = (scene.count, 2 * len(self._spans) + 2)
        key = _key(scene, text_model, self._spans)
        batch = text_model.batch
        self._remembered = Remembered(self._ask, shape, key, file, batch, "texts")

    def predictions(self, on: np.ndarray) -> TextAnswers:
        """The answers to masks (masks, segments) bool. Shows a progress bar if it takes long."""
        rows = self._remembered.rows(on)
        count = len(self._spans)
        answer = rows[:, 2 * count :].astype(np.int64)
        return TextAnswers(self._spans, rows[:, :count], rows[:, count : 2 * count], answer)

    def scores(self, on: np.ndarray, target: SpanTarget, scale: str) -> np.ndarray:
        """The target's score for each mask (masks,)."""
        return self.predictions(on).score(target, scale)

    def told(self, answers: TextAnswers) -> list[str]:
        """What step 2 found, a line each. answers: what `predictions` returned."""
        window = self.scene.window
        first, last = answers.answer[1].tolist()
        how = f"of {len(window.tokens)} tokens, hidden by {self.scene.hide}"
        return [
            f"of {len(answers.answer)} masked texts {how}",
            f"e.g. the answer to masks[1]: {answer_text(window, (first, last))}",
        ]

    def _ask(self, on: np.ndarray) -> np.ndarray:
        """Masks (masks, segments) -> rows (masks, 2 * spans + 2) float32."""
        seen = torch.from_numpy(self.scene.seen(on))
        start, end = ask_masked(self.text_model, self.scene, seen)
        in_context = torch.tensor([part == "context" for part in self.scene.window.parts])
        there = torch.ones_like(seen) if self.scene.hide == "mask" else seen
        answer = best_token_spans(start, end, in_context & there, self.text_model.data)
        logs = [span_logs(start, end, span) for span in self._spans]
        columns = [pair[0] for pair in logs] + [pair[1] for pair in logs] + list(answer.T)
        return torch.stack(columns, dim=1).float().numpy()


def answer_text(window: Window, span: TokenSpan) -> str:
    """The characters of an answer, as it is printed."""
    if span == (0, 0):
        return "(no answer)"
    places = [
        place if part == "context" else None
        for place, part in zip(window.offsets, window.parts, strict=True)
    ]
    return window.context[slice(*read_span(window.context, [places], 0, span))]


def ask_masked(text_model: TextModel, scene: TextScene, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Start and end logits of texts with hidden tokens, each (texts, tokens) float64 on the CPU.

    seen: (texts, tokens) bool. Tokens are those of the full window. A token that is deleted, or
    padded and so never read, has -inf. Raises UserError if a logit is NaN or infinite.
    """
    if scene.hide == "delete":
        rows = [row.nonzero()[:, 0] for row in seen]
        places = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)
        attention = places >= 0
        inputs = _inputs(scene, places.clamp(min=0))
        inputs["input_ids"][~attention] = text_model.substitute("pad")
    else:
        places = torch.arange(seen.shape[1]).expand(len(seen), -1)
        inputs = _inputs(scene, places)
        inputs["input_ids"][~seen] = text_model.substitute(scene.hide)
        attention = torch.ones_like(seen) if scene.hide == "mask" else seen
    inputs["attention_mask"] = attention.long()
    logits = _logits(text_model, inputs)
    full = torch.full((2, *seen.shape), -torch.inf, dtype=torch.float64)
    texts = torch.arange(len(seen))[:, None].expand_as(places)
    full[:, texts[attention], places[attention]] = logits[:, attention]
    return full[0], full[1]


def _inputs(scene: TextScene, places: Tensor) -> dict[str, Tensor]:
    """The model's inputs at some tokens of the window: each (texts, tokens)."""
    return {name: torch.tensor(ids)[places] for name, ids in scene.window.inputs.items()}


def _logits(text_model: TextModel, inputs: dict[str, Tensor]) -> Tensor:
    """(2, texts, tokens) float64 on the CPU."""
    device = text_model.model.device
    names = text_model.tokenizer.model_input_names
    with torch.inference_mode():
        given = {name: ids.to(device) for name, ids in inputs.items() if name in names}
        output = text_model.model(**given)
        both = torch.stack([output.start_logits, output.end_logits]).float()
    logits = copy_to_host(both).wait().double()
    if not logits.isfinite().all():
        raise UserError(f"{text_model.name}: its logits are not finite; train it again")
    return logits


def _key(scene: TextScene, text_model: TextModel, spans: tuple[TokenSpan, ...]) -> str:
    data = text_model.data
    facts = (
        text_model.fingerprint,
        str(text_model.model.device.type),
        str(text_model.model.dtype),
        scene.window.inputs,
        scene.hide,
        scene.segment_of.tolist(),
        spans,
        (data.max_answer_length, data.version_2_with_negative, data.null_score_diff_threshold),
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()


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


def score_of(
    plus: tuple[Tensor, Tensor], minus: tuple[Tensor, Tensor] | None, scale: str
) -> Tensor:
    """The score (texts,) from the `span_logs` of what is explained.

    scale: `logit`, ln(p / (1 - p)), or `probability`. Against another span it is ln(p / q), or
    p - q.
    """
    if scale == "logit":
        return plus[0] - (plus[1] if minus is None else minus[0])
    return plus[0].exp() if minus is None else plus[0].exp() - minus[0].exp()


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

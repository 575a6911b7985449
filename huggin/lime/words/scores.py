"""Start and end logits -> how sure a model is of a span, and which span is its answer.

The probability of a span is P(start) P(end), the softmax of the start logits at its first token
times that of the end logits at its last: what the training raises, as its loss is
-ln P(start) - ln P(end).
"""

import torch
from torch import Tensor

from huggin.qa.arguments import DataArguments

TokenSpan = tuple[int, int]  # first and last token


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

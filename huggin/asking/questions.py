"""Questions of a run's data, and a model -> how it answers each of them, and the score over all."""

import math
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.common.errors import BadValue, UserError
from huggin.model.device import HostCopy, copy_to_host
from huggin.qa.answers import (
    Answer,
    cross_entropy,
    mean_scores,
    no_answer_lead,
    ranked_answers,
    score_answer,
)
from huggin.qa.arguments import DataArguments
from huggin.qa.features import labelled_windows, padded
from huggin.recording.results import Efficacy, efficacy_from

if TYPE_CHECKING:  # importing it takes most of a second, which `huggin ask` need not wait
    from datasets import Dataset

AHEAD = 8  # batches of questions whose windows are sorted by length together


@dataclass(frozen=True)
class Asked:
    """One question that was asked, and how it was answered."""

    index: int  # in the data
    record: dict[str, Any]
    answer: Answer
    exact_match: float  # 0 or 100 percent
    f1: float  # percent
    loss: float = math.nan  # in nats, the mean over start, end and the question's windows
    probability: float = math.nan  # of the answer: its start's times its end's, in its window
    given: float = math.nan  # the probability of the expected answer, likewise
    lead: float = math.nan  # of [CLS] over the best span, in logits; NaN if it is never an answer
    f1_of_span: float = math.nan  # of the best span, in percent

    def as_row(self) -> tuple[int, str, str, bool, float, float]:
        """The fields of its row in the database."""
        expected = next(iter(self.record["answers"]["text"]), "")
        return self.index, expected, self.answer.text, self.right, self.f1, self.answer.confidence

    def in_words(self) -> str:
        """The question, the expected and the actual answer."""
        expected = " | ".join(self.record["answers"]["text"]) or "(no answer)"
        answered = self.answer.text or "(no answer)"
        return (
            f"question {self.index}: {self.record['question']}\n"
            f"  expected: {expected}\n"
            f"  answered: {answered} (confidence {self.answer.confidence:.2f})"
        )

    @property
    def right(self) -> bool:
        """Whether the answer is exactly one of those expected."""
        return self.exact_match == 100


def batch_size_on(device: torch.device) -> int:
    """How many windows a device computes at a time, if nobody says it."""
    return 16 if device.type == "cpu" else 64


def draw_questions(count: int, seed: int | None, skip: Collection[int] = ()) -> list[int]:
    """All indices but those to skip, in random order, none twice.

    Raises UserError if none is left.
    """
    left = [index for index in range(count) if index not in skip]
    if not left:
        asked = f"this model was asked all {count} questions before"
        raise UserError(f"no unseen question is left: {asked}")
    random.Random(seed).shuffle(left)
    return left


def ask_all(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    records: "Dataset",
    indices: Sequence[int],
    data: DataArguments,
    batch_size: int,
    ahead: int = AHEAD,
) -> Iterator[Asked]:
    """Ask the questions of `indices` in that order, `batch_size` windows at a time.

    `ahead` batches of questions are taken together and their windows are sorted by length, so that
    there is little padding.
    """
    for begin in range(0, len(indices), batch_size * ahead):
        chosen = indices[begin : begin + batch_size * ahead]
        batch = records.select(chosen)
        placed = labelled_windows(batch[:], tokenizer, data)
        logits = logits_of(model, tokenizer, placed, batch_size)
        squad2 = data.version_2_with_negative
        most = None if squad2 else 1
        ranked = ranked_answers(batch["context"][:], placed, logits[0], logits[1], data, most)
        answers = [candidates[0] for candidates in ranked]
        measured = _measured(logits, placed, answers, batch["answers"][:])
        for index, record, candidates, numbers in zip(chosen, batch, ranked, measured, strict=True):
            lead, span = no_answer_lead(candidates)
            scores = score_answer(candidates[0].text, record["answers"], squad2)
            numbers += [lead, score_answer(span.text, record["answers"], squad2)[1]]
            yield Asked(index, record, candidates[0], *scores, *numbers)


def _measured(
    logits: np.ndarray,
    placed: Mapping[str, Any],
    answers: Sequence[Answer],
    expected: Sequence[Mapping[str, Any]],
) -> list[list[float]]:
    """Of each question its loss, and the probabilities of its answer and of the expected one.

    logits: (2, windows, tokens). placed: what `labelled_windows` gave. The expected answer's
    probability is the highest among the windows that hold it.
    """
    owner = np.array(placed["record"])  # (windows,) the question of each
    starts, ends = placed["start_positions"], placed["end_positions"]
    loss = cross_entropy(logits[0], starts) + cross_entropy(logits[1], ends)
    losses = np.bincount(owner, loss / 2) / np.bincount(owner)
    no_answer = np.array([not answer["text"] for answer in expected])
    holds = (np.array(starts) > 0) | no_answer[owner]
    expected_probabilities = np.zeros(len(answers))
    np.maximum.at(expected_probabilities, owner[holds], np.exp(-loss)[holds])
    rows = np.searchsorted(owner, np.arange(len(answers))) + [answer.window for answer in answers]
    own = cross_entropy(logits[0, rows], [answer.start for answer in answers])
    own += cross_entropy(logits[1, rows], [answer.end for answer in answers])
    return np.stack([losses, np.exp(-own), expected_probabilities], axis=1).tolist()


def logits_of(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    placed: dict[str, list[Any]],
    batch_size: int,
    done: Callable[[int], Any] = lambda _: None,
) -> np.ndarray:
    """Start and end logits (2, windows, tokens) of all windows, padded with -inf.

    placed: what `huggin.qa.features.windows` gave. done: called with the number of windows of each
    batch, for a progress bar.
    """
    names = [name for name in tokenizer.model_input_names if name in placed]
    lengths = [len(ids) for ids in placed["input_ids"]]
    order = np.argsort(lengths, kind="stable")
    computed: list[tuple[np.ndarray, HostCopy]] = []  # a GPU goes on while they are on their way
    for begin in range(0, len(order), batch_size):
        rows = order[begin : begin + batch_size]
        columns = {name: [placed[name][row] for row in rows] for name in names}
        try:
            with torch.inference_mode():
                output = model(**padded(tokenizer, columns).to(model.device))
                both = torch.stack([output.start_logits, output.end_logits]).float()
                computed.append((rows, copy_to_host(both)))
        except torch.OutOfMemoryError:
            problem = "too many for this GPU's memory; ask fewer at a time"
            raise BadValue("batch_size", batch_size, problem) from None
        done(len(rows))
    logits = np.full((2, len(lengths), max(lengths)), -np.inf, dtype=np.float32)
    for rows, copy in computed:
        values = copy.wait().numpy()
        logits[:, rows, : values.shape[2]] = values
    return logits


def efficacy_of(
    asked: Sequence[Asked], step: int, data: str, trained_on: int = 0, squad2: bool = False
) -> Efficacy:
    """Sum up the questions asked; trained_on: how many of them are in the training data.

    squad2: also those with and those without an answer, apart.
    """
    scores = [(question.exact_match, question.f1) for question in asked]
    means = mean_scores(scores, [question.record["answers"] for question in asked], squad2)
    whole = (means.pop("exact_match"), means.pop("f1"))
    return efficacy_from(step, data, len(asked), *whole, trained_on=trained_on, parts=means)

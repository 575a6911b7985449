"""A question of one's own about a text -> the answer, how sure the model is, where it stands.

huggin.ask("runs/sample", "Where did Freya go?", "Freya took the drum to Ribe.").in_words()
"""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin.asking.questions import Asked, ask_all, batch_size_on, logits_of
from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.streams import warn
from huggin.common.text import first_few, sentence_around, short
from huggin.common.window import Window
from huggin.model.device import choose_device
from huggin.model.hooks import attention_rows, find_sites, refuse_blind_no_answer
from huggin.model.loading import load_trained, match_tokenizer
from huggin.qa.answers import Answer, ranked_answers
from huggin.qa.arguments import DataArguments, run_named
from huggin.qa.features import (
    refuse_long_questions,
    room_for_question,
    track_sample,
    unknown_words,
    windows,
)
from huggin.qa.given import arguments_of
from huggin.qa.labels import plain_question
from huggin.qa.records import refuse_no_words
from huggin.recording.answer import AnswerFacts, AnswerInside, Attention, write_answer
from huggin.recording.checkpoints import newest_model
from huggin.recording.probe import probe
from huggin.recording.run_facts import read_facts
from huggin.recording.run_folder import RunFolder, one_at_a_time

if TYPE_CHECKING:  # importing it takes most of a second, which `huggin ask` need not wait
    from datasets import Dataset

OTHERS = 5  # answers that are shown beside the best one
SHOWN_FROM = 0.005  # the probability of such an answer; less would be printed as 0.00
AROUND = 120  # characters that are shown on each side of an answer
CLS = 0  # its place in a window


@dataclass(frozen=True)
class Answered:
    """A question about a text, and what a run's model answers."""

    run: Path
    step: int  # of the model
    question: str
    context: str
    answers: list[Answer]  # the best first, no two of the same place; "" is no answer
    unknown: Sequence[str] = ()  # words that the tokenizer cuts into scraps

    @property
    def best(self) -> Answer:
        """The model's answer."""
        return self.answers[0]

    @property
    def others(self) -> list[Answer]:
        """Up to five others that are not out of the question."""
        rest = self.answers[1 : 1 + OTHERS]
        return [answer for answer in rest if answer.confidence >= SHOWN_FROM]

    def in_words(self) -> str:
        """The answer and its probability, its sentence with the answer marked, the others."""
        among = f"among the {len(self.answers)} likeliest answers"
        lines = [f"{_shown(self.best)}    (probability {self.best.confidence:.2f} {among})"]
        if self.best.text:
            lines.append(f"  {marked(self.context, self.best.place)}")
        if self.others:
            lines.append("others:")
        lines += [f"  {answer.confidence:.2f}  {_shown(answer)}" for answer in self.others]
        if self.unknown:
            what = f"words that the model reads letter by letter: {first_few(self.unknown)}"
            lines.append(f"{what}; it may only guess")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """Question, model, and the answers with their probabilities and places in characters."""
        answers = [
            {"text": answer.text, "probability": answer.confidence, "place": answer.place}
            for answer in self.answers[: 1 + OTHERS]
        ]
        return {
            "run": str(self.run),
            "step": self.step,
            "question": self.question,
            "answers": answers,
            "unknown_words": list(self.unknown),
        }

    def _repr_html_(self) -> str:
        """The answer marked in the whole text, and a table of the others."""
        begin, end = self.best.place
        texts = (self.context[:begin], self.context[begin:end], self.context[end:])
        before, answer, after = map(html.escape, texts)
        text = f"{before}<mark>{answer}</mark>{after}" if answer else before + after
        rows = [
            f"<tr><td>{each.confidence:.2f}</td><td>{html.escape(_shown(each))}</td></tr>"
            for each in (self.best, *self.others)
        ]
        return (
            f"<p><b>{html.escape(self.question)}</b></p>"
            f'<p style="white-space: pre-wrap">{text}</p><table>{"".join(rows)}</table>'
        )


def _shown(answer: Answer) -> str:
    return short(answer.text, AROUND) or "(no answer)"


def marked(context: str, place: tuple[int, int]) -> str:
    """The sentence around a place, which stands between >> and <<; a long one is cut."""
    first, last = place
    begin, end = sentence_around(context, place)
    before, after = context[begin:first], context[last:end]
    if len(before) > AROUND:
        before = f"…{before[-AROUND:]}"
    if len(after) > AROUND:
        after = f"{after[:AROUND]}…"
    return re.sub(r"\s+", " ", f"{before}>>{context[first:last]}<<{after}")


@dataclass(frozen=True)
class TrainedModel:
    """A run's newest model, loaded once, that answers questions about any text."""

    run: RunFolder
    tokenizer: PreTrainedTokenizerFast
    model: PreTrainedModel
    step: int
    data: DataArguments  # how the run cuts windows and chooses answers

    @classmethod
    def load(cls, run: str | Path, device: str | None = None) -> Self:
        """run: its folder, or its cfg.json. device: default: the accelerator, unless use_cpu.

        Raises UserError if there is no trained model, or nothing says how it was trained.
        """
        folder = RunFolder(run_named(run))
        cfg = read_facts(folder).cfg
        place = choose_device(device, bool(cfg.get("use_cpu")))
        return cls.in_folder(folder, newest_model(folder), arguments_of(cfg)[1], place)

    @classmethod
    def in_folder(
        cls,
        run: RunFolder,
        folder: Path,
        data: DataArguments,
        place: torch.device,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """The model in a folder of a run, on a device. dtype: default: as it was saved."""
        tokenizer, model, step = load_trained(folder, place, dtype)
        match_tokenizer(tokenizer, model, data.max_seq_length)
        if data.version_2_with_negative:
            refuse_blind_no_answer(tokenizer, model)
        return cls(run, tokenizer, model, step, data)

    def fitting(self, records: "Dataset") -> "Dataset":
        """The records. Raises UserError if one of their questions is too long to be asked."""
        refuse_long_questions(records, self.tokenizer, self.data)
        return records

    def asked(
        self, records: "Dataset", indices: Sequence[int], hidden: bool = False, **options: int
    ) -> Iterable[Asked]:
        """Ask some of the records, with a bar unless it is `hidden`.

        options: `batch_size` and `ahead` of `huggin.asking.questions`. The default batch size is 16
        windows on a CPU and 64 on an accelerator.
        """
        sizes = {"batch_size": batch_size_on(self.model.device)} | options
        asked = ask_all(self.model, self.tokenizer, records, indices, self.data, **sizes)
        total = len(indices)
        return progress(asked, label="asking", unit="questions", total=total, hidden=hidden)

    def answer(self, question: str, context: str) -> Answered:
        """The answers in a context of any length; it is read in windows, as in the training.

        Raises UserError for a question that is too long, and for texts without words.
        """
        self.refuse_unfit(question, context)
        placed = windows([question], [context], self.tokenizer, self.data)
        batch_size = batch_size_on(self.model.device)
        with progress(label="reading", unit="windows", total=len(placed["record"])) as bar:
            logits = logits_of(self.model, self.tokenizer, placed, batch_size, bar.update)
        (answers,) = ranked_answers([context], placed, logits[0], logits[1], self.data)
        _, unknown = unknown_words(self.tokenizer, [question, context])
        return Answered(self.run.path, self.step, question, context, answers, unknown)

    def keep(self, answered: Answered) -> None:
        """Keep what `answer` gave as the run's newest answer, with its inside.

        No answer is given for it, so it is neither right nor wrong.
        """
        record: dict[str, Any] = {"question": answered.question, "context": answered.context}
        record["answers"] = {"text": [], "answer_start": []}
        state = read_facts(self.run).model_type_state(self.step)
        facts = self.facts_of(0, record, answered.best, state=state, right=None)
        with one_at_a_time(self.run.recording):
            self.keep_inside(facts)

    def facts_of(
        self, index: int, record: dict[str, Any], answer: Answer, **known: Any
    ) -> AnswerFacts:
        """An answer, and the window that it was given in. known: other fields of it."""
        return AnswerFacts(
            step=self.step,
            window=track_sample(record, index, self.tokenizer, self.data, answer.window),
            answered=answer.text,
            confidence=answer.confidence,
            start=answer.start,
            end=answer.end,
            **known,
        )

    def keep_inside(self, facts: AnswerFacts) -> None:
        """Ask a question again with hooks on every layer, and keep what they recorded.

        The attention of the answer's start, its end and [CLS] comes from one more pass.
        """
        sites = find_sites(self.model, "all", facts.window)
        snapshot = probe(self.model, facts.window, sites, self.data)
        attention = attention_of_answer(self.model, facts.explained)
        inside = (snapshot.start_logits, snapshot.end_logits, snapshot.activations, attention)
        write_answer(self.run, AnswerInside(facts, *inside))

    def refuse_unfit(self, question: str, context: str) -> None:
        """Raise UserError for texts without words, and for a question that is too long."""
        refuse_no_words(question, context)
        ids = self.tokenizer(plain_question(question), add_special_tokens=False)["input_ids"]
        room = room_for_question(self.tokenizer, self.data)
        if len(ids) > room:
            what = f"{len(ids)} tokens, and the windows of this run have room for {room}"
            raise UserError(f"question {short(question)!r}: {what}; ask a shorter one")


def attention_of_answer(model: PreTrainedModel, window: Window) -> Attention | None:
    """Where an answer's start, its end and [CLS] look; None, and said, if it cannot be known."""
    tokens = list(dict.fromkeys([window.gold_start, window.gold_end, CLS]))
    weights = attention_rows(model, window.inputs, tokens)
    if weights is None or not np.isfinite(weights).all():
        warn(f"{type(model).__name__}: gives no attention weights; the answer is kept without them")
        return None
    return Attention(tokens, weights)


def ask(run: str | Path, question: str, context: str, device: str | None = None) -> Answered:
    """Ask a run's newest model a question about a text: what `huggin ask` does.

    run: its folder, or its cfg.json. device: where to compute; default: the accelerator.
    A probability is an answer's share in the softmax over the scores (start logit + end logit) of
    the best `n_best_size` spans of the text. The model can say that there is no answer only if it
    was trained with `version_2_with_negative`.

    >>> import huggin
    >>> text = "The ravens are Huginn and Muninn."
    >>> found = huggin.ask("runs/sample", "Who are the ravens?", text)
    >>> found.best.text in text
    True
    >>> len(found.as_json()["answers"])
    6

    For several questions load the model once: `huggin.TrainedModel.load(run).answer(...)`.
    Raises UserError if there is no trained model, or for texts that cannot be asked.
    """
    return TrainedModel.load(run, device).answer(question, context)

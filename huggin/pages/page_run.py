"""A recording -> what the page shows of a run, or of its newest answer as a run of one moment.

Of a run: facts, curves, questions, tracked samples. Of an answer: its facts, and the only sample.
What reads explained answers loads torch, so it is imported only if there are any.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from huggin.analysis.learning import running_mean, thinned
from huggin.analysis.lens import lens_of_answer, probabilities, snapshot_of_answer
from huggin.analysis.question_texts import refuse_changed
from huggin.analysis.questions import NEVER, Histories, Record, answer_of, histories
from huggin.analysis.scores import KeptDetails
from huggin.common.errors import UserError
from huggin.common.text import one_line, short
from huggin.pages.facts import answer_facts, keys_to_share, run_facts, title_line
from huggin.pages.page_sample import (
    Page,
    found_or_why,
    packed,
    page_of_lens,
    page_of_probes,
    page_of_sample,
    page_of_shares,
    page_of_window,
    shown,
)
from huggin.qa.records import training_records
from huggin.recording.answer import AnswerInside, read_answer
from huggin.recording.checkpoints import hash_of_weights, newest_model
from huggin.recording.reader import Probes, Recording
from huggin.recording.results import Efficacy, read_efficacy, read_evaluations
from huggin.recording.run_facts import read_as

LISTED = 20  # questions in each list
MEAN_OF = 20  # the running mean is over this part of all steps
NAMES = 12  # of modules that are alike
MOST = 20  # explained answers
OLDER = "kept without its attention: an older version kept it, or the model gives no weights"
NOT_EXPLAINED = "huggin lime-answer was not run for this question and model"


def page_of_run(recording: Recording, name: str) -> Page:
    """Everything that the page shows of a run. name: of the run among several."""
    page = _page_of(recording, name or str(recording.run.path), title_line(recording))
    page["curves"] = _curves(recording)
    keys = keys_to_share(recording.facts)
    page["keys"] = {shown(key): shown(json.dumps(value)) for key, value in keys.items()}
    for name, find in (("facts", _facts), ("scores", _scores), ("explained", _explained)):
        page[name] = found_or_why(page, name, find, recording) or []
    page["details"] = found_or_why(page, "details", _details, recording)
    records: Sequence[Record] = found_or_why(page, "texts", _texts, recording) or ()
    page["questions"] = found_or_why(page, "questions", _questions, recording, records)
    if page["questions"] and not records:
        page["questions"]["no_texts"] = page["missing"]["texts"]
    samples = range(len(recording.facts.samples))
    page["samples"] = [page_of_sample(recording, sample, records) for sample in samples]
    return page


def _page_of(recording: Recording, name: str, title: str) -> Page:
    """What every page says of the model; page["missing"] will say what lacks, and why."""
    return {
        "name": shown(name),
        "title": shown(title),
        "missing": {},
        "modules": [
            {**vars(row), "module": shown(row.module), "names": list(map(shown, row.names[:NAMES]))}
            for row in recording.facts.modules
        ],
        "layers": recording.facts.layers,
    }


def _facts(recording: Recording) -> Any:
    versions = ", ".join(f"{name} {number}" for name, number in recording.facts.versions.items())
    more = [("folder", str(recording.run.path)), ("versions", versions or "-")]
    return [(label, shown(text)) for label, text in (*run_facts(recording), *more)]


def _curves(recording: Recording) -> Page:
    """Loss, running mean and learning rate at the steps that are kept."""
    steps = recording.steps
    kept = thinned(steps.loss)
    mean = running_mean(steps.loss, max(1, len(steps.step) // MEAN_OF))
    return {
        "of": len(steps.step),
        "step": packed(steps.step[kept], np.int32),
        "loss": packed(steps.loss[kept], np.float32),
        "mean": packed(mean[kept], np.float32),
        "learning_rate": packed(steps.learning_rate[kept], np.float32),
    }


def _scores(recording: Recording) -> Any:
    """EM and F1 by step and data."""
    entries = [*read_evaluations(recording.run), *read_efficacy(recording.run)]
    return [_score(entry) for entry in sorted(entries, key=lambda entry: (entry.data, entry.step))]


def _score(entry: Efficacy) -> Page:
    return {
        "step": entry.step,
        "data": shown(entry.data),
        "asked": entry.asked,
        "em": entry.exact_match,
        "em_interval": entry.exact_match_interval,
        "f1": entry.f1,
        "f1_interval": entry.f1_interval,
        "loss": None if entry.loss is None or not np.isfinite(entry.loss) else entry.loss,
        "loss_spread": entry.loss_spread if np.isfinite(entry.loss_spread) else None,
        "trained_on": entry.trained_on,
    }


def _details(recording: Recording) -> Page | None:
    """What `test-qa-efficacy --details` found last; None if it was not run."""
    file = recording.run.details
    if not file.exists():
        return None
    kept = read_as(file, KeptDetails, "run test-qa-efficacy --details again")
    tables = [[[shown(cell) for cell in row] for row in table] for table in kept.tables]
    verdicts = list(map(shown, kept.verdicts))
    return {"step": kept.step, "data": shown(kept.data), "tables": tables, "verdicts": verdicts}


def _texts(recording: Recording) -> Sequence[Record]:
    """The training data. Raises UserError if it is not there any more, or has changed."""
    try:
        texts = training_records(recording.cfg)
    except OSError as error:
        raise UserError(one_line(error)) from None
    refuse_changed(recording, texts)
    return texts


def _questions(recording: Recording, records: Sequence[Record]) -> Page:
    """The questions worth a look, and how many were learned and forgotten.

    Without records they have no texts.
    """
    found = histories(recording.questions)
    lists = found.orders
    places = np.unique(np.concatenate([order[:LISTED] for order in lists.values()]))
    row_of = {int(place): row for row, place in enumerate(places)}
    tracked = {
        window.index: number for number, window in enumerate(recording.facts.trained_samples)
    }
    page: Page = {
        "counts": {name: len(order) for name, order in lists.items()},
        **{name: [row_of[int(place)] for place in order[:LISTED]] for name, order in lists.items()},
    }
    page["rows"] = [_row(found, int(place), records, tracked) for place in places]
    return page


def _row(
    found: Histories, place: int, records: Sequence[Record], tracked: Mapping[int, int]
) -> Page:
    """A question with its history, its texts short enough for a table."""
    numbers = {name: values[place].item() for name, values in vars(found).items()}
    record = records[numbers["index"]] if records else None
    return {
        **numbers,
        "question": shown(short(record["question"], 300)) if record else "",
        "answer": shown(short(answer_of(record), 100)) if record else "",
        "loss": numbers["loss"] if np.isfinite(numbers["loss"]) else None,
        "since": None if numbers["since"] == NEVER else numbers["since"],
        "sample": tracked.get(numbers["index"]),
    }


def page_of_answer(recording: Recording) -> Page:
    """Everything that the page shows of the newest answer.

    Raises UserError if no answer is kept.
    """
    answer = read_answer(recording.run)
    facts = answer.facts
    explained = facts.explained
    page = _page_of(recording, str(recording.run.path), f"One answer of {title_line(recording)}")
    page["facts"] = [(label, shown(text)) for label, text in answer_facts(recording, facts)]
    page |= {"scores": [], "answered": shown(facts.answered), "confidence": facts.confidence}
    page["is_own"] = facts.right is None  # no answer is given
    sample: Page = {**page_of_window(facts.window), "number": 0, "missing": {}, "learned": None}
    sample["probes"] = page_of_probes(_as_probes(answer), explained)
    for name, find in (
        ("lens", lambda: page_of_lens(*lens_of_answer(recording, answer), first=1)),
        ("shares", lambda: page_of_shares(snapshot_of_answer(recording, answer), explained)),
        ("attention", lambda: page_of_attention(answer)),
    ):
        sample[name] = found_or_why(sample, name, find)
    sample["words"] = words_of_answer(recording)
    if sample["words"] is None:
        sample["missing"]["words"] = NOT_EXPLAINED
    return {**page, "samples": [sample]}


def _as_probes(answer: AnswerInside) -> Probes:
    """The answer as the only probe."""
    facts = answer.facts
    window = facts.explained
    logits = {"start_logits": answer.start_logits[None], "end_logits": answer.end_logits[None]}
    with np.errstate(divide="ignore"):
        start_loss = -np.log(probabilities(logits["start_logits"])[:, window.gold_start])
        end_loss = -np.log(probabilities(logits["end_logits"])[:, window.gold_end])
    return Probes(
        step=np.array([facts.step]),
        **logits,
        start_loss=start_loss,
        end_loss=end_loss,
        predicted_start=np.array([facts.start]),
        predicted_end=np.array([facts.end]),
    )


def page_of_attention(answer: AnswerInside) -> Page:
    """From which tokens every attention head reads, packed. Raises UserError if it is not kept."""
    attention = answer.attention
    if attention is None:
        raise UserError(OLDER)
    layers, heads = attention.weights.shape[:2]
    return {
        "of": attention.of,
        "layers": layers,
        "heads": heads,
        "weights": packed(attention.weights.transpose(2, 0, 1, 3)),  # (of, layers, heads, tokens)
    }


def _kept(recording: Recording) -> list[Any]:
    """What lime-answer found of the newest model's answers, the newest first; mostly nothing."""
    run = recording.run
    if not run.explanations.is_dir():
        return []
    from huggin.lime.words.found import all_kept

    model = hash_of_weights(newest_model(run))
    return [kept for kept in all_kept(run.explanations) if kept.asked.model_hash == model]


def _explained(recording: Recording) -> list[Page]:
    """The newest answers of the newest model that lime-answer has explained."""
    return [_explained_answer(kept) for kept in _kept(recording)[:MOST]]


def _explained_answer(kept: Any) -> Page:
    """An explained answer: its words with their coefficients over the largest one."""
    finding = kept.findings[-1]
    return {
        "question": shown(kept.asked.question),
        "answer": shown(kept.asked.answer),
        "target": shown(finding.target),
        "scale": finding.scale,
        "most": finding.largest,
        "beyond": finding.beyond,
        "words": [_word(finding, piece) for piece in finding.pieces],
        "lines": [shown(line) for line in (f"{finding.how_in_words()}.", finding.believe) if line],
    }


def _word(finding: Any, piece: Any) -> Page:
    """A word of the text; `share` is None if it is never hidden."""
    segment = None if piece.segment is None else finding.segments[piece.segment]
    return {
        "part": piece.part,
        "text": shown(piece.text),
        "blank": piece.after_blank,
        "share": None if segment is None else segment.coefficient / finding.largest,
        "answer": piece.is_answer,
    }


def words_of_answer(recording: Recording) -> Page | None:
    """Which words made the newest answer, the strongest first; None if it was not explained."""
    kept = _newest_kept(recording)
    if kept is None:
        return None
    finding = kept.findings[-1]  # of a long text: its words, after its sentences
    rows = [
        {
            "text": shown(segment.text, 80),
            "coefficient": segment.coefficient,
            "is_clear": finding.is_clear(segment),
        }
        for segment in sorted(finding.segments, key=lambda segment: segment.rank)
    ]
    return {"segments": rows, "believe": shown(finding.believe), "score": shown(finding.scale)}


def figures_of_answer(recording: Recording) -> list[Any]:
    """The figures of the words that made the newest answer; none if it was not explained."""
    kept = _newest_kept(recording)
    if kept is None:
        return []
    from huggin.lime.words.figures import draw_kept

    return list(draw_kept(kept).values())


def _newest_kept(recording: Recording) -> Any:
    """The newest explanation of the run's newest answer, or None."""
    found = _kept(recording)
    if not found:
        return None
    window = read_answer(recording.run).facts.window
    texts = (window.question, window.context)
    same = (kept for kept in found if (kept.asked.question, kept.asked.context) == texts)
    return next(same, None)

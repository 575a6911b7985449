"""A run's explained answers -> what its page and its PDF show of them.

What reads them loads torch, so it is imported only if there are any.
"""

from typing import Any

from huggin.pages.page_sample import Page, shown
from huggin.recording.answer import asked_of
from huggin.recording.checkpoints import hash_of_weights, newest_model
from huggin.recording.reader import Recording

MOST = 20  # answers that a page shows


def explained_by_model(recording: Recording) -> list[Page]:
    """The newest answers of the newest model that lime-answer has explained; mostly none."""
    run = recording.run
    if not run.explanations.is_dir():
        return []
    from huggin.lime.words.found import all_kept

    model = hash_of_weights(newest_model(run))
    found = [kept for kept in all_kept(run.explanations) if kept.asked.model_hash == model]
    return [_page_of(kept) for kept in found[:MOST]]


def _page_of(kept: Any) -> Page:
    """An explained answer: its words with their coefficients over the largest one."""
    finding = kept.findings[-1]
    facts = (
        f"{finding.samples} masks by {finding.hide}; held-out R² {finding.held_out_in_words()}; "
        f"the same answer in {100 * finding.kept:.0f} % of the masked texts."
    )
    return {
        "question": shown(kept.asked.question),
        "answer": shown(kept.asked.answer),
        "target": shown(finding.target),
        "scale": finding.scale,
        "most": finding.largest,
        "words": [_word(finding, piece) for piece in finding.pieces],
        "lines": [shown(line) for line in (facts, finding.believe) if line],
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
    run = recording.run
    if not run.explanations.is_dir():
        return None
    from huggin.lime.words.found import newest_kept

    return newest_kept(run.explanations, *asked_of(run))

"""Explained answers of a run -> what the page that plays a training back shows of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggin.common.text import printable
from huggin.lime.words.found import FILE, Finding, Kept, read_kept

MOST = 20  # answers that a page shows


def explained_for_page(folder: Path, model_hash: str) -> list[dict[str, Any]]:
    """The newest explanations by a model, of those in the folders of `folder`, as JSON."""
    files = sorted(folder.glob(f"*/{FILE}"), key=lambda file: -file.stat().st_mtime)
    found = [read_kept(file.parent) for file in files]
    return [_page_of(kept) for kept in found if kept.asked.model_hash == model_hash][:MOST]


def _page_of(kept: Kept) -> dict[str, Any]:
    """An explained answer: its words with their coefficients over the largest one."""
    finding = kept.findings[-1]
    most = max(abs(segment.coefficient) for segment in finding.segments) or 1.0
    return {
        "question": printable(kept.asked.question),
        "answer": printable(kept.asked.answer),
        "target": printable(finding.target),
        "scale": finding.scale,
        "most": most,
        "words": _words(finding, most),
        "lines": [printable(line) for line in _lines(finding)],
    }


def _words(finding: Finding, most: float) -> list[dict[str, Any]]:
    """The words of the text; `share` is None if a word is never hidden."""
    return [
        {
            "part": piece.part,
            "text": printable(piece.text),
            "blank": piece.after_blank,
            "share": None
            if piece.segment is None
            else finding.segments[piece.segment].coefficient / most,
            "answer": piece.is_answer,
        }
        for piece in finding.pieces
    ]


def _lines(finding: Finding) -> Sequence[str]:
    """How far to trust it."""
    r2 = "not known" if finding.held_out_r2 is None else f"{finding.held_out_r2:.2f}"
    same = f"the same answer in {100 * finding.kept:.0f} % of the masked texts"
    facts = f"{finding.samples} masks by {finding.hide}; held-out R² {r2}; {same}."
    return [facts, finding.believe] if finding.believe else [facts]

"""What a model answered to questions of its data: how good it is, and which answers are wrong."""

import html
from dataclasses import asdict, dataclass
from typing import Any

from huggin.asking.questions import Asked
from huggin.recording.results import Efficacy, parts_in_words, trained_on_in_words

SHOWN = 20  # wrong answers that are listed if nobody says which


@dataclass(frozen=True)
class Examined:
    """Questions that were asked, and the score over all of them."""

    state: str  # the model-type-state
    asked: list[Asked]
    efficacy: Efficacy
    until_right: bool  # the first right answer ended the asking: then EM would be one by their
    # number for any model, so there is none

    def in_words(self, show: str | None = None) -> str:
        """The score, below the answers that are shown.

        show: `wrong`, `right` or `all`; default: the first 20 wrong ones, or the right one that
        ended the asking.
        """
        shown = [each for each in self.asked if show == "all" or each.right == (show == "right")]
        more = []
        if show is None and self.until_right:
            shown = [each for each in self.asked if each.right]
        elif show is None and len(shown) > SHOWN:
            more = [f"and {len(shown) - SHOWN} more wrong answers\n"]
            shown = shown[:SHOWN]
        lines = [f"{each.in_words()}\n" for each in shown]
        return "\n".join([*lines, *more, *self._score()])

    def _score(self) -> list[str]:
        efficacy = self.efficacy
        score = f"{self.state}: {efficacy.correct}/{efficacy.asked} right"
        if self.until_right:
            return [score]
        em_low, em_high = efficacy.exact_match_interval
        f1_low, f1_high = efficacy.f1_interval
        em = f"EM {efficacy.exact_match:.1f} % (95 %: {em_low:.1f} to {em_high:.1f})"
        f1 = f"F1 {efficacy.f1:.1f} % (95 %: {f1_low:.1f} to {f1_high:.1f})"
        note = trained_on_in_words(efficacy.trained_on, efficacy.asked)
        return [score, f"{em}, {f1}{note}", *parts_in_words(efficacy.parts)]

    def as_json(self) -> dict[str, Any]:
        """The score, and each question with the expected and the actual answer."""
        names = ("index", "expected", "answered", "right", "f1", "confidence")
        answers = [dict(zip(names, each.as_row(), strict=True)) for each in self.asked]
        return {"state": self.state, **asdict(self.efficacy), "answers": answers}

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self.in_words())}</pre>"

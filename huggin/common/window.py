"""A question with one window of its context, as tokens: the value that every folder shares."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Window:
    """One window of a question's context, and where its answer is in it.

    A window that does not hold the whole answer has `gold_start` and `gold_end` at [CLS], token 0.
    """

    index: int  # of the question in the data
    question: str
    context: str  # the whole of it
    answer: str  # "" if the question has none
    tokens: list[str]
    parts: list[str]  # of each token: "special", "question" or "context"
    gold_start: int  # first token of the answer
    gold_end: int  # last token of the answer
    inputs: dict[str, list[int]] = field(default_factory=dict)  # what the model receives
    offsets: list[tuple[int, int]] = field(default_factory=list)  # each token's characters

    @property
    def has_answer(self) -> bool:
        """Whether this window holds the answer."""
        return self.gold_end > 0

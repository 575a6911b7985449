"""A question with one window of its context, as tokens: the value that every folder shares."""

from dataclasses import dataclass, field

PARTS = ("special", "question", "context")


@dataclass(frozen=True)
class Window:
    """One window of a question's context, and where its answer is in it.

    A window that does not hold the whole answer has `gold_start` and `gold_end` at [CLS], token 0.
    Raises ValueError for tokens, parts and an answer that do not fit together.
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

    def __post_init__(self) -> None:
        """Raise ValueError for the first thing that does not fit."""
        size = len(self.tokens)
        if size == 0:
            raise ValueError("tokens: there are none")
        if unknown := set(self.parts) - set(PARTS):
            raise ValueError(f"parts: {min(unknown)!r} is none of {', '.join(PARTS)}")
        if not 0 <= self.gold_start <= self.gold_end < size:
            gold = f"gold_start {self.gold_start}, gold_end {self.gold_end}"
            raise ValueError(f"{gold}: not a span of the {size} tokens")
        if self.index < 0:
            raise ValueError("index: negative")
        counts = {"parts": len(self.parts), "offsets": len(self.offsets or self.tokens)}
        counts |= {f"inputs.{name}": len(ids) for name, ids in self.inputs.items()}
        for name, count in counts.items():
            if count != size:
                raise ValueError(f"{name}: {count} for {size} tokens")

    @property
    def has_answer(self) -> bool:
        """Whether this window holds the answer."""
        return self.gold_end > 0

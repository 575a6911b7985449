"""An explained answer -> lines for the terminal."""

from huggin.common.text import short
from huggin.lime.explained import doubts, nothing_to_explain, quality_in_words, score_in_words
from huggin.lime.quality import differing
from huggin.lime.words.found import Asked, Finding, Segment, TextExplanation
from huggin.lime.words.others import Integrated, NodeShares
from huggin.lime.words.scene import LONG

SELDOM = 0.2  # share of the masks below which the model is said to answer otherwise
NEARLY_ALL = 0.95  # share from which on the text is said to matter little
NODES = 5  # that are named


def introduction(asked: Asked, scene_line: str) -> list[str]:
    """What is explained, a line each."""
    verdict = {True: ", right", False: ", wrong", None: ""}[asked.right]
    expected = f"; expected: {asked.expected}" if asked.expected and not asked.right else ""
    return [
        f"{asked.name}: {asked.question}",
        f"  {asked.model} answers: {asked.answer}{verdict}{expected}",
        f"  {scene_line}",
    ]


def in_words(one: TextExplanation, finding: Finding) -> list[str]:
    """What LIME found, a line each."""
    if one.surrogate.constant:
        return [nothing_to_explain(one)]
    return [
        score_in_words(one, "text"),
        f"{finding.kind} for it: {_all_named(finding, finding.top_segments)}",
        f"{finding.kind} against it: {_all_named(finding, finding.segments_against)}",
        *quality_in_words(one),
        kept_in_words(finding),
    ]


def doubts_about(one: TextExplanation, stability: dict[str, float] | None) -> list[str]:
    """What speaks against relying on the top segments, a clause each."""
    found = doubts(one) + differing(stability)
    masked = f"in {100 * one.kept:.0f} % of the masked texts"
    if one.kept >= NEARLY_ALL:
        found.append(f"the model gives its answer {masked}, whatever is hidden")
    if one.kept < SELDOM:
        found.append(f"the model gives its answer only {masked}, which are unlike its training's")
    return found


def kept_in_words(finding: Finding) -> str:
    """On how many masks the model gives its answer, and what it means if they are few."""
    line = f"the model still gives its answer in {100 * finding.kept:.0f} % of the masked texts"
    if finding.kept >= NEARLY_ALL:
        return f"{line}. NEARLY ALL: the answer hardly depends on these {finding.kind}"
    if finding.kept >= SELDOM:
        return line
    why = "a masked text is unlike any that it was trained on"
    return f"{line}. FEW: {why}, so see whether leave-one-out, which hides little, agrees"


def _all_named(finding: Finding, numbers: list[int]) -> str:
    chosen = (finding.segments[number] for number in numbers)
    return ", ".join(_named(finding, segment) for segment in chosen) or "none beyond chance"


def _named(finding: Finding, segment: Segment) -> str:
    """A segment with its coefficient and its standard error."""
    error = segment.standard_error
    spread = "" if error is None else f" ± {error:.2g}"
    return f"{finding.label(segment, LONG)} ({segment.coefficient:+.3g}{spread})"


def integrated_in_words(found: Integrated) -> str:
    """Whether integrated gradients are complete."""
    complete = f"they miss {100 * found.error:.2f} % of the change of {found.change:+.4g}"
    return f"integrated gradients: {found.steps} steps; {complete}"


def nodes_in_words(found: NodeShares, rival: str, half: int) -> str:
    """Which nodes of the last layer carry the answer."""
    first = ", ".join(f"{node} ({found.shares[node]:+.2f})" for node in found.ranking[:NODES])
    lead = f"lead of {found.lead:+.3g} over {short(rival, LONG)}"
    return f"last layer: {half} nodes give half of its {lead}; the first: {first}"

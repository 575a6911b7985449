"""A run -> RUN/README.md: its model card, as the Hub shows it.

    write_card(RunFolder(Path("runs/sample")))

It begins with YAML that the Hub reads: https://huggingface.co/docs/hub/model-cards
"""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from huggin.common.files import replacing
from huggin.common.streams import warn
from huggin.common.text import printable
from huggin.pages.facts import run_facts
from huggin.recording.reader import Recording
from huggin.recording.results import (
    Efficacy,
    final_evaluation,
    read_efficacy,
    read_evaluations,
    trained_on_in_words,
)
from huggin.recording.run_facts import RunFacts
from huggin.recording.run_folder import RunFolder, is_our_card, signed

PICTURE = "losses.png"
WIDE = 1 << 20  # characters, so that no name is folded
ON_THE_HUB = r"\w[\w.-]*(/[\w.-]+)?"  # the name of a model or data set; no absolute path is one
SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~&$@]|(?<=:)/|(?<=www)\.")  # in Markdown
WHAT = (
    "This model answers a question with a part of a text (extractive question answering). "
    "huggin trained it, and recorded the training from the inside."
)
HEAD = ["data", "step", "questions", "EM (95 % interval)", "F1 (95 % interval)"]


def write_card(run: RunFolder) -> None:
    """Write README.md, unless one is there that we did not write, or that was changed since.

    Raises UserError for a run that cannot be read.
    """
    text = signed(card_of(Recording(run.path)))
    if run.card.exists() and not is_our_card(run.card):
        warn(f"{run.card}: not as huggin wrote it, so it is left as it is")
        return
    with replacing(run.card) as beside:
        beside.write_text(text, encoding="utf-8")


def card_of(recording: Recording) -> str:
    """The text of a run's card."""
    run, facts = recording.run, recording.facts
    name = f"{facts.model_name} on {facts.data_name}"
    front = yaml.safe_dump(
        _front_matter(run, facts, name), sort_keys=False, allow_unicode=True, width=WIDE
    )
    data = _evaluated_data(facts)
    on_which = ("data", f"trained on {facts.data_name}, evaluated on {data}")
    scores = [_score_cells(entry) for entry in _newest_scores(run, data)]
    versions = ", ".join(f"{package} {number}" for package, number in facts.versions.items())
    about = _table(["", ""], [on_which, *run_facts(recording)])
    parts = [f"---\n{front}---", f"# {plain(name)}", WHAT, about]
    if scores:
        parts += ["## Scores", _table(HEAD, scores)]
    if (run.graphs / PICTURE).is_file():
        parts.append(f"![The loss by step](graphs/{PICTURE})")
    parts += ["## Versions", plain(versions or "not recorded")]
    return "\n\n".join(parts) + "\n"


def _front_matter(run: RunFolder, facts: RunFacts, name: str) -> dict[str, Any]:
    """What the Hub reads."""
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "question-answering",
        "tags": ["huggin", "generated_from_trainer"],
    }
    source, data = (str(facts.cfg.get(key)) for key in ("model_name_or_path", "dataset_name"))
    if facts.pretrained and re.fullmatch(ON_THE_HUB, source):
        front["base_model"] = source
    if facts.cfg.get("dataset_name") and re.fullmatch(ON_THE_HUB, data):
        front["datasets"] = [data]
    scores = final_evaluation(run)
    if scores and not scores.trained_on:  # what a model remembers is no score for the Hub
        data = _on_one_line(_evaluated_data(facts))
        measured = {"exact_match": scores.exact_match, "f1": scores.f1}
        result = {
            "task": {"type": "question-answering"},
            "dataset": {"name": data, "type": data},
            "metrics": [{"type": of, "value": round(value, 2)} for of, value in measured.items()],
        }
        front["model-index"] = [{"name": _on_one_line(name), "results": [result]}]
    return front


def _evaluated_data(facts: RunFacts) -> str:
    """The name of the validation data."""
    named = facts.cfg.get("validation_file")
    return Path(named).name if named else str(facts.cfg.get("dataset_name") or "validation")


def _newest_scores(run: RunFolder, evaluated: str) -> list[Efficacy]:
    """The newest scores on each data. evaluated: the name of the validation data."""
    own = [replace(entry, data=evaluated) for entry in read_evaluations(run)]
    by_step = sorted([*own, *read_efficacy(run)], key=lambda entry: entry.step)
    return list({entry.data: entry for entry in by_step}.values())


def _score_cells(entry: Efficacy) -> list[str]:
    note = trained_on_in_words(entry.trained_on, entry.asked)
    measured = (entry.exact_match, entry.exact_match_interval), (entry.f1, entry.f1_interval)
    percent = [f"{value:.1f} % ({low:.1f} to {high:.1f})" for value, (low, high) in measured]
    return [entry.data + note, f"{entry.step:,}", f"{entry.asked:,}", *percent]


def _table(head: list[str], rows: Any) -> str:
    """A table in Markdown; its texts are shown as they are."""
    lines = [head, ["---"] * len(head), *([plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\g<0>", _on_one_line(text))


def _on_one_line(text: str) -> str:
    return " ".join(printable(text).split())

"""What a driver says at its end, in a few lines.

    python -m huggin.training.closing RUN PAGE PDF [answer]

What was trained and how it answers, or with `answer` what was asked and answered; where to look,
and what to type next.
"""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import run_command
from huggin.common.files import TOOLKIT
from huggin.common.text import short
from huggin.recording.answer import read_answer
from huggin.recording.checkpoints import step_of
from huggin.recording.results import final_evaluation, trained_on_in_words
from huggin.recording.run_facts import RunFacts, read_facts
from huggin.recording.run_folder import RunFolder

ASK = 'huggin ask {} "your question" --context "a text with the answer"'
WHY = "huggin lime-answer {}    # which words make an answer"
NIGHT = "huggin get-training-output cfg-squad.json    # the same on SQuAD, overnight"
ACTIVATE = "source {}    # once in each terminal: it makes the huggin command work"
SUSPECTS = "huggin suspects {}    # which given answers are probably wrong"
SAMPLES = TOOLKIT / "sample"


def closing(run: RunFolder, page: Path, pdf: Path, about: str = "") -> str:
    """The lines, each with what it is about in its first column.

    about: `answer` for the newest answer; default: the training. Raises UserError if a file of the
    run cannot be read.
    """
    facts = read_facts(run)
    lines = _of_answer(run) if about == "answer" else _of_training(run, facts)
    lines += [f"page     {page.resolve().as_uri()}", f"PDF      {pdf}"]
    name = shlex.quote(str(run.path))
    typed = [ASK.format(name), WHY.format(name)]
    data = Path(facts.cfg.get("train_file") or "").resolve()
    typed.append(NIGHT if data.is_relative_to(SAMPLES) else SUSPECTS.format(name))
    if shutil.which("huggin") is None:
        activate = Path(sys.executable).with_name("activate")
        typed.insert(0, ACTIVATE.format(shlex.quote(str(activate))))
    return "\n".join([*lines, f"next     {typed[0]}", *(f"         {line}" for line in typed[1:])])


def _of_answer(run: RunFolder) -> list[str]:
    answer = read_answer(run).facts
    verdict = {True: "right", False: "wrong", None: "no given answer"}[answer.right]
    answered = f"{short(answer.answered) or '(no answer)'} ({verdict})"
    return [f"asked    {short(answer.window.question)}", f"answer   {answered}, by {run.path}"]


def _of_training(run: RunFolder, facts: RunFacts) -> list[str]:
    steps = f"{step_of(run.path) or 0:,} steps"
    lines = [f"trained  {steps} on {facts.data_name} from {facts.start}; in {run.path}"]
    if scores := final_evaluation(run):
        low, high = scores.exact_match_interval
        em = f"EM {scores.exact_match:.1f} % (95 %: {low:.1f} to {high:.1f}), F1 {scores.f1:.1f} %"
        data = Path(facts.cfg.get("validation_file") or facts.cfg.get("dataset_name") or "").name
        note = trained_on_in_words(scores.trained_on, scores.asked)
        lines.append(f"answers  {em} over {scores.asked} questions of {data}{note}")
    return lines


def main(argv: Sequence[str] | None = None) -> int:
    """Print the lines."""
    folder, page, pdf, *about = argv or sys.argv[1:]
    print(closing(RunFolder(Path(folder)), Path(page), Path(pdf), *about))
    return 0


if __name__ == "__main__":
    run_command(main)

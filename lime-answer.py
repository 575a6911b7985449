"""Explain an answer: which words of question and context made the model give it, and how sure?

python lime-answer.py RUN 3
python lime-answer.py RUN --question "Who owns the ravens?" --context "The ravens are Odin's."
"""  # huggin: explain 10

from argparse import Namespace
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggin.common.cli import run_command
from huggin.common.errors import UserError
from huggin.common.text import printable
from huggin.graphs.arguments import load_matplotlib
from huggin.lime.words.arguments import read_arguments


@dataclass(frozen=True)
class Chosen:
    """The question that is explained."""

    name: str  # such as "question 7"
    folder: str  # of its results
    index: int
    record: dict[str, Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Explain one answer, and save, print and record what was found."""
    args = read_arguments(argv)
    # torch and Matplotlib take seconds to load, and --help needs neither.
    load_matplotlib()
    from huggin.graphs.saving import save_figures
    from huggin.lime.fonts import missing_in
    from huggin.lime.results import refuse_unwritable
    from huggin.lime.words.figures import draw_kept
    from huggin.lime.words.found import write_kept
    from huggin.recording.checkpoints import newest_model
    from huggin.recording.reader import Recording

    recording = Recording(args.run)
    chosen = choose_question(args, recording)
    out = args.out or recording.run.explanations / chosen.folder
    refuse_unwritable(out, args.json, args.db)
    loaded = load(args, recording, newest_model(recording.run))
    kept = explain_answer(args, recording, loaded, chosen, out)
    figures = draw_kept(kept)
    remove_others(out, figures)
    write_kept(out, kept)
    save_figures(figures, out, args.show)
    if line := missing_in([kept.asked.question, kept.asked.context]):
        say(line)
    record(args, kept)
    return 0


def remove_others(out: Path, figures: Collection[str]) -> None:
    """Remove the figures that only an earlier explanation had."""
    from huggin.lime.words.figures import NAMES
    from huggin.lime.words.found import FILE

    if (out / FILE).is_file():  # otherwise they are not ours
        for name in NAMES.difference(figures):
            (out / f"{name}.png").unlink(missing_ok=True)


def choose_question(args: Namespace, recording: Any) -> Chosen:
    """The user's own question, or one of the run's data. Raises UserError if it cannot be asked."""
    from huggin.lime.words.case import refuse_long_context
    from huggin.qa.records import wrong_with

    chosen = own_question(args) if args.question is not None else question_of_run(args, recording)
    if problem := wrong_with(chosen.record, allow_no_answer=True):
        raise UserError(f"{chosen.name}: {problem}; give a text with words in it")
    refuse_long_context(chosen.name, chosen.record["context"])
    return chosen


def own_question(args: Namespace) -> Chosen:
    """What --question and --context say."""
    import hashlib

    from huggin.qa.records import is_text

    texts = {"question": args.question, "context": args.context}
    for name, text in texts.items():
        if not is_text(text):
            raise UserError(f"--{name}: not UTF-8 text; check the terminal's encoding")
    digest = hashlib.sha256("\0".join(texts.values()).encode()).hexdigest()[:8]
    no_answer = {"text": [], "answer_start": []}
    return Chosen("own question", f"own-{digest}", 0, {"id": "own", **texts, "answers": no_answer})


def question_of_run(args: Namespace, recording: Any) -> Chosen:
    """The question INDEX of the run's data. Raises UserError if there is none."""
    from huggin.qa.config import arguments_of
    from huggin.qa.questions import default_split, load_questions
    from huggin.recording.answer import read_answer

    cfg = recording.facts.cfg
    data = arguments_of(cfg)[1]
    split = args.split or default_split(data)
    records = load_questions(data, split, cfg.get("cache_dir"))
    index = args.index
    if index is None:
        answered = recording.run.segments("answers")
        window = read_answer(recording.run).facts.window if answered else None
        same = window and window.index < len(records)
        index = window.index if same and records[window.index]["question"] == window.question else 0
    if index >= len(records):
        known = f"{split} has the questions 0 to {len(records) - 1}"
        raise UserError(f"INDEX {index}: no such question; {known}")
    folder = str(index) if split == default_split(data) else f"{split}-{index}"
    return Chosen(f"question {index}", folder, index, records[index])


def load(args: Namespace, recording: Any, folder: Path) -> tuple[Any, int]:
    """The model in a folder of the run, and its step. Raises UserError if it cannot be used."""
    from huggin.lime.words.predictions import TextModel
    from huggin.model.device import choose_device
    from huggin.model.fast_linear import speed_up
    from huggin.model.loading import load_trained, match_tokenizer
    from huggin.qa.config import arguments_of
    from huggin.recording.checkpoints import hash_of_weights

    facts = recording.facts
    data = arguments_of(facts.cfg)[1]
    place = choose_device(args.device, bool(facts.cfg.get("use_cpu")))
    tokenizer, model, step = load_trained(folder, place)
    match_tokenizer(tokenizer, model, data.max_seq_length)
    name = facts.model_type_state(step)
    return TextModel(name, speed_up(model), tokenizer, data, hash_of_weights(folder)), step


def case_of(
    args: Namespace, text_model: Any, chosen: Chosen, target: Any = None
) -> tuple[Any, Any]:
    """Ask the model; what is explained of its answer, and the answer."""
    from datasets import Dataset

    from huggin.asking.questions import ask
    from huggin.lime.words.case import TextCase, refuse_long_question
    from huggin.lime.words.scene import tokens_of_words
    from huggin.lime.words.targets import span_target
    from huggin.qa.features import track_sample

    records = Dataset.from_list([chosen.record])
    refuse_long_question(chosen.name, chosen.record["question"], text_model)
    tokenizer = text_model.tokenizer
    data = text_model.data
    (asked,) = ask(text_model.model, tokenizer, records, [0], data, text_model.batch)
    window = track_sample(chosen.record, chosen.index, tokenizer, data, asked.answer.window)
    answer = (asked.answer.start, asked.answer.end)
    target = target or span_target(args.explain, window, answer, chosen.record["answers"])
    expected = (window.gold_start, window.gold_end) if window.has_answer else None
    kept = set() if args.hide_answer else tokens_of_words(window, target.spans)
    case = TextCase(
        chosen.name, window, text_model, target, answer, expected, args.hide, frozenset(kept)
    )
    return case, asked


def explain_answer(
    args: Namespace, recording: Any, loaded: tuple[Any, int], chosen: Chosen, out: Path
) -> Any:
    """Explain with every method that was asked for, and print what was found."""
    from huggin.analysis.nodes import nodes_for_half
    from huggin.lime.words.explaining import Explaining
    from huggin.lime.words.found import Kept
    from huggin.lime.words.report import introduction

    text_model, step = loaded
    case, asked = case_of(args, text_model, chosen)
    about = facts_of(case, asked, chosen, step)
    windows = window_in_words(case, asked, chosen)
    say(*introduction(about, windows))
    explaining = Explaining(args, out, say)
    stages = explaining.explain_case(case)
    last = stages[-1]
    nodes = None
    if not args.only_lime:
        nodes = explaining.nodes(case, last.one.scene, nodes_for_half)
    by_step = None
    if args.checkpoints:
        say("\nThe same question at every checkpoint:")
        by_step = explaining.by_step(case, last, models_by_step(args, recording, loaded))
    if last.finding.believe:
        say(f"\n{last.finding.believe}")
    return Kept(about, [one.finding for one in stages], by_step, nodes)


def say(*lines: str) -> None:
    """Print lines at once, also into a pipe."""
    print(*map(printable, lines), sep="\n", flush=True)


def facts_of(case: Any, asked: Any, chosen: Chosen, step: int) -> Any:
    """The question, the answers and the model, as they are kept."""
    from huggin.lime.words.found import Asked

    expected = next(iter(chosen.record["answers"]["text"]), "")
    return Asked(
        name=chosen.name,
        question=chosen.record["question"],
        context=chosen.record["context"],
        answer=asked.answer.text or "(no answer)",
        expected=expected,
        right=asked.right if chosen.name != "own question" else None,
        model=case.text_model.name,
        step=step,
        model_hash=case.text_model.fingerprint,
    )


def window_in_words(case: Any, asked: Any, chosen: Chosen) -> str:
    """Which part of the context is explained, and the score of what."""
    from huggin.qa.features import windows

    texts = ([chosen.record["question"]], [chosen.record["context"]])
    count = len(windows(*texts, case.text_model.tokenizer, case.text_model.data)["record"])
    where = f"{len(case.window.tokens)} tokens"
    if count > 1:
        which = f"window {asked.answer.window + 1} of {count}, which gave the answer"
        where += f", {which}: the rest of the context is not explained"
    return f"{where}; explained: {case.target.name}"


def models_by_step(args: Namespace, recording: Any, loaded: tuple[Any, int]) -> Any:
    """Step and model of each whole checkpoint, one at a time, and the newest model last."""
    from huggin.recording.checkpoints import is_complete

    final, last_step = loaded
    for step, folder in recording.run.checkpoints():
        if step < last_step and is_complete(folder):
            yield step, load(args, recording, folder)[0]
    yield last_step, final


def record(args: Namespace, kept: Any) -> None:
    """Write the numbers for --json, and the explanations into the database."""
    from dataclasses import asdict

    from huggin.common.files import write_json
    from huggin.lime.results import record as record_all
    from huggin.lime.words.found import row_of

    if args.json:
        write_json(args.json, asdict(kept))
    record_all(args.db, [row_of(finding, kept.asked) for finding in kept.findings])


if __name__ == "__main__":
    run_command(main)

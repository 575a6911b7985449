"""Ask a trained model questions and score its answers: cfg.json -> text, database, recording.

python test-qa-efficacy.py cfg.json --samples 20
"""  # huggin: ask 20

import os
from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import huggin
from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.common.files import text_or_file, write_json
from huggin.common.progress import loading
from huggin.common.streams import warn
from huggin.database.connection import add_database_option, database_path, open_database
from huggin.database.queries import (
    AnswerRow,
    asked_before,
    expected_before,
    record_answers,
    standing,
)
from huggin.qa.records import refuse_no_words
from huggin.recording.checkpoints import models_of, refuse_untrained
from huggin.recording.run_folder import RunFolder
from huggin.training.notify import notifying

OF_OWN = {"cfg", "question", "context", "output_dir", "device", "notify"}  # with --question
LARGEST_BATCH = 4096  # windows; more are no faster on any machine, and fit into few


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print, record; 1 if no answer of the data's questions was right."""
    args = read_arguments(argv)
    from huggin.recording.run_facts import given_for

    flags = ["--output_dir", str(args.output_dir)] if args.output_dir else []
    if args.questions:
        flags += ["--validation_file", str(args.questions), "--do_eval", "true"]
    config = given_for(args.cfg, flags)
    run = RunFolder(config.output_dir)
    with notifying(args.notify or config.recording.notify, str(run.path)) as ending:
        if args.question is not None:
            answer_own(args, run)
            return 0
        models = models_of(run, args.checkpoint, args.checkpoints)
        refuse_unwritable(run, args.predictions)
        right = sum(examine_one(args, config, run, folder) for folder in models)
        ending.code = 0 if right else 1
    return ending.code


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for options that do not fit together."""
    parser = CommandParser(
        "Ask a trained model random questions of its data and score the answers.\n"
        "It stops at the first correct answer, unless --samples or --all is given.",
        "python test-qa-efficacy.py cfg.json --samples 20",
    )
    parser.add_argument("cfg", metavar="CFG", type=Path, help="the run's folder, or its cfg.json")
    how_many = parser.add_mutually_exclusive_group()
    parser.option("--until-correct", "stop at the first correct answer (default)", group=how_many)
    parser.option("--samples N", "ask N questions", group=how_many, at_least=1)
    parser.option("--all", "ask all questions", group=how_many)
    most = "with --until-correct: give up after N questions (default: all questions)"
    parser.option("--max-samples N", most, at_least=1)
    parser.add_split()
    file = "a file of other questions to ask (default: those that the run was trained with)"
    parser.option("--questions FILE", file, type=Path)
    seed = "seed for drawing the questions (default: others at each call)"
    parser.option("--seed N", seed, type=int)
    parser.option("--unseen", "skip the questions that this model was asked in earlier calls")
    own = "ask a question of your own, with --context, and keep its answer; it gets no score"
    parser.option("--question TEXT", own)
    parser.option("--context TEXT", "the text that the answer is sought in, or a file of it")
    folder = "the run's folder (default: the cfg's output_dir)"
    flags = ("--output-dir", "--output_dir")
    parser.add_argument(*flags, metavar="DIR", type=Path, help=folder)
    which = parser.add_mutually_exclusive_group()
    checkpoint = "ask this checkpoint of the run (default: its newest model)"
    parser.option("--checkpoint DIR", checkpoint, group=which, type=Path)
    every = "ask every checkpoint of the run, one after the other"
    parser.option("--checkpoints", every, group=which)
    parser.option(
        "--batch-size N", "questions asked at once (default: 16 on a CPU, 64 on a GPU)", at_least=1
    )
    parser.add_device()
    parser.option("--bf16", "compute in bfloat16: faster on most GPUs, less exact")
    written = "write the answers in the format of SQuAD's official evaluation script"
    parser.option("--predictions FILE", written, type=Path)
    parser.option(
        "--show",
        "which answers to print (default: the first 20 wrong ones, or with --until-correct the "
        "right one)",
        choices=("wrong", "right", "all"),
    )
    details = "the score by kind of question, kinds of errors, and what its probabilities are worth"
    parser.option("--details", f"also print {details}")
    parser.option("--notify COMMAND", "a command to run at the end")
    add_database_option(parser)
    args = parser.parse_args(argv)
    refuse_unfit(args)
    if args.context is not None:
        args.context = text_or_file("context", args.context)
    return args


def refuse_unfit(args: Namespace) -> None:
    """Raise UserError for values that no call can use, and for options that exclude each other."""
    if (args.question is None) != (args.context is None):
        raise UserError("--question and --context: give both")
    unfit = [name for name in vars(args).keys() - OF_OWN if getattr(args, name)]
    if args.question is not None and unfit:
        option = f"--{min(unfit).replace('_', '-')}"
        raise UserError(f"{option}: is about the data's questions; leave it out beside --question")
    if args.batch_size and args.batch_size > LARGEST_BATCH:
        raise UserError(f"--batch-size {args.batch_size}: must be {LARGEST_BATCH} at most")
    if args.max_samples and (args.samples or args.all):
        problem = "is for --until-correct; leave it out beside --samples and --all"
        raise UserError(f"--max-samples: {problem}")
    if args.details and not (args.samples or args.all):
        raise UserError("--details: takes a fixed number of questions; add --samples N, or --all")
    if args.predictions and (args.checkpoints or args.predictions.is_dir()):
        problem = "name a file, for one model; leave out --checkpoints"
        raise UserError(f"--predictions {args.predictions}: {problem}")


def refuse_unwritable(run: RunFolder, predictions: Path | None) -> None:
    """Raise UserError before the work if its results could not be kept."""
    from huggin.recording.results import read_efficacy

    read_efficacy(run)  # new results are added to those that are there
    for target in filter(None, (run.efficacy, run.recording / "answers", predictions)):
        folder = target.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise UserError(f"{target}: cannot be written, because {folder} is no writable folder")


def answer_own(args: Namespace, run: RunFolder) -> None:
    """Answer the user's own question, print and keep that; the database and the scores stay."""
    refuse_untrained(run)
    refuse_no_words(args.question, args.context)
    model = huggin.TrainedModel.load(run.path, args.device)
    answered = model.answer(args.question, args.context)
    print(answered.in_words())
    model.keep(answered)


def examine_one(args: Namespace, config: Any, run: RunFolder, folder: Path) -> int:
    """Ask one model; print the results, then keep them, in the database last.

    Returns how many answers were right.
    """
    loading(f"the model in {folder}")
    examination = huggin.Examination.load(config, run, folder, args.split, args.device, args.bf16)
    if args.predictions:
        examination.refuse_repeated_ids(args.predictions)
    state = examination.state
    with closing(open_database(database_path(args.db))) as database:
        others = examination.not_of(expected_before(database, state))
        if others:
            what = f"{len(others)} questions kept under this name are of other data"
            warn(f"{state}: {what}; rename the file of questions, or name another --db")
        examined = examination.ask(
            None if args.all else args.samples or args.max_samples,
            until_right=not (args.all or args.samples),
            seed=args.seed,
            skip=asked_before(database, state) - others if args.unseen else set(),
            batch_size=args.batch_size,
        )
        print(examined.in_words(args.show))
        if args.details:
            print(f"\n{examined.details.in_words()}\n")
            examined.keep_details()
        if args.predictions:
            texts = {asked.record["id"]: asked.answer.text for asked in examined.asked}
            write_json(args.predictions, texts)  # the format of SQuAD's official script
        examination.keep(examined)
        record_answers(database, state, [AnswerRow(*asked.as_row()) for asked in examined.asked])
        correct_in_all, asked_in_all = standing(database, state)
        different = len(asked_before(database, state))
    in_all = f"{correct_in_all} of {asked_in_all} correct in all calls so far"
    print(f"{run.path}: {in_all} ({different} different questions)")
    if examined.until_right:
        print("EM and F1 take a fixed number of questions: --samples N, or --all")
    return examined.efficacy.correct


if __name__ == "__main__":
    run_command(main)

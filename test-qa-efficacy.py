"""Ask a trained model questions and score its answers: cfg.json -> text, database, one answer from the inside.

python test-qa-efficacy.py cfg.json --samples 20
"""

from argparse import Namespace
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from huggin.common.cli import CommandParser, run_command
from huggin.common.errors import UserError
from huggin.common.text import printable
from huggin.database.option import add_database_option
from huggin.recording.run_folder import RunFolder

if TYPE_CHECKING:
    from huggin.qa.config import Config


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print, record; 1 where no answer was right."""
    args = read_arguments(argv)
    from huggin.qa.config import read_config

    config = read_config(args.cfg, [])
    run = RunFolder(Path(config.training.output_dir))
    models = models_to_ask(args, run)
    right = sum(examine(config, run, folder, args) for folder in models)
    return 0 if right else 1


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line; one line for what does not fit together."""
    parser = CommandParser(
        "Ask a trained model random questions of its data, until one is answered right, and score the answers.",
        "python test-qa-efficacy.py cfg.json --samples 20",
    )
    parser.add_argument("cfg", metavar="CFG", type=Path, help="the run's cfg.json")
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "--until-correct",
        action="store_true",
        help="stop at the first right answer (this is usual)",
    )
    how_many.add_argument("--samples", metavar="N", type=int, help="ask N questions")
    how_many.add_argument("--all", action="store_true", help="ask all questions")
    parser.add_argument(
        "--max-samples", metavar="N", type=int, help="give up after N questions (all of them)"
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation"),
        help="whose questions (validation, if there are any)",
    )
    parser.add_argument("--seed", type=int, help="draw the same questions again (others each time)")
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=int,
        help="questions asked at once (default: 16 on a CPU, 64 on a GPU)",
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where the model computes: cpu, cuda, cuda:1, mps, xpu (default: the GPU if there is "
        "one, unless the cfg says use_cpu)",
    )
    parser.add_argument(
        "--bf16", action="store_true", help="compute in bfloat16: faster on most GPUs, less exact"
    )
    parser.add_argument(
        "--unseen",
        action="store_true",
        help="skip those that this model-type-state was asked before",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--checkpoint", metavar="DIR", type=Path, help="this one of the run's (its newest model)"
    )
    which.add_argument(
        "--checkpoints",
        action="store_true",
        help="every checkpoint of the run, one after the other",
    )
    parser.add_argument(
        "--predictions",
        metavar="FILE",
        type=Path,
        help="write the answers as SQuAD's script reads them",
    )
    add_database_option(parser)
    args = parser.parse_args(argv)
    for name in ("samples", "max_samples", "batch_size"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name.replace('_', '-')}: must be 1 or more")
    if args.max_samples and (args.samples or args.all):
        raise UserError(
            "--max-samples: is for --until-correct; leave it out beside --samples and --all"
        )
    if args.predictions and (args.checkpoints or args.predictions.is_dir()):
        raise UserError(
            f"--predictions {args.predictions}: name a file, for one model; leave out --checkpoints"
        )
    return args


def models_to_ask(args: Namespace, run: RunFolder) -> list[Path]:
    """Folders of models: the one that was named, every whole checkpoint, or the newest."""
    from checkpointing import is_complete, newest_model

    if args.checkpoint:
        if run.path.resolve() not in (
            args.checkpoint.resolve(),
            *args.checkpoint.resolve().parents,
        ):
            raise UserError(
                f"--checkpoint {args.checkpoint}: not in {run.path}; give the cfg of its own run"
            )
        return [args.checkpoint]
    if not args.checkpoints:
        return [newest_model(run)]
    whole = [checkpoint for _, checkpoint in run.checkpoints() if is_complete(checkpoint)]
    if not whole:
        raise UserError(f"{run.path}: no whole checkpoint; run get-training-output first")
    return whole


def examine(config: "Config", run: RunFolder, folder: Path, args: Namespace) -> int:
    """Ask one model, print and store what comes of it, the database last.

    Returns how many answers were right.
    """
    from huggin.asking.examination import Examination
    from huggin.asking.keeping import keep
    from huggin.asking.report import report
    from huggin.database.connection import open_database
    from huggin.database.option import database_path
    from huggin.database.queries import AnswerRow, asked_before, record_answers, standing

    examination = Examination.load(config, run, folder, args.split, args.device, args.bf16)
    state = examination.state
    measuring = bool(args.all or args.samples)
    limit = None if args.all else args.samples or args.max_samples
    with closing(open_database(database_path(args.db))) as database:
        skip = asked_before(database, state) if args.unseen else set()
        asked = examination.ask(args.seed, limit, skip, args.batch_size, until_right=not measuring)
        efficacy = examination.efficacy(asked)
        print(printable(report(state, asked, efficacy)))
        if args.predictions:
            examination.write_predictions(args.predictions, asked)
        keep(examination, asked, efficacy if measuring else None)
        record_answers(database, state, [AnswerRow(**one.as_row()) for one in asked])
        correct_in_all, asked_in_all = standing(database, state)
    print(f"{state}: {correct_in_all} of {asked_in_all} right in all calls so far")
    return efficacy.correct


if __name__ == "__main__":
    run_command(main)

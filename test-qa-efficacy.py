"""Ask a trained model questions and score its answers: cfg.json -> text, database, one answer from the inside.

python test-qa-efficacy.py cfg.json --samples 20
"""

from argparse import Namespace
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from db_utils import AnswerRow, asked_before, record_answers, standing
from huggin.database import add_database_option, database_path, open_database
from huggin.door import DoorParser, UserError, open_door, printable
from huggin.run_folder import RunFolder

if TYPE_CHECKING:
    from huggin.efficacy import Asked, Efficacy
    from huggin.examination import Examination


def main() -> int:
    """Ask, print, record; 1 where no answer was right."""
    args = read_arguments()
    from huggin.config import read_config
    from huggin.examination import Examination

    config = read_config(args.cfg, [])
    run = RunFolder(Path(config.training.output_dir))
    models = models_to_ask(args, run)
    right = sum(examine(Examination.load(config, run, folder, args.split), args) for folder in models)
    return 0 if right else 1


def read_arguments() -> Namespace:
    """The command line; one line for what does not fit together."""
    parser = DoorParser(
        "Ask a trained model random questions of its data, until one is answered right, and score the answers.",
        "python test-qa-efficacy.py cfg.json --samples 20",
    )
    parser.add_argument("cfg", metavar="CFG", type=Path, help="the run's cfg.json")
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument("--until-correct", action="store_true", help="stop at the first right answer (this is usual)")
    how_many.add_argument("--samples", metavar="N", type=int, help="ask N questions")
    how_many.add_argument("--all", action="store_true", help="ask all questions")
    parser.add_argument("--max-samples", metavar="N", type=int, help="give up after N questions (all of them)")
    parser.add_argument(
        "--split", choices=("train", "validation"), help="whose questions (validation, if there are any)"
    )
    parser.add_argument("--seed", type=int, help="draw the same questions again (others each time)")
    parser.add_argument("--batch-size", metavar="N", type=int, default=16, help="questions asked at once (16)")
    parser.add_argument("--unseen", action="store_true", help="skip those that this model-type-state was asked before")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--checkpoint", metavar="DIR", type=Path, help="this one of the run's (its newest model)")
    which.add_argument("--checkpoints", action="store_true", help="every checkpoint of the run, one after the other")
    parser.add_argument(
        "--predictions", metavar="FILE", type=Path, help="write the answers as SQuAD's script reads them"
    )
    add_database_option(parser)
    args = parser.parse_args()
    for name in ("samples", "max_samples", "batch_size"):
        if getattr(args, name) is not None and getattr(args, name) < 1:
            raise UserError(f"--{name.replace('_', '-')}: must be 1 or more")
    if args.max_samples and (args.samples or args.all):
        raise UserError("--max-samples: is for --until-correct; leave it out beside --samples and --all")
    if args.predictions and (args.checkpoints or args.predictions.is_dir()):
        raise UserError(f"--predictions {args.predictions}: name a file, for one model; leave out --checkpoints")
    return args


def models_to_ask(args: Namespace, run: RunFolder) -> list[Path]:
    """Folders of models: the one that was named, every whole checkpoint, or the newest."""
    from checkpointing import is_complete, newest_model

    if args.checkpoint:
        if run.path.resolve() not in (args.checkpoint.resolve(), *args.checkpoint.resolve().parents):
            raise UserError(f"--checkpoint {args.checkpoint}: not in {run.path}; give the cfg of its own run")
        return [args.checkpoint]
    if not args.checkpoints:
        return [newest_model(run)]
    whole = [checkpoint for _, checkpoint in run.checkpoints() if is_complete(checkpoint)]
    if not whole:
        raise UserError(f"{run.path}: no whole checkpoint; run get-training-output first")
    return whole


def examine(examination: "Examination", args: Namespace) -> int:
    """Ask one model, print and store what comes of it, the database last; how many answers were right."""
    measuring = bool(args.all or args.samples)
    with closing(open_database(database_path(args.db))) as database:
        skip = asked_before(database, examination.state) if args.unseen else set()
        limit = None if args.all else args.samples or args.max_samples
        asked = examination.ask(args.seed, limit, skip, args.batch_size, until_right=not measuring)
        efficacy = examination.efficacy(asked)
        print_report(examination.state, asked, efficacy)
        if args.predictions:
            examination.write_predictions(args.predictions, asked)
        keep(examination, asked, efficacy if measuring else None)
        record_answers(database, examination.state, [as_row(one) for one in asked])
        correct_in_all, asked_in_all = standing(database, examination.state)
    print(f"{examination.state} stands at {correct_in_all}/{asked_in_all} over all calls")
    return efficacy.correct


def keep(examination: "Examination", asked: "list[Asked]", efficacy: "Efficacy | None") -> None:
    """What goes into the run's folder: the first right answer from the inside, else the last; and what was measured."""
    from huggin.efficacy import keep_efficacy
    from huggin.run_lock import one_at_a_time

    examination.run.recording.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(examination.run.recording):
        if efficacy:
            keep_efficacy(examination.run, efficacy)
        look_inside(examination, next((one for one in asked if one.right), asked[-1]))


def look_inside(examination: "Examination", one: "Asked") -> None:
    """Ask a question again with hooks on every layer, and keep what they saw in the recording."""
    from huggin.answer_recording import AnswerInside, write_answer
    from huggin.sites import find_sites
    from huggin_utils import probe

    facts, sample = examination.facts_of(one)
    seen = probe(examination.model, sample, find_sites(examination.model, "all"), examination.config.data)
    activations = {(site.layer, site.component): values for site, values in seen.activations.items()}
    write_answer(examination.run, AnswerInside(facts, seen.start_logits, seen.end_logits, activations))


def as_row(one: "Asked") -> AnswerRow:
    """What the database keeps of a question."""
    expected = next(iter(one.record["answers"]["text"]), "")
    return AnswerRow(one.index, expected, one.answer.text, one.right, one.f1, one.answer.confidence)


def describe(one: "Asked") -> str:
    """A question, its context, the expected and the actual answer, in words and tokens."""
    rows = (
        ("context", one.record["context"]),
        ("expected", " | ".join(one.record["answers"]["text"]) or "(no answer)"),
        ("answered", one.answer.text or "(no answer)"),
        ("tokens", f"{one.answer.start} to {one.answer.end}, confidence {one.answer.confidence:.2f}"),
    )
    lines = [f"question {one.index}: {one.record['question']}", *(f"  {name + ':':9} {text}" for name, text in rows)]
    return "\n".join(lines)


def print_report(state: str, asked: "list[Asked]", efficacy: "Efficacy") -> None:
    """The right answers, and the score of all."""
    for one in (one for one in asked if one.right):
        print(printable(describe(one)) + "\n")
    em, f1 = efficacy.exact_match_interval, efficacy.f1_interval
    print(f"{state}: {efficacy.correct}/{efficacy.asked} right")
    print(f"EM {efficacy.exact_match:.1f} % (95 %: {em[0]:.1f} to {em[1]:.1f})", end=", ")
    print(f"F1 {efficacy.f1:.1f} % (95 %: {f1[0]:.1f} to {f1[1]:.1f})")


if __name__ == "__main__":
    open_door(main)

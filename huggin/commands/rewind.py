"""Put each part of a trained model back to step 0 and ask questions: RUN -> RUN/rewind.json, PNG.

huggin rewind RUN
huggin rewind RUN --samples 200 --checkpoint 600
"""  # huggin: explain 20

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from huggin.common.cli import CommandParser
from huggin.common.streams import warn
from huggin.graphs.arguments import add_saving, load_matplotlib
from huggin.recording.run_folder import RunFolder

SAMPLES = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Save the numbers and the figure, and print a table."""
    args = read_arguments(argv)
    load_matplotlib()
    from huggin.analysis.ledger import sums_until
    from huggin.analysis.rewinding import in_words, table_of_parts
    from huggin.asking.rewinding import rewind
    from huggin.common.text import printable
    from huggin.graphs.rewind import draw_rewound
    from huggin.graphs.saving import save_figures
    from huggin.recording.reader import Recording
    from huggin.recording.results import keep_rewound, read_all_rewound
    from huggin.recording.run_lock import one_at_a_time

    recording = Recording(args.run)
    run = recording.run
    before = read_all_rewound(run)  # what is found is added to it
    folder = model_folder(run, args.checkpoint)
    found = rewind(recording, folder, args.samples, args.split, args.device, args.seed)
    with one_at_a_time(run.recording):
        keep_rewound(run, found)
    for entry in before:
        if entry.step == found.step and len(entry.questions) > len(found.questions):
            asked = f"the answers to {len(entry.questions)} questions after step {entry.step}"
            warn(f"huggin rewind: {run.rewound}: {asked} are replaced")
    ledger = sums_until(recording, found.step)
    figures = draw_rewound(found, ledger, of_step=args.checkpoint is not None)
    save_figures(figures, run.graphs, args.show, args.format)
    print(run.rewound)
    print(printable(f"{table_of_parts(found)}\n{in_words(found)}"))
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for values that no call can use."""
    parser = CommandParser(
        "Put each part of a trained model (embeddings, each layer, the QA head) back to what it\n"
        "was before the training, alone, and train each alone by putting back all others. Ask\n"
        "questions each time, and draw loss and right answers beside the change of the weights.",
        "huggin rewind runs/sample",
    )
    run = "a run's folder: output_dir in cfg.json"
    parser.add_argument("run", metavar="RUN", type=Path, help=run)
    parser.add_argument(
        "--samples",
        metavar="N",
        type=int,
        default=SAMPLES,
        help=f"ask N random questions (default: {SAMPLES})",
    )
    parser.add_argument(
        "--split",
        choices=("train", "validation"),
        default="train",
        help="whose questions (default: train, because these are the questions it was trained on)",
    )
    parser.add_argument(
        "--checkpoint",
        metavar="K",
        type=int,
        help="the step of a checkpoint of the run (default: its newest model)",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="seed for drawing the questions (default: 0)"
    )
    parser.add_argument(
        "--device",
        metavar="NAME",
        help="where the model computes: cpu, cuda, cuda:1, mps, xpu (default: the GPU if there is "
        "one)",
    )
    add_saving(parser)
    args = parser.parse_args(argv)
    if args.samples < 1:
        parser.error("--samples: must be 1 or more")
    return args


def model_folder(run: RunFolder, checkpoint: int | None) -> Path:
    """The folder of the model that is rewound. Raises BadValue if there is no such checkpoint."""
    from huggin.common.errors import BadValue
    from huggin.recording.checkpoints import damage_of, newest_model

    if checkpoint is None:
        return newest_model(run)
    folder = run.checkpoint(checkpoint)
    if not folder.is_dir():
        steps = ", ".join(str(step) for step, _ in run.checkpoints())
        way_out = f"choose {steps}" if steps else f"{run.path} has none"
        raise BadValue("checkpoint", checkpoint, f"no such checkpoint; {way_out}")
    if damage := damage_of(folder):
        raise BadValue("checkpoint", checkpoint, f"{folder}: {damage}; choose another one")
    return folder

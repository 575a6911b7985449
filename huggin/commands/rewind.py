"""Put each part of a trained model back to step 0 and ask questions: RUN -> RUN/rewind.json, PNG.

huggin rewind RUN
huggin rewind RUN --samples 200 --checkpoint 600
"""  # huggin: explain 20

from argparse import Namespace
from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser
from huggin.common.progress import loading
from huggin.common.streams import warn
from huggin.graphs.arguments import add_options, load_matplotlib

SAMPLES = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Save the numbers and the figure, and print a table."""
    args = read_arguments(argv)
    from huggin.recording.checkpoints import model_of
    from huggin.recording.reader import Recording

    recording = Recording(args.run)
    model_of(recording.run, args.checkpoint)
    loading(f"the model in {recording.run.path}")
    load_matplotlib()
    from huggin.graphs.parts import draw_rewound
    from huggin.graphs.saving import save_figures

    found = huggin.rewind(
        args.run,
        args.samples,
        split=args.split,
        checkpoint=args.checkpoint,
        seed=args.seed,
        device=args.device,
    )
    run = found.run
    if found.replaced:
        asked = f"the answers to {found.replaced} questions after step {found.rewound.step}"
        warn(f"huggin rewind: {run.rewound}: {asked} are replaced")
    figures = draw_rewound(recording, found.rewound, of_step=args.checkpoint is not None)
    save_figures(figures, run.graphs, args.show, args.format)
    print(run.rewound)
    print(found.in_words())
    return 0


def read_arguments(argv: Sequence[str] | None) -> Namespace:
    """The command line. Raises UserError for values that no call can use."""
    parser = CommandParser(
        "Put each part of a trained model (embeddings, each layer, the QA head) back to what it\n"
        "was before the training, alone, and train each alone by putting back all others. Ask\n"
        "questions each time, and draw loss and right answers beside the change of the weights.",
        "huggin rewind runs/sample",
    )
    add_options(parser, "run", "--format", "--show")
    parser.option("--samples N", "ask N random questions", SAMPLES, at_least=1)
    parser.add_split("train")
    which = "the step of a checkpoint of the run (default: its newest model)"
    parser.option("--checkpoint K", which, type=int)
    parser.option("--seed N", "seed for drawing the questions", 0)
    parser.add_device()
    return parser.parse_args(argv)

"""Put each part of a trained model back to step 0 and ask questions: RUN -> RUN/rewind.json, PNG.

huggin rewind RUN
huggin rewind RUN --samples 200 --checkpoint 600
"""  # huggin: explain 20

from collections.abc import Sequence

import huggin
from huggin.common.cli import CommandParser
from huggin.common.progress import loading
from huggin.common.streams import warn
from huggin.graphs.arguments import add_options, add_run, draw
from huggin.recording.checkpoints import model_of

SAMPLES = 100


def main(argv: Sequence[str] | None = None) -> int:
    """Save the numbers and the figure, and print a table."""
    parser = CommandParser(
        "Put each part of a trained model (embeddings, each layer, the QA head) back to what it\n"
        "was before the training, alone, and train each alone by putting back all others. Ask\n"
        "questions each time, and draw loss and right answers beside the change of the weights.",
        "huggin rewind runs/sample",
    )
    add_run(parser)
    add_options(parser, "--format", "--show")
    parser.option("--samples N", "ask N random questions", SAMPLES, at_least=1)
    parser.add_split("train")
    which = "the step of a checkpoint of the run (default: its newest model)"
    parser.option("--checkpoint K", which, type=int)
    parser.option("--seed N", "seed for drawing the questions", 0)
    parser.add_device()
    choices = vars(parser.parse_args(argv))
    run, formats, show = (choices.pop(name) for name in ("run", "format", "show"))
    model_of(huggin.Recording(run).run, choices["checkpoint"])
    loading(f"the model in {run}")
    found = huggin.rewind(run, **choices)
    if found.replaced:
        asked = f"the answers to {found.replaced} questions after step {found.rewound.step}"
        warn(f"{parser.prog}: {found.run.rewound}: {asked} are replaced")
    draw(parser.prog, "rewind", run=run, format=formats, show=show, step=choices["checkpoint"])
    print(found.run.rewound)
    print(found.in_words())
    return 0

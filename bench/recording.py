"""What recording costs per training step, in time and bytes, compared with other tools.

    python bench/recording.py --quick
    python bench/recording.py --ours             # without wandb, which needs an environment

The default model: steps are trained in turns with each tool. BERT-base's shape, 12 x 384 tokens:
the time that each tool adds after a step, divided by the time of the step. The default schedule
over SQuAD's 14,754 steps is one row per step, 200 probes and 32 snapshots of the nodes.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from bench.measure import (  # noqa: E402
    Asked,
    alternate,
    last_line,
    parser_of,
    ratios,
    rivals_python,
    row,
    spread,
)
from bench.one_step import Training  # noqa: E402
from huggin.common.window import Window  # noqa: E402
from huggin.model.parts import before_clipping  # noqa: E402
from huggin.recording.pointers import HeadInput  # noqa: E402
from huggin.recording.probe import batch_rows  # noqa: E402
from huggin.recording.recorder import Recorder  # noqa: E402

TINY = ROOT / "sample" / "bert-tiny"
RUN = 1200  # steps of cfg-facts.json's run
NIGHT = 14_754  # steps of two epochs of SQuAD
PROBES = 200
SNAPSHOTS = 32
MORE = 20  # steps that are kept to count their bytes
EVERY_STEP = ("steps", "layers", "questions", "pointers")  # tables with a row for each step
OFF = "recording off"
DEFAULT = "default schedule"
EVERY = "a probe at every step, without the ledger"
LEDGER = "a probe with the ledger at every step"
EVENTS = "add_histogram"
TEXT = "a figure and text rows"
WANDB = "wandb offline, watch(log=all, log_freq=1)"

Keep = Callable[[int, Any, Any], None]  # takes step, loss, norm of the gradients; keeps something


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each tool and shape."""
    parser = parser_of(__doc__)
    parser.add_argument("--ours", action="store_true", help="leave wandb out")
    args = parser.parse_args(argv)
    torch.manual_seed(0)
    for measure in (default_model, base_shape):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), args.quick, args.ours)
    return 0


def sample_of(training: Training) -> Window:
    """The first row of the batch as a tracked sample."""
    ids = training.batch["input_ids"][0].tolist()
    return Window(
        index=0,
        question="",
        context="",
        answer="",
        tokens=[str(number) for number in ids],
        parts=["special", *["context"] * (len(ids) - 1)],
        gold_start=1,
        gold_end=2,
        inputs={"input_ids": ids, "attention_mask": [1] * len(ids)},
    )


def recorder(training: Training, folder: Path, steps: int, **points: int) -> Keep:
    """Keep a step with the toolkit's Recorder, as run_qa.py does: all eight tables."""
    samples = [sample_of(training)]
    recorder = Recorder(folder, training.model, samples, steps, **points)  # type: ignore
    recorder.start()
    index = torch.arange(len(training.batch["input_ids"]))
    window = torch.zeros_like(index)
    received = HeadInput(training.model)

    def keep(step: int, loss: Any, norm: Any) -> None:
        given = (training.batch, training.output)
        recorder.step(
            step,
            loss=loss,
            grad_norm=norm,
            learning_rate=1e-5,
            epoch=step / steps,
            part_norms=before_clipping(recorder.gradient_norms(), norm),
            questions=batch_rows(*given, index, window),
            gradients=received.gradients(*given),
            scale=torch.ones_like(received.weight),
        )

    return keep


def histograms(training: Training, folder: Path) -> Keep:
    """Keep a step with TensorBoard: histograms of the head's weights and biases, and the loss."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def keep(step: int, loss: Any, _: Any) -> None:
        writer.add_scalar("loss", loss.detach(), step)
        writer.add_histogram("weight", training.head.weight, step)
        writer.add_histogram("bias", training.head.bias, step)
        writer.flush()

    return keep


def text_rows(training: Training, folder: Path) -> Keep:
    """Keep a step as the older toolkit did: the head's weights as a row of text and as a figure."""
    folder.mkdir()

    def keep(step: int, loss: Any, norm: Any) -> None:
        weight = training.head.weight.detach()
        head = [*weight.flatten().tolist(), *training.head.bias.tolist()]
        with (folder / "rows.txt").open("a", encoding="utf-8") as file:
            file.write(f"{[step, loss.item(), float(norm), *head]}\n")
        figure = Figure()
        axes = figure.subplots()
        for values in weight:
            axes.plot(values)
        figure.savefig(folder / "weights.png")

    return keep


def nothing(*_: Any) -> None:
    """Keep nothing: recording is off."""


def contender(training: Training, keep: Keep, steps: int) -> Callable[[], float]:
    """A function that trains `steps` more steps, and returns the milliseconds of one, kept."""
    done = 0

    def train() -> float:
        nonlocal done
        begun = time.perf_counter()
        for step in range(done + 1, done + steps + 1):
            keep(step, *training.step())
        done += steps
        return 1000 * (time.perf_counter() - begun) / steps

    return train


def default_model(folder: Path, quick: bool, ours: bool) -> None:
    """Print the milliseconds of a step of the default model with each tool, and by `OFF`."""
    training = Training(TINY, 8, 128)
    rounds, steps = (3, 10) if quick else (7, 60)
    ways = {
        OFF: nothing,
        DEFAULT: recorder(training, folder / "default", RUN),
        EVERY: recorder(training, folder / "every", RUN, probe_points=RUN + 1, ledger_points=0),
        EVENTS: histograms(training, folder / "events"),
        TEXT: text_rows(training, folder / "text"),
    }
    asked = {name: contender(training, keep, steps) for name, keep in ways.items()}
    inside: list[float] = []  # seconds in wandb, by the rest of its step
    seconds = 30 if quick else 90
    if ours:
        measured = alternate(asked, rounds, seconds)
    else:
        with Asked(rivals_python(), "watch.py", TINY, 8, 128) as wandb:
            wandb.ask(steps=2)

            def watched() -> float:
                answer = wandb.ask(steps=steps)
                inside.append(answer["inside"] / (answer["seconds"] - answer["inside"]))
                return 1000 * answer["seconds"] / steps

            measured = alternate({**asked, WANDB: watched}, rounds, seconds)
    for name, times in measured.items():
        compared = ""
        if name == WANDB:
            compared = f"; {spread([1 + share for share in inside])} by its step without it"
        elif name != OFF:
            compared = f"; {ratios(measured, name, OFF)} by off"
        row(f"a step of the default model, {name}", f"{spread(times)} ms{compared}")
    row("the default schedule by off", ratios(measured, DEFAULT, OFF), most=1.05)


def base_shape(folder: Path, quick: bool, ours: bool) -> None:
    """Print what each tool adds after a step of BERT-base's shape, and by the step."""
    batch, tokens, steps = (2, 128, 2) if quick else (12, 384, 3)
    training = Training(None, batch, tokens)
    ways = base_ways(training, folder)
    trained, taken = train_and_keep(training, ways, steps)
    row(f"a step of BERT-base's shape, {batch} x {tokens}, recording off", spread(trained), "s")
    alone = statistics.median(trained)
    schedule = [
        one + (PROBES * probe + SNAPSHOTS * nodes) / NIGHT
        for one, probe, nodes in zip(taken["row"], taken[LEDGER], taken["nodes"], strict=True)
    ]
    say_what_is_added(DEFAULT, schedule, alone, most=1.01)
    say_what_is_added(EVERY, taken[EVERY], alone, most=1.05)
    say_what_is_added(LEDGER, taken[LEDGER], alone)
    say_what_is_added(EVENTS, taken[EVENTS], alone)
    say_what_is_added(TEXT, taken[TEXT], alone)
    answers: list[dict[str, Any]] = []
    if not ours:
        # a short step, the same head
        with Asked(rivals_python(), "watch.py", "base", 1, 16) as wandb:
            answers = [wandb.ask(steps=1) for _ in range(20)]
        row(f"the same, {WANDB}, added", spread([1000 * one["inside"] for one in answers]), "ms")
    kept = 3 * (steps + 1)  # the last step that was kept, and some
    more = bytes_of_rows(folder / "row", ways["row"], training, kept)
    row(f"bytes of a step of 768 nodes and {batch} windows, ours", more, most=7900)
    bytes_per_step(folder, 3 * steps, more, answers)
    last_line("recording", spread([1 + one / alone for one in schedule]))


def base_ways(training: Training, folder: Path) -> dict[str, Keep]:
    """The tools, and the parts of the default schedule: a row, a probe, a snapshot of the nodes."""
    no_points = {"probe_points": 0, "node_points": 0}
    probes = no_points | {"probe_points": NIGHT + 1}
    snapshots = no_points | {"node_points": NIGHT + 1}
    return {
        "row": recorder(training, folder / "row", NIGHT, **no_points),
        EVERY: recorder(training, folder / "every", NIGHT, **probes, ledger_points=0),
        LEDGER: recorder(training, folder / "ledger", NIGHT, **probes),
        "nodes": recorder(training, folder / "nodes", NIGHT, **snapshots),
        EVENTS: histograms(training, folder / "events"),
        TEXT: text_rows(training, folder / "text"),
    }


def train_and_keep(
    training: Training, ways: dict[str, Keep], steps: int
) -> tuple[list[float], dict[str, list[float]]]:
    """Train, and after each step keep it three times in each way. Returns all seconds."""
    trained: list[float] = []
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for step in range(1, steps + 1):
        begun = time.perf_counter()
        loss, norm = training.step()
        trained.append(time.perf_counter() - begun)
        for name, keep in ways.items():
            for again in range(3):
                begun = time.perf_counter()
                keep(3 * step + again, loss, norm)
                taken[name].append(time.perf_counter() - begun)
    return trained, taken


def say_what_is_added(
    name: str, seconds: list[float], alone: float, most: float | None = None
) -> None:
    """Print the milliseconds that a tool adds to a step, and the step with it by the step alone."""
    row(f"the same, {name}, added", spread([1000 * one for one in seconds]), "ms")
    row(f"the same, {name}, by off", spread([1 + one / alone for one in seconds]), most=most)


def bytes_of_rows(folder: Path, keep: Keep, training: Training, after: int) -> float:
    """What a step adds to our recording: the mean of some more steps, without probes."""

    def size() -> int:
        return sum(size_of(folder, f"{table}-*") for table in EVERY_STEP)

    before = size()
    for step in range(after, after + MORE):
        keep(step, training.output.loss, torch.ones(()))
    return (size() - before) / MORE


def bytes_per_step(folder: Path, kept: int, ours: float, wandb: list[dict[str, Any]]) -> None:
    """Print what a step of a head of 768 nodes takes on disk with other tools."""
    text = size_of(folder / "text", "rows.txt") / kept
    row("the same, text rows", text)
    row("ours by text rows", ours / text, most=0.25)
    row("the same, add_histogram", size_of(folder / "events", "events*") / kept)
    if len(wandb) > 1:
        row("the same, wandb", (wandb[-1]["bytes"] - wandb[0]["bytes"]) / (len(wandb) - 1))


def size_of(folder: Path, pattern: str) -> int:
    """Bytes of the files in a folder that fit a pattern."""
    return sum(path.stat().st_size for path in folder.rglob(pattern))


if __name__ == "__main__":
    sys.exit(main())

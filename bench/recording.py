"""What recording costs a training step, in time and bytes, beside other ways to keep what the head was.

    python bench/recording.py --quick

The default model: steps in turns with each way. BERT-base's shape, 12 x 384 tokens: what each way takes after a step,
by the step itself; the default schedule over SQuAD's 14,754 steps is a row each, 200 probes and 32 node snapshots.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402

from bench.measure import Asked, alternate, last_line, parser_of, ratios, rivals_python, row, spread  # noqa: E402
from bench.training import Training  # noqa: E402
from huggin.common.window import Window  # noqa: E402
from huggin.recording.recorder import Recorder  # noqa: E402

TINY = ROOT / "sample" / "bert-tiny"
RUN, NIGHT = 1200, 14_754  # steps of cfg.json's run, and of SQuAD's
OFF, DEFAULT, EVERY = "recording off", "default schedule", "a probe at every step"
EVENTS, TEXT, WANDB = (
    "add_histogram",
    "a figure and text rows",
    "wandb offline, watch(log=all, log_freq=1)",
)
Keep = Callable[[int, Any, Any], None]  # step, loss, norm of the gradients


def sample_of(training: Training) -> Window:
    """The first row of the batch as a tracked sample."""
    ids = training.batch["input_ids"][0].tolist()
    inputs = {"input_ids": ids, "attention_mask": [1] * len(ids)}
    words, parts = [str(number) for number in ids], ["special", *["context"] * (len(ids) - 1)]
    return Window(0, "", "", "", words, parts, 1, 2, inputs)


def recorder(training: Training, folder: Path, steps: int, **points: int) -> Keep:
    """The toolkit's, which ends with the process."""
    kept = Recorder(folder, training.model, [sample_of(training)], steps, **points)  # type: ignore
    kept.start()

    def keep(step: int, loss: Any, norm: Any) -> None:
        kept.step(step, loss=loss, grad_norm=norm, learning_rate=1e-5, epoch=step / steps)

    return keep


def histograms(training: Training, folder: Path) -> Keep:
    """TensorBoard's: a histogram of the head's weights and biases, and the loss."""
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder))

    def keep(step: int, loss: Any, _: Any) -> None:
        writer.add_scalar("loss", loss.detach(), step)
        writer.add_histogram("weight", training.head.weight, step)
        writer.add_histogram("bias", training.head.bias, step)
        writer.flush()

    return keep


def text_rows(training: Training, folder: Path) -> Keep:
    """What the older toolkit did: the head's weights as a row of text and as a figure, anew at each step."""
    folder.mkdir()

    def keep(step: int, loss: Any, norm: Any) -> None:
        from matplotlib.figure import Figure

        weight = training.head.weight.detach()
        numbers = [
            step,
            loss.item(),
            float(norm),
            *weight.flatten().tolist(),
            *training.head.bias.tolist(),
        ]
        with (folder / "rows.txt").open("a", encoding="utf-8") as file:
            file.write(f"{numbers}\n")
        figure = Figure()
        axes = figure.subplots()
        for values in weight:
            axes.plot(values)
        figure.savefig(folder / "weights.png")

    return keep


def nothing(*_: Any) -> None:
    """Recording off."""


def run_steps(training: Training, keep: Keep, numbers: range) -> list[tuple[float, float]]:
    """Seconds of each step, and of what is kept after it."""
    times = []
    for step in numbers:
        begun = time.perf_counter()
        loss, norm = training.step()
        trained = time.perf_counter()
        keep(step, loss, norm)
        times.append((trained - begun, time.perf_counter() - trained))
    return times


def contender(training: Training, keep: Keep, steps: int) -> Callable[[], float]:
    """Milliseconds of a step, all that is kept included; each call goes on from the last."""
    done = 0

    def ask() -> float:
        nonlocal done
        times = run_steps(training, keep, range(done + 1, done + steps + 1))
        done += steps
        return 1000 * sum(map(sum, times)) / steps

    return ask


def size_of(folder: Path, pattern: str) -> int:
    """Bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob(pattern))


def default_model(folder: Path, quick: bool) -> None:
    """Steps of the default model in turns: milliseconds, and by recording off."""
    training = Training(TINY, 8, 128)
    rounds, steps = (3, 10) if quick else (7, 60)
    ways = {
        OFF: nothing,
        DEFAULT: recorder(training, folder / "default", RUN),
        EVERY: recorder(training, folder / "every", RUN, probe_points=RUN + 1),
        EVENTS: histograms(training, folder / "events"),
        TEXT: text_rows(training, folder / "text"),
    }
    asked: dict[str, Callable[[], float]] = {
        name: contender(training, keep, steps) for name, keep in ways.items()
    }
    with Asked(rivals_python(), "watch.py", TINY, 8, 128) as wandb:
        wandb.ask(steps=2)
        inside: list[float] = []

        def watched() -> float:
            answer = wandb.ask(steps=steps)
            inside.append(answer["inside"] / (answer["seconds"] - answer["inside"]))
            return 1000 * answer["seconds"] / steps

        measured = alternate({**asked, WANDB: watched}, rounds, 30 if quick else 90)
    for name, times in measured.items():
        by_off = f"; {ratios(measured, name, OFF)} by off" if name not in (OFF, WANDB) else ""
        by_rest = (
            f"; {spread([1 + share for share in inside])} by its step without it"
            if name == WANDB
            else ""
        )
        row(f"a step of the default model, {name}", f"{spread(times)} ms{by_off}{by_rest}")


def base_shape(folder: Path, quick: bool) -> None:
    """BERT-base's shape: what each way takes after a step, by the step."""
    batch, tokens, steps = (2, 128, 2) if quick else (12, 384, 3)
    training = Training(None, batch, tokens)
    parts: dict[str, Keep] = {
        "row": recorder(training, folder / "row", NIGHT, probe_points=0, node_points=0),
        EVERY: recorder(training, folder / "every", NIGHT, probe_points=NIGHT + 1, node_points=0),
        "nodes": recorder(training, folder / "nodes", NIGHT, probe_points=0, node_points=NIGHT + 1),
        EVENTS: histograms(training, folder / "events"),
        TEXT: text_rows(training, folder / "text"),
    }
    taken: dict[str, list[float]] = {name: [] for name in parts}
    trained = []
    for step in range(1, steps + 1):
        begun = time.perf_counter()
        loss, norm = training.step()
        trained.append(time.perf_counter() - begun)
        for name, keep in parts.items():
            for again in range(3):
                begun = time.perf_counter()
                keep(3 * step + again, loss, norm)
                taken[name].append(time.perf_counter() - begun)
    alone = statistics.median(trained)
    row(f"a step of BERT-base's shape, {batch} x {tokens}, recording off", spread(trained), "s")
    rows, probes, nodes = (taken[name] for name in ("row", EVERY, "nodes"))
    schedule = [
        one + (200 * probe + 32 * node) / NIGHT
        for one, probe, node in zip(rows, probes, nodes, strict=True)
    ]
    ways = {
        DEFAULT: (schedule, 1.01),
        EVERY: (probes, 1.05),
        EVENTS: (taken[EVENTS], None),
        TEXT: (taken[TEXT], None),
    }
    for name, (times, most) in ways.items():
        row(f"the same, {name}, added", spread([1000 * one for one in times]), "ms")
        row(f"the same, {name}, by off", spread([1 + one / alone for one in times]), most=most)
    with Asked(
        rivals_python(), "watch.py", "base", 1, 16
    ) as wandb:  # a short step: the head is as large
        answers = [wandb.ask(steps=1) for _ in range(20)]
    row(f"the same, {WANDB}, added", spread([1000 * one["inside"] for one in answers]), "ms")
    bytes_of_a_step(folder, 3 * steps, answers)
    last_line("recording", spread([1 + one / alone for one in schedule]))


def bytes_of_a_step(folder: Path, kept: int, wandb: list[dict[str, Any]]) -> None:
    """What a step of a 768-unit head takes on disk."""
    ours, text = (
        size_of(folder / "row", "steps-*") / (kept + 1),
        size_of(folder / "text", "rows.txt") / kept,
    )
    row("bytes of a step of 768 nodes, ours", ours)
    row("the same, text rows", text)
    row("ours by text rows", ours / text, most=0.25)
    row("the same, add_histogram", size_of(folder / "events", "events*") / kept)
    if len(wandb) > 1:
        row("the same, wandb", (wandb[-1]["bytes"] - wandb[0]["bytes"]) / (len(wandb) - 1))


def main() -> None:
    """Print a row for each way and shape."""
    args = parser_of(__doc__).parse_args()
    torch.manual_seed(0)
    for measure in (default_model, base_shape):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), args.quick)


if __name__ == "__main__":
    main()

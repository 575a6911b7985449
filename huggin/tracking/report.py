"""Where a training spends its time, from samples of its stack: a text, and flame graphs."""

import html
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, groupby

from huggin.common.statistics import wilson_interval
from huggin.common.text import in_columns, printable
from huggin.tracking.watch import OUTSIDE, TRAINER, Sample, training_function

CALLS_FORWARD = "torch/nn/modules/module.py"  # PyTorch's detour: two frames for each module
COMMONEST = 3
COLOURS = {  # of a bar, by the start of its file's path
    "transformers/": "#f4a582",
    "torch/": "#fddbc7",
    "accelerate/": "#b8e186",
    **dict.fromkeys(("run_qa.py", "trainer_qa.py", "checkpointing.py", "huggin/"), "#92c5de"),
}
OTHERS = "#e0e0e0"

# The flame graph, in pixels
WIDTH = 1200
ROW = 18
LETTER = 6.6
MARGIN = 10
NARROWEST = WIDTH / 200

Called = tuple[str, str]  # file, function


def report(samples: Sequence[Sample], seconds: float) -> str:
    """The share of each training function, with its 95 % interval, and the commonest stacks."""
    heading = f"{len(samples)} samples of {seconds:.1f} s"
    lines = [f"{heading}; share of the time by the Trainer's innermost function:"]
    rows = [("share", "95 % interval", "samples", "training function")]
    by_function = Counter(training_function(sample) for sample in samples)
    for function, count in by_function.most_common():
        low, high = wilson_interval(count, len(samples))
        name = "(outside the Trainer: imports, data, saving)" if function == OUTSIDE else function
        share = f"{100 * count / len(samples):.1f} %"
        rows.append((share, f"{low:.1f} to {high:.1f} %", str(count), name))
    lines += ["", *in_columns(rows, left=(3,))]
    return printable("\n".join([*lines, *_sequences(samples)]))


def _sequences(samples: Sequence[Sample]) -> Iterator[str]:
    """The lines on the commonest call sequences within the Trainer; none if it was never seen."""
    within_trainer = [sample for sample in samples if training_function(sample) != OUTSIDE]
    if within_trainer:
        what = "The commonest call sequences, from the Trainer's innermost function on"
        yield f"\n{what}, without {CALLS_FORWARD}:"
    starts = [
        max(at for at, frame in enumerate(sample) if TRAINER.search(frame.file))
        for sample in within_trainer
    ]
    counts = Counter(
        tuple(frame for frame in sample[start:] if frame.file != CALLS_FORWARD)
        for sample, start in zip(within_trainer, starts, strict=True)
    )
    for frames, count in counts.most_common(COMMONEST):
        yield f"\n{100 * count / len(samples):5.1f} %  {count} samples"
        places = [f"{frame.file}:{frame.line}" for frame in frames]
        width = max(map(len, places))
        for place, frame in zip(places, frames):
            yield f"  {place:{width}}  {frame.function}"


def speedscope(samples: Sequence[Sample]) -> str:
    """The samples as JSON for https://www.speedscope.app, in the order of time."""
    numbers = {frame: at for at, frame in enumerate(dict.fromkeys(chain(*samples)))}
    frames = [{"name": each.function, "file": each.file, "line": each.line} for each in numbers]
    profile = {
        "type": "sampled",
        "name": "training",
        "unit": "none",
        "startValue": 0,
        "endValue": len(samples),
        "samples": [[numbers[frame] for frame in sample] for sample in samples],
        "weights": [1] * len(samples),
    }
    schema = "https://www.speedscope.app/file-format-schema.json"
    return json.dumps({"$schema": schema, "shared": {"frames": frames}, "profiles": [profile]})


def flame_svg(samples: Sequence[Sample]) -> str:
    """A flame graph as SVG: each bar is a function, as wide as its share, below its caller.

    Bars of less than half a percent are left out, and those of Python's import.
    """
    stacks = sorted(
        [(frame.file, frame.function) for frame in sample if not frame.file.startswith("<")]
        for sample in samples
    )
    bars = list(_bars(stacks, 0, 0, (WIDTH - 2 * MARGIN) / len(stacks)))
    height = max((y for y, _ in bars), default=0) + 2 * ROW
    bar = "a bar is as wide as its share, and below its caller; point at one to read it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="Helvetica, Arial, sans-serif" font-size="11">'
        '<rect width="100%" height="100%" fill="white"/>'
        f'<text x="{MARGIN}" y="{ROW}">{len(samples)} samples: {bar}</text>\n'
        f"{''.join(bar for _, bar in bars)}</svg>\n"
    )


def _bars(
    stacks: list[list[Called]], first: int, depth: int, unit: float
) -> Iterator[tuple[int, str]]:
    """(y, bar) at `depth` and below.

    stacks: sorted. first: how many samples are to their left. unit: the width of one sample.
    """
    at = first
    for called, group in groupby(stacks, key=lambda stack: next(iter(stack[depth:]), None)):
        inner = list(group)
        width = len(inner) * unit
        if called and width >= NARROWEST:
            y = (depth + 2) * ROW
            yield y, _bar(called, MARGIN + at * unit, y, width, len(inner))
            yield from _bars(inner, at, depth + 1, unit)
        at += len(inner)


def _bar(called: Called, x: float, y: int, width: float, count: int) -> str:
    """The SVG of one bar: a rectangle, the part of the name that fits, the rest when pointed at."""
    file, function = called
    letters = int((width - 6) / LETTER)
    fits = len(function) <= letters
    name = function if fits else function.rpartition(".")[2][:letters]  # without its class
    texts = (f"{function} ({file}), {count} samples", name if letters > 2 else "")
    title, text = (html.escape(printable(text)) for text in texts)
    colour = next((colour for start, colour in COLOURS.items() if file.startswith(start)), OTHERS)
    where = f'x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}"'
    return (
        f"<g><title>{title}</title>"
        f'<rect {where} fill="{colour}" rx="2"/>'
        f'<text x="{x + 3:.1f}" y="{y + 13}">{text}</text></g>\n'
    )

"""Samples of a stack -> where the time goes, as text and as a flame graph."""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from huggin.common.statistics import wilson_interval
from huggin.tracking.samples import OUTSIDE, TRAINER, Ending, Sample, training_function

PASSED_ON = "torch/nn/modules/module.py"  # how PyTorch calls forward(), twice a module
COMMONEST = 3
WIDTH, ROW, LETTER, MARGIN = 1200, 18, 6.6, 10  # of the flame graph, in pixels
NARROWEST = WIDTH / 200
COLOURS = {
    "transformers/": "#f4a582",
    "torch/": "#fddbc7",
    "accelerate/": "#b8e186",
    "run_qa.py": "#92c5de",
}
COLOURS |= dict.fromkeys(
    ("trainer_qa.py", "huggin_utils.py", "checkpointing.py", "huggin/"), COLOURS["run_qa.py"]
)
OTHERS = "#e0e0e0"


def report(samples: Sequence[Sample], ending: Ending) -> str:
    """Shares by training function with their 95 % intervals, and the commonest call sequences."""
    if not samples:
        return f"no samples in {ending.seconds:.1f} s"
    stacks = Counter(samples)
    by_function, by_sequence = Counter[str](), Counter[Sample]()
    for stack, count in stacks.items():
        by_function[training_function(stack)] += count
        by_sequence[_below_the_trainer(stack)] += count
    span = f"{len(samples)} samples in {ending.looked:.1f} s, of {ending.seconds:.1f} s"
    lost = f" ({ending.missed} looks found no whole stack)" if ending.missed else ""
    lines = [f"{span}{lost}; share of the time by the Trainer's innermost function:", ""]
    lines += ["  share   95 % interval  samples  training function"]
    for function, count in by_function.most_common():
        low, high = wilson_interval(count, len(samples))
        share = 100 * count / len(samples)
        lines.append(f"{share:5.1f} %   {low:4.1f} to {high:4.1f} %  {count:7}  {_named(function)}")
    return "\n".join([*lines, "", *_sequences(by_sequence)])


def _named(function: str) -> str:
    return "(outside the Trainer: imports, data, saving)" if function == OUTSIDE else function


def _sequences(counts: Counter[Sample]) -> Iterator[str]:
    yield f"The commonest call sequences, from the Trainer's innermost function on, without {PASSED_ON}:"
    for frames, count in counts.most_common(COMMONEST):
        yield f"\n{100 * count / counts.total():5.1f} %  {count} samples"
        width = max(len(f"{frame.file}:{frame.line}") for frame in frames)
        yield from (
            f"  {f'{frame.file}:{frame.line}':{width}}  {frame.function}" for frame in frames
        )


def _below_the_trainer(sample: Sample) -> Sample:
    last = max((at for at, frame in enumerate(sample) if TRAINER.search(frame.file)), default=0)
    return tuple(frame for frame in sample[last:] if frame.file != PASSED_ON) or sample[-1:]


def flame_svg(samples: Sequence[Sample]) -> str:
    """A flame graph as SVG: each bar a function, as wide as its share of the samples, beneath its caller.

    Bars under half a percent, and those of Python's import, are left out.
    """
    stacks = sorted(
        [(frame.file, frame.function) for frame in sample if not frame.file.startswith("<")]
        for sample in samples
    )
    bars = list(_bars(stacks, 0, 0, (WIDTH - 2 * MARGIN) / len(stacks)))
    height = max((y for y, _ in bars), default=0) + 2 * ROW
    title = f"{len(samples)} samples: a bar is as wide as its share, and beneath its caller; point at one to read it"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{MARGIN}" y="{ROW}">{title}</text>\n{"".join(bar for _, bar in bars)}</svg>\n'
    )


def _bars(
    stacks: list[list[tuple[str, str]]], first: int, depth: int, unit: float
) -> Iterator[tuple[int, str]]:
    """(y, bar) at `depth` and beneath, of sorted stacks; `first`: samples to their left; `unit`: the width of one."""
    at = first
    for called, group in groupby(
        stacks, key=lambda stack: stack[depth] if depth < len(stack) else None
    ):
        inner = list(group)
        if called and len(inner) * unit >= NARROWEST:
            y = (depth + 2) * ROW
            yield y, _bar(called, MARGIN + at * unit, y, len(inner) * unit, len(inner))
            yield from _bars(inner, at, depth + 1, unit)
        at += len(inner)


def _bar(called: tuple[str, str], x: float, y: int, width: float, count: int) -> str:
    file, function = called
    letters = int((width - 6) / LETTER)
    text = function if len(function) <= letters else function.rpartition(".")[2][: max(0, letters)]
    colour = next((colour for start, colour in COLOURS.items() if file.startswith(start)), OTHERS)
    return (
        f"<g><title>{html.escape(f'{function} ({file}), {count} samples')}</title>"
        f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" fill="{colour}" rx="2"/>'
        f'<text x="{x + 3:.1f}" y="{y + 13}">{html.escape(text if letters > 2 else "")}</text></g>\n'
    )

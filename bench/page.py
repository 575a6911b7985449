"""How large the page of one night is, and how long it takes to make, to open and to repaint.

    python bench/page.py --quick

The recording is of BERT-base's head: 14,754 steps, 200 probes of 384 tokens with the head on 12
layers, 32 snapshots of the nodes, one tracked sample. The page is opened from the disk in headless
Chromium (Debian's `chromium`; the packages in requirements-dev.txt drive it). A repaint is measured
in the page with performance.now(), from a change of the slider until the frame is painted.
"""

import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import (  # noqa: E402
    Spread,
    huggin,
    last_line,
    parser_of,
    row,
    seconds_of,
    spread,
)
from bench.reading import (  # noqa: E402
    HIDDEN,
    LAYERS,
    NIGHT,
    PROBES,
    SITES,
    SNAPSHOTS,
    TOKENS,
    append_batches,
    facts_of_night,
    write_questions,
)
from huggin.recording.run_facts import write_facts  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from huggin.recording.schema import RecordingWriter  # noqa: E402

NOISE = 0.1  # of the activations, beside what is learned
REPAINTS = 200
REPAINT = """async repaints => {
    const slider = document.getElementById("slider");
    const frame = () => new Promise(resolve => requestAnimationFrame(resolve));
    const painted = () => new Promise(resolve => {
        const channel = new MessageChannel();
        channel.port1.onmessage = resolve;
        channel.port2.postMessage(0);
    });
    const times = [];
    for (let at = 0; at < repaints; at++) {
        await frame();
        const begun = performance.now();
        slider.value = (37 * at + 1) % (Number(slider.max) + 1);
        slider.dispatchEvent(new Event("input"));
        await painted();
        times.push(performance.now() - begun);
    }
    return times;
}"""


class Night:
    """A training that learns one answer: a head and its inputs that drift, with some noise."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.numbers = np.random.default_rng(0)
        self.first, self.last = self.numbers.normal(scale=0.05, size=(2, 2, HIDDEN))
        self.before, self.after = self.numbers.normal(size=(2, TOKENS, HIDDEN))

    def head(self, step: int) -> np.ndarray:
        """The weights after a step, (2, hidden) float32."""
        return self._between(self.first, self.last, step).astype(np.float32)

    def inputs(self, step: int) -> np.ndarray:
        """What the head receives, (tokens, hidden) float16."""
        noise = self.numbers.normal(scale=NOISE, size=(TOKENS, HIDDEN))
        return (self._between(self.before, self.after, step) + noise).astype(np.float16)

    def _between(self, first: np.ndarray, last: np.ndarray, step: int) -> np.ndarray:
        return first + (last - first) * step / self.steps


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for the size and for each time."""
    args = parser_of(__doc__).parse_args(argv)
    rounds = 2 if args.quick else 5
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = record(folder / "night", NIGHT)
        line = huggin("create-page", run.path)

        def make() -> None:
            subprocess.run(line, cwd=folder, check=True, capture_output=True)

        before = processor_seconds()
        made = spread([seconds_of(make) for _ in range(rounds)])
        used = (processor_seconds() - before) / rounds
        page = max(folder.glob("gv-graphs/*.html"))
        row(f"the page of {NIGHT:,} steps", page.stat().st_size / 1e6, "MB", most=3)
        row("making it, start to end", made, "s", most=3)
        row("the processor's time for it", used, "s")
        opened, repainted = in_browser(page, rounds)
        row("opening it, until the sample is shown", opened, "s", most=1.5)
        row(f"a step's repaint, median of {REPAINTS}", repainted, "ms", most=16)
    last_line("page", made)
    return 0


def record(folder: Path, steps: int) -> RunFolder:
    """Write the recording of a night whose shares add up to its logits."""
    run = RunFolder(folder)
    night = Night(steps)
    write_facts(run, facts_of_night(write_questions(folder / "questions.json", steps)))
    writer = RecordingWriter(run, HIDDEN)
    probes = set(np.linspace(0, steps - 1, PROBES).astype(int).tolist())
    snapshots = np.linspace(0, PROBES - 1, SNAPSHOTS).astype(int)
    snapshots = {sorted(probes)[place] for place in snapshots}
    for step in range(steps):
        append_step(writer, night, step)
        if step in probes:
            append_probe(writer, night, step, step in snapshots)
    append_batches(writer, night.numbers, steps)
    writer.close()
    return run


def append_step(writer: RecordingWriter, night: Night, step: int) -> None:
    """Add a row of `steps` with a loss that falls."""
    loss = 6 * np.exp(-5 * step / night.steps) + night.numbers.random()
    numbers = {"epoch": 2 * step / night.steps, "learning_rate": 1e-5, "grad_norm": 1.0}
    head = night.head(step)
    bias = np.zeros(2, np.float32)
    writer.append("steps", step=step, loss=loss, weight=head.ravel(), bias=bias, **numbers)


def append_probe(writer: RecordingWriter, night: Night, step: int, with_nodes: bool) -> None:
    """Add a probe, the head on every layer, and maybe a snapshot of the nodes."""
    inputs = night.inputs(step)
    start, end = night.head(step) @ inputs.astype(np.float32).T
    rows = [
        {
            "step": step,
            "sample": 0,
            "layer": layer,
            "start_logits": (start * layer / LAYERS).astype(np.float16),
            "end_logits": (end * layer / LAYERS).astype(np.float16),
        }
        for layer in range(LAYERS + 1)
    ]
    writer.append("lens", *rows)
    logits = {"start_logits": start, "end_logits": end}
    losses = {"start_loss": 1.0, "end_loss": 1.0}
    span = {"predicted_start": 50, "predicted_end": 52 if step % 100 else 51}
    writer.append("probes", step=step, sample=0, **logits, **losses, **span)
    for site in SITES if with_nodes else ():
        place = {"layer": site.layer, "component": site.component}
        writer.append("nodes", step=step, sample=0, activations=inputs, **place)


def processor_seconds() -> float:
    """What the processes that this one started and that have ended took of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_browser(page: Path, rounds: int) -> tuple[Spread, Spread]:
    """Seconds until the page shows the sample, and milliseconds of a repaint."""
    from playwright.sync_api import sync_playwright

    found: list[tuple[float, float]] = []
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for _ in range(rounds):
            found.append(measured(browser, page))
        browser.close()
    opened, repainted = zip(*found, strict=True)
    return spread(opened), spread(repainted)


def measured(browser: Any, page: Path) -> tuple[float, float]:
    """The seconds and milliseconds of one opening."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(f"file://{page}")
    tab.wait_for_selector(".token.chosen")
    opened = tab.evaluate("performance.now()") / 1000
    times = tab.evaluate(REPAINT, REPAINTS)
    tab.close()
    return opened, statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())

"""How long it takes to read the recording of one night, and how much memory that takes.

    python bench/reading.py --quick

The recording is of BERT-base's head. 14,754 steps are two epochs of SQuAD in batches of 12; ten
times as many show how time and memory grow. It is read to arrays, figures and CSV. Rows of text and
TensorBoard's event files are read for comparison, a tenth of the steps; each row costs the same, so
their time is multiplied by ten.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from ast import literal_eval
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import (  # noqa: E402
    Spread,
    alternate,
    huggin,
    last_line,
    parser_of,
    ratios,
    row,
    seconds_of,
    spread,
)
from huggin.common.site import Site  # noqa: E402
from huggin.common.window import Window  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402
from huggin.recording.run_facts import RunFacts, write_facts  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from huggin.recording.schema import RecordingWriter  # noqa: E402

NIGHT = 14_754  # steps
HIDDEN = 768
TOKENS = 384
QUESTION = 20  # tokens of the question
PROBES = 200
SNAPSHOTS = 32
LAYERS = 12
BATCH = 12
SITES = [Site(1, "self"), Site(12, "self"), Site(12, "out")]
TENTH = 10
FIGURES = {  # all that are drawn from a recording, and the options of each
    "graph-weights.py": [],
    "graph-losses.py": [],
    "graph-logits.py": [],
    "graph-node-logits.py": ["--step", "0"],
    "graph-layers": [],
    "graph-questions": [],
}
READ = """
import sys
sys.path.insert(0, sys.argv[1])
from bench.reading import measure_here
measure_here(sys.argv[2])
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row for each way to read."""
    args = parser_of(__doc__).parse_args(argv)
    steps, rounds = (NIGHT // 10, 2) if args.quick else (NIGHT, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = night(folder / "short", steps)
        long = night(folder / "long", 10 * steps)
        text = compare_with_others(short, folder, rounds)
        as_csv(short, steps, rounds)
        growth(short, long, steps, rounds)
    last_line("reading", text)
    return 0


def night(folder: Path, steps: int) -> RunFolder:
    """Write a recording of so many steps, with as many probes and snapshots as by default."""
    run = RunFolder(folder)
    numbers = np.random.default_rng(0)
    write_facts(run, facts_of_night(write_questions(folder / "questions.json", steps)))
    writer = RecordingWriter(run, HIDDEN)
    for step in range(steps):
        append_step(writer, numbers, step, steps)
    append_batches(writer, numbers, steps)
    for step in np.linspace(0, steps - 1, PROBES).astype(int).tolist():
        append_probe(writer, numbers, step)
    for step in np.linspace(0, steps - 1, SNAPSHOTS).astype(int).tolist():
        append_snapshot(writer, numbers, step)
    writer.close()
    return run


def write_questions(path: Path, steps: int) -> Path:
    """Write as many questions as so many batches see twice, in SQuAD's layout and sizes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    words = ("Who", "When", "Where", "How many", "Why", "What", "Which")
    answers = [{"text": "word", "answer_start": 250}]
    asked = [
        {"id": str(number), "question": f"{words[number % len(words)]}?", "answers": answers}
        for number in range(steps * BATCH // 2)
    ]
    paragraphs = [
        {"context": "word " * 120, "qas": asked[at : at + 5]} for at in range(0, len(asked), 5)
    ]
    path.write_text(json.dumps({"data": [{"title": "bench", "paragraphs": paragraphs}]}))
    return path


def facts_of_night(questions: Path) -> RunFacts:
    """run.json of a BERT-base with one tracked sample."""
    sample = Window(
        index=0,
        question="Who?",
        context="word " * TOKENS,
        answer="word",
        tokens=["word"] * TOKENS,
        parts=["question"] * QUESTION + ["context"] * (TOKENS - QUESTION),
        gold_start=50,
        gold_end=52,
    )
    return RunFacts(
        model_class="BertForQuestionAnswering",
        model_name="bench",
        pretrained=True,
        data_name="bench",
        hidden_size=HIDDEN,
        layers=LAYERS,
        sites=SITES,
        samples=[sample],
        modules=[],
        parts=["embeddings", *(f"layer {layer}" for layer in range(1, LAYERS + 1)), "head"],
        has_lens=True,
        cfg={"train_file": str(questions)},
    )


def append_step(
    writer: RecordingWriter, numbers: np.random.Generator, step: int, steps: int
) -> None:
    """Add a row of `steps`: random weights, and a loss that falls."""
    weight = numbers.normal(scale=0.02, size=2 * HIDDEN).astype(np.float32)
    writer.append(
        "steps",
        step=step,
        epoch=step / steps,
        loss=6 * np.exp(-5 * step / steps) + numbers.random(),
        learning_rate=1e-5,
        grad_norm=1.0,
        weight=weight,
        bias=weight[:2],
    )


def append_probe(writer: RecordingWriter, numbers: np.random.Generator, step: int) -> None:
    """Add a row of `probes` with random logits, and the head on every layer."""
    logits = numbers.normal(size=(2, TOKENS)).astype(np.float32)
    start_logits, end_logits = logits
    append_lens(writer, step, logits)
    writer.append(
        "probes",
        step=step,
        sample=0,
        start_logits=start_logits,
        end_logits=end_logits,
        start_loss=1.0,
        end_loss=1.0,
        predicted_start=50,
        predicted_end=52,
    )


def append_lens(writer: RecordingWriter, step: int, logits: np.ndarray) -> None:
    """Add the head on every layer; the last row is the probe's own. logits: (2, tokens)."""
    rows = []
    for layer in range(LAYERS + 1):
        start, end = (logits * (layer / LAYERS)).astype(np.float16)
        rows.append(
            {"step": step, "sample": 0, "layer": layer, "start_logits": start, "end_logits": end}
        )
    writer.append("lens", *rows)


def append_batches(writer: RecordingWriter, numbers: np.random.Generator, steps: int) -> None:
    """Add gradients by part, and two passes through the questions."""
    questions = steps * BATCH // 2
    order = np.concatenate([numbers.permutation(questions) for _ in range(2)])
    for step in range(1, steps):
        windows = numbers.random((BATCH, 5)).astype(np.float32)
        windows[:, 0] = order[(step - 1) * BATCH : step * BATCH]
        windows[:, 1] = 0
        windows[:, 4] = windows[:, 4] < step / steps
        writer.append("questions", step=step, windows=windows.ravel())
        norms = numbers.random(LAYERS + 2).astype(np.float32)
        writer.append("layers", step=step, norms=norms)


def append_snapshot(writer: RecordingWriter, numbers: np.random.Generator, step: int) -> None:
    """Add a row of `nodes` for each site, with random activations."""
    for site in SITES:
        writer.append(
            "nodes",
            step=step,
            sample=0,
            layer=site.layer,
            component=site.component,
            activations=numbers.normal(size=(TOKENS, HIDDEN)).astype(np.float16),
        )


def write_text(path: Path, rows: np.ndarray) -> None:
    """Write rows of numbers as the older toolkit did."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{values}\n" for values in rows.tolist())


def read_text(path: Path) -> np.ndarray:
    """Read these rows."""
    with path.open(encoding="utf-8") as file:
        return np.array([literal_eval(line) for line in file], np.float32)


def write_events(folder: Path, rows: np.ndarray) -> None:
    """Write a tensor per step for TensorBoard; a histogram would not keep all digits."""
    import torch
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, values in enumerate(rows):
            writer.add_tensor("weight", torch.from_numpy(values), step)


def read_events(folder: Path) -> np.ndarray:
    """Read these tensors with TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return np.stack([make_ndarray(event.tensor_proto) for event in events.Tensors("weight")])


def compare_with_others(run: RunFolder, folder: Path, rounds: int) -> Spread:
    """Print the seconds of arrays, text and events. Returns text by arrays."""
    steps = Recording(run.path).steps
    rows = steps.weight.reshape(len(steps.step), -1)[::TENTH].copy()
    text = folder / "rows.txt"
    events = folder / "events"
    write_text(text, rows)
    write_events(events, rows)
    for read in (read_text(text), read_events(events)):
        assert np.array_equal(read, rows), "not the same numbers"
    ways: dict[str, Callable[[], float]] = {
        "arrays": lambda: seconds_of(lambda: Recording(run.path).steps),
        "text": lambda: TENTH * seconds_of(lambda: read_text(text)),
        "events": lambda: TENTH * seconds_of(lambda: read_events(events)),
    }
    measured = alternate(ways, rounds, 90)
    for name, times in measured.items():
        row(f"{len(steps.step):,} steps from {name}", spread(times), "s")
    row("events by arrays", ratios(measured, "events", "arrays"))
    text_by_arrays = ratios(measured, "text", "arrays")
    row("text by arrays", text_by_arrays, least=100)
    return text_by_arrays


def as_csv(run: RunFolder, steps: int, rounds: int) -> None:
    """Print the seconds that the command takes to write a table of steps, and its size."""
    path = run.path / "steps.csv"
    line = huggin("huggin_utils", run.path, "--csv", "steps")

    def write() -> None:
        with path.open("wb") as file:
            subprocess.run(line, check=True, stdout=file, stderr=subprocess.DEVNULL)

    seconds = spread([seconds_of(write) for _ in range(rounds)])
    row(f"{steps:,} steps as CSV, start to end", seconds, "s")
    row("its size", path.stat().st_size / 1e6, "MB")


def growth(short: RunFolder, long: RunFolder, steps: int, rounds: int) -> None:
    """Print seconds of arrays and figures at `steps` and at ten times as many, and the memory."""
    runs = {f"{steps:,}": short, f"{10 * steps:,}": long}
    shorter, longer = runs
    memory: dict[str, list[float]] = {count: [] for count in runs}

    def fresh(count: str) -> float:
        line = [sys.executable, "-c", READ, str(ROOT), str(runs[count].path)]
        done = subprocess.run(line, check=True, capture_output=True, text=True)
        seconds, share = json.loads(done.stdout)
        memory[count].append(share)
        return seconds

    measured = alternate({count: partial(fresh, count) for count in runs}, rounds, 60)
    for count, times in measured.items():
        row(f"{count} steps to arrays, in a fresh process", spread(times), "s")
    row("the longer by the shorter", ratios(measured, longer, shorter), most=11)
    for count in runs:
        row(f"most own memory at {count} steps, by the arrays", spread(memory[count]), most=1.1)
    for name in FIGURES:
        times = alternate({count: figure(name, run) for count, run in runs.items()}, rounds, 40)
        row(f"{name}, {shorter} steps, start to end", spread(times[shorter]), "s", most=5)
        row(f"{name}, {longer} steps", spread(times[longer]), "s")


def figure(name: str, run: RunFolder) -> Callable[[], float]:
    """A function that runs a graph command and returns its seconds, from start to end."""
    line = huggin(name, run.path, *FIGURES[name])
    return lambda: seconds_of(lambda: subprocess.run(line, check=True, capture_output=True))


def measure_here(run: str) -> None:
    """In a fresh process: print the seconds of reading, and the most own memory by the arrays.

    Own memory is what no file backs. It is looked up every 10 ms. Pages of the mapped file do not
    count, because the system takes them back whenever it needs memory.
    """
    import pyarrow.compute  # noqa: F401 else the first reading would load it

    seen = [own_memory()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(own_memory())

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    steps = Recording(run).steps
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    most = max(*seen, own_memory()) - seen[0]
    print(json.dumps([seconds, most / sum(array.nbytes for array in vars(steps).values())]))


def own_memory() -> int:
    """Bytes of this process that no file backs."""
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


if __name__ == "__main__":
    sys.exit(main())

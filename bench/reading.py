"""Reading a night's recording of BERT-base's head back: to arrays, figures and CSV; beside text rows and events.

    python bench/reading.py --quick

14,754 steps are two epochs of SQuAD in batches of 12; ten times as many show how time and memory grow. Text rows and
event files are read for a tenth of the steps, each row costing the same, and the time is taken times ten.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from ast import literal_eval
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import Spread, alternate, last_line, parser_of, ratios, row, seconds_of, spread  # noqa: E402
from huggin.common.site import Site  # noqa: E402
from huggin.common.window import Window  # noqa: E402
from huggin.recording.reader import Recording  # noqa: E402
from huggin.recording.run_facts import RunFacts, write_facts  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from huggin.recording.writer import RecordingWriter  # noqa: E402

NIGHT, HIDDEN, TOKENS, TENTH = 14_754, 768, 384, 10
LAYERS, BATCH = 12, 12
FIGURES = {
    "graph-weights.py": [],
    "graph-losses.py": [],
    "graph-logits.py": [],
    "graph-node-logits.py": ["--step", "0"],
    "graph-layers.py": [],
    "graph-questions.py": [],
}  # efficacy reads another file
SITES = ((1, "self"), (12, "self"), (12, "out"))
READ = "import sys; sys.path.insert(0, sys.argv[1]); from bench.reading import watched; watched(sys.argv[2])"


def watched(run: str) -> None:
    """In a fresh process: print the seconds of reading, and its most own memory by what the arrays hold.

    Own memory is what no file backs, looked up every 10 ms: the mapped file's pages go whenever they are needed.
    """
    import pyarrow.compute  # noqa: F401 loaded by the first reading, else

    def own() -> int:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.partition("RssAnon:")[2].split()[0])

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(own())

    seen, done = [own()], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    steps = Recording(run).steps
    seconds = time.perf_counter() - begun
    done.set()
    watcher.join()
    print(
        json.dumps(
            [
                seconds,
                (max(*seen, own()) - seen[0]) / sum(array.nbytes for array in vars(steps).values()),
            ]
        )
    )


def night(folder: Path, steps: int) -> RunFolder:
    """A recording of so many steps, with 200 probes and 32 snapshots."""
    run, numbers = RunFolder(folder), np.random.default_rng(0)
    words, parts = ["word"] * TOKENS, ["question"] * 20 + ["context"] * (TOKENS - 20)
    sample = Window(
        index=0,
        question="Who?",
        context="word " * TOKENS,
        answer="word",
        tokens=words,
        parts=parts,
        gold_start=50,
        gold_end=52,
    )
    facts = RunFacts(
        model_class="BertForQuestionAnswering",
        model_name="bench",
        pretrained=True,
        data_name="bench",
        hidden_size=HIDDEN,
        layers=LAYERS,
        sites=[Site(layer, component) for layer, component in SITES],
        samples=[sample],
        modules=[],
        parts=["embeddings", *(f"layer {layer}" for layer in range(1, LAYERS + 1)), "head"],
        has_lens=True,
        cfg={"train_file": str(write_questions(folder / "questions.json", steps))},
    )
    write_facts(run, facts)
    writer = RecordingWriter(run, HIDDEN)
    for step in range(steps):
        weight = numbers.normal(scale=0.02, size=2 * HIDDEN).astype(np.float32)
        facts = {"epoch": step / steps, "learning_rate": 1e-5, "grad_norm": 1.0}
        loss = 6 * np.exp(-5 * step / steps) + numbers.random()
        writer.append("steps", step=step, loss=loss, **facts, weight=weight, bias=weight[:2])
    for step in np.linspace(0, steps - 1, 200).astype(int).tolist():
        logits = numbers.normal(size=(2, TOKENS)).astype(np.float32)
        span = {"predicted_start": 50, "predicted_end": 52, "start_loss": 1.0, "end_loss": 1.0}
        writer.append(
            "probes", step=step, sample=0, start_logits=logits[0], end_logits=logits[1], **span
        )
        write_lens(writer, step, logits)
    write_batches(writer, steps, numbers)
    for step in np.linspace(0, steps - 1, 32).astype(int).tolist():
        for layer, component in SITES:
            units = numbers.normal(size=(TOKENS, HIDDEN)).astype(np.float16)
            writer.append(
                "nodes", step=step, sample=0, layer=layer, component=component, activations=units
            )
    writer.close()
    return run


def write_questions(path: Path, steps: int) -> Path:
    """As many questions as are seen twice in so many batches, in SQuAD's layout and sizes."""
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


def write_lens(writer: RecordingWriter, step: int, logits: np.ndarray) -> None:
    """The head on every layer at one probe; the last row is the probe's own. logits: (2, tokens)."""
    rows = []
    for layer in range(LAYERS + 1):
        start, end = (logits * (layer / LAYERS)).astype(np.float16)
        rows.append(
            {"step": step, "sample": 0, "layer": layer, "start_logits": start, "end_logits": end}
        )
    writer.append_together("lens", rows)


def write_batches(writer: RecordingWriter, steps: int, numbers: np.random.Generator) -> None:
    """Gradients by part, and two passes through the questions."""
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


def write_text(path: Path, rows: np.ndarray) -> None:
    """Rows of numbers as the older toolkit wrote them."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{values}\n" for values in rows.tolist())


def read_text(path: Path) -> np.ndarray:
    """And read them."""
    with path.open(encoding="utf-8") as file:
        return np.array([literal_eval(line) for line in file], np.float32)


def write_events(folder: Path, rows: np.ndarray) -> None:
    """A tensor per step, from which all digits come back; a histogram would lose them."""
    import torch
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for step, values in enumerate(rows):
            writer.add_tensor("weight", torch.from_numpy(values), step)


def read_events(folder: Path) -> np.ndarray:
    """The same numbers through TensorBoard's own reader."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    events.Reload()
    return np.stack([make_ndarray(event.tensor_proto) for event in events.Tensors("weight")])


def beside_others(run: RunFolder, folder: Path, rounds: int) -> Spread:
    """Arrays, text rows and events: seconds, and how many times longer than arrays the others take."""
    steps = Recording(run.path).steps
    rows = steps.weight.reshape(len(steps.step), -1)[::TENTH].copy()
    write_text(folder / "rows.txt", rows)
    write_events(folder / "events", rows)
    for read in (read_text(folder / "rows.txt"), read_events(folder / "events")):
        assert np.array_equal(read, rows), "not the same numbers"
    ways: dict[str, Callable[[], float]] = {
        "arrays": lambda: seconds_of(lambda: Recording(run.path).steps),
        "text": lambda: TENTH * seconds_of(lambda: read_text(folder / "rows.txt")),
        "events": lambda: TENTH * seconds_of(lambda: read_events(folder / "events")),
    }
    measured = alternate(ways, rounds, 90)
    for name, times in measured.items():
        row(f"{len(steps.step):,} steps from {name}", spread(times), "s")
    row("events by arrays", ratios(measured, "events", "arrays"))
    text = ratios(measured, "text", "arrays")
    row("text by arrays", text, least=100)
    return text


def figure(name: str, run: RunFolder) -> Callable[[], float]:
    """Seconds of a command, from its start to its end."""
    line = [sys.executable, str(ROOT / name), str(run.path), *FIGURES[name]]
    return lambda: seconds_of(lambda: subprocess.run(line, check=True, capture_output=True))


def as_csv(run: RunFolder, steps: int, rounds: int) -> None:
    """Seconds of a table of steps as CSV into a file, from the command's start to its end, and the file's size."""
    path = run.path / "steps.csv"
    line = [sys.executable, str(ROOT / "huggin_utils.py"), str(run.path), "--csv", "steps"]

    def write() -> None:
        with path.open("wb") as file:
            subprocess.run(line, check=True, stdout=file, stderr=subprocess.DEVNULL)

    row(
        f"{steps:,} steps as CSV, start to end",
        spread([seconds_of(write) for _ in range(rounds)]),
        "s",
    )
    row("its size", path.stat().st_size / 1e6, "MB")


def growth(short: RunFolder, long: RunFolder, steps: int, rounds: int) -> None:
    """Arrays and figures at `steps` and at ten times as many; memory beside what the arrays hold."""
    runs = {f"{steps:,}": short, f"{10 * steps:,}": long}
    shorter, longer = runs
    memory: dict[str, list[float]] = {count: [] for count in runs}

    def fresh(count: str) -> float:
        line = [sys.executable, "-c", READ, str(ROOT), str(runs[count].path)]
        seconds, share = json.loads(
            subprocess.run(line, check=True, capture_output=True, text=True).stdout
        )
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


def main() -> None:
    """Print a row for each."""
    args = parser_of(__doc__).parse_args()
    steps, rounds = (NIGHT // 10, 2) if args.quick else (NIGHT, 3)
    with tempfile.TemporaryDirectory() as folder:
        short, long = (night(Path(folder) / str(count), count) for count in (steps, 10 * steps))
        text = beside_others(short, Path(folder), rounds)
        as_csv(short, steps, rounds)
        growth(short, long, steps, rounds)
    last_line("reading", text)


if __name__ == "__main__":
    main()

"""Does grouping windows by length cost EM or F1? Trains with and without, once for each seed.

    python bench/lengths.py --results sample.jsonl
    python bench/lengths.py --model MINILM --questions squad-xquad-en.json --results minilm.jsonl

Without --model it trains the 60 facts, cfg-facts.json. With --model it trains on the first
questions of a file, and evaluates on the rest. Each result is a line of the file RESULTS; what is
there is not trained again, so the command can be stopped and started as often as you like. It uses
the Python that runs it, which must have the toolkit's packages.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scipy.stats import t as student

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.measure import Spread, last_line, parser_of, row  # noqa: E402
from huggin.qa.questions import read_records  # noqa: E402

ARMS = ("random", "group_by_length")


@dataclass(frozen=True)
class Result:
    """A trained and evaluated run."""

    seed: int
    arm: str
    settings: str  # what else it was trained with
    exact_match: float  # percent
    f1: float
    seconds: float  # of CPU time, start to end


def main(argv: Sequence[str] | None = None) -> int:
    """Train what is missing, and print the table."""
    args = arguments().parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags = flags_of(args, folder)
        settings = settings_of(args)
        missing = [run for run in runs(args) if run not in done_before(args.results, settings)]
        with ThreadPoolExecutor(args.jobs) as pool:
            train = partial(trained, settings, flags, folder, cores() // args.jobs)
            for result in as_completed(pool.submit(train, *run) for run in missing):
                keep(args.results, result.result())
    print_table([result for result in read(args.results) if result.settings == settings])
    return 0


def arguments() -> ArgumentParser:
    """The parser of the command line."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--results", type=Path, required=True, metavar="FILE", help="JSON lines, a run each")
    add(
        "--model",
        type=Path,
        metavar="FOLDER",
        help="a pretrained model (default: cfg-facts.json's)",
    )
    add("--questions", type=Path, metavar="FILE", help="questions for --model")
    add("--train", type=int, default=800, help="how many to train on (default: 800)")
    add("--seeds", type=int, default=4, help="how many seeds (default: 4)")
    add("--epochs", type=int, help="epochs (default: 3, without --model those of cfg-facts.json)")
    add("--jobs", type=int, default=1, help="how many to train at once (default: 1)")
    add("--bf16", action="store_true", help="compute in bfloat16")
    return parser


def runs(args: Namespace) -> Iterator[tuple[int, str]]:
    """Seeds and arms, in turns."""
    for seed in range(1, 1 + (1 if args.quick else args.seeds)):
        for arm in ARMS:
            yield seed, arm


def settings_of(args: Namespace) -> str:
    """All that two results must share to be compared."""
    model = args.model.name if args.model else "cfg-facts.json"
    data = f"{args.train} of {args.questions.name}" if args.questions else "its questions"
    numbers = "bf16" if args.bf16 else "fp32"
    return f"{model}, {data}, {epochs_of(args) or 'its'} epochs, {numbers}"


def epochs_of(args: Namespace) -> int | None:
    """The epochs to train, None for those of cfg-facts.json."""
    if args.quick:
        return 1
    return args.epochs or (3 if args.model else None)


def flags_of(args: Namespace, folder: Path) -> dict[str, Any]:
    """The keys of run_qa.py that all runs share. Writes the questions into `folder`."""
    flags: dict[str, Any] = {"record": False, "save_strategy": "no", "bf16": args.bf16}
    if epochs_of(args):
        flags["num_train_epochs"] = epochs_of(args)
    if args.model:
        asked = list(read_records(args.questions))
        for name, part in (("train", asked[: args.train]), ("validation", asked[args.train :])):
            file = folder / f"{name}.json"
            file.write_text(json.dumps(part), encoding="utf-8")
            flags[f"{name}_file"] = file
        flags |= {"model_name_or_path": args.model.resolve(), "pretrained_model": True}
        flags |= {"max_seq_length": 384, "doc_stride": 128, "per_device_train_batch_size": 12}
        flags |= {"learning_rate": 1e-4, "warmup_steps": 0}
    return flags


def trained(
    settings: str, flags: dict[str, Any], folder: Path, threads: int, seed: int, arm: str
) -> Result:
    """Train and evaluate one run, by the toolkit's own command."""
    output = folder / f"run-{seed}-{arm}"
    keys = flags | {"seed": seed, "train_sampling_strategy": arm, "output_dir": output}
    words = [f"--{name}={value}" for name, value in keys.items()]
    line = [sys.executable, str(ROOT / "run_qa.py"), str(ROOT / "cfg-facts.json"), *words]
    seconds = cpu_seconds(line, folder, max(1, threads))
    scores = json.loads((output / "eval_results.json").read_text(encoding="utf-8"))
    return Result(seed, arm, settings, scores["eval_exact_match"], scores["eval_f1"], seconds)


def cpu_seconds(line: list[str], folder: Path, threads: int) -> float:
    """Run a command; the CPU time that it took. Raises RuntimeError if it fails."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, cwd=folder, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode} from {line}")
    return used.ru_utime + used.ru_stime


def cores() -> int:
    """The processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def keep(file: Path, result: Result) -> None:
    """Add a result to the file."""
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")
    print(result, file=sys.stderr, flush=True)


def read(file: Path) -> list[Result]:
    """The results in the file, if it is there."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [Result(**json.loads(line)) for line in lines]


def done_before(file: Path, settings: str) -> set[tuple[int, str]]:
    """The seeds and arms that need not be trained again."""
    return {(one.seed, one.arm) for one in read(file) if one.settings == settings}


def print_table(results: Sequence[Result]) -> None:
    """Scores of each seed, the differences with their interval, and the ratio of the times."""
    print(f"{results[0].settings}\n")
    print("| seed | EM random | EM grouped | F1 random | F1 grouped | time grouped by random |")
    print("|---|---|---|---|---|---|")
    pairs = paired(results)
    for random, grouped in pairs:
        em = f"{random.exact_match:.1f} | {grouped.exact_match:.1f}"
        f1 = f"{random.f1:.1f} | {grouped.f1:.1f}"
        print(f"| {random.seed} | {em} | {f1} | {grouped.seconds / random.seconds:.2f} |")
    print()
    for name in ("exact_match", "f1"):
        differences = [getattr(two, name) - getattr(one, name) for one, two in pairs]
        row(f"{name}, grouped less random, in points", mean_in_words(differences))
    times = [two.seconds / one.seconds for one, two in pairs]
    last_line("lengths", Spread(statistics.median(times), min(times), max(times)))


def paired(results: Sequence[Result]) -> list[tuple[Result, Result]]:
    """The runs of each seed that has both arms: random order, grouped by length."""
    by_run = {(one.seed, one.arm): one for one in results}
    seeds = sorted({one.seed for one in results})
    both = [(by_run.get((seed, ARMS[0])), by_run.get((seed, ARMS[1]))) for seed in seeds]
    return [(random, grouped) for random, grouped in both if random and grouped]


def mean_in_words(values: Sequence[float]) -> str:
    """The mean and half of its 95 % interval, from the spread over the seeds."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:+.2f}"
    error = statistics.stdev(values) / len(values) ** 0.5
    half = student.ppf(0.975, len(values) - 1) * error
    return f"{mean:+.2f} ± {half:.2f} (95 %)"


if __name__ == "__main__":
    sys.exit(main())

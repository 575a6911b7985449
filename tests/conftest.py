"""Fixtures: a tiny BERT, questions about ravens, and one short run that many tests read."""

import contextlib
import functools
import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"  # as `run_command` does; no terminal here
# Before torch is imported: the same numbers in every process, and no crowding.
os.environ["OMP_NUM_THREADS"] = "1"
from huggin.common import console  # noqa: E402
from huggin.common.cli import exit_code_of  # noqa: E402
from tests.toolkit import make_toolkit  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FORKS = ROOT / "tests" / "forks.py"
FORK_SERVERS = "HUGGIN_TEST_FORKS"  # the variable that names the folder of their sockets
TRAINING = (
    "trainer_qa",
    "huggin.asking.examination",
    "huggin.graphs.saving",
    "huggin.pages.pdf",
    "huggin.pages.legend_drawing",
    "torch.distributed.run",
    "transformers.models.bert.modeling_bert",
    "matplotlib.backends.backend_agg",
    "matplotlib.backends.backend_pdf",
    "fontTools.subset",  # for the letters of a PDF
)
PICTURES = ("lime", "huggin.lime.pictures.figures", "huggin.lime.classifiers.keras_models")
# Scripts that load little by themselves: the server that has loaded nothing is enough.
LIGHT = ("db_utils.py", "db-indices.py", "graph-losses.py")
WITH_TENSORFLOW = ("lime.py", "inDeCeptionV3.py")
LOADED = {"training": TRAINING, "pictures": PICTURES, "nothing": ()}
FOLDER = pytest.StashKey[str]()
SERVERS = pytest.StashKey[list[subprocess.Popen[bytes]]]()
TOKENIZER = ROOT / "sample" / "bert-tiny"
CONTEXT = (
    "Huginn and Muninn are the ravens of Odin. "
    "They fly over the world each day and return at dinner time."
)
QUESTIONS = [
    ("Who owns the ravens?", "Odin"),
    ("When do they return?", "at dinner time"),
    ("What are Huginn and Muninn?", "ravens"),
    ("What do they fly over?", "the world"),
]


def record(number: int, question: str, answer: str, context: str = CONTEXT) -> dict[str, Any]:
    """A SQuAD record with its answer where it first stands in the context."""
    answers = {"text": [answer], "answer_start": [context.index(answer)]}
    return {
        "id": f"q{number}",
        "title": "Ravens",
        "context": context,
        "question": question,
        "answers": answers,
    }


def pytest_configure(config: pytest.Config) -> None:
    """Make a copy of the toolkit and start its fork servers, once for all workers."""
    hear_signals()
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="forks-"))
    config.stash[FOLDER] = str(folder)
    os.environ[FORK_SERVERS] = str(folder)
    config.stash[SERVERS] = [start_server(folder, name) for name in LOADED]
    make_toolkit(folder / "huggin-api", {name: python(name) for name in LOADED})


def hear_signals() -> None:
    """Let the processes that tests start hear signals, also where nohup or `&` has made this one
    ignore them: a signal with a handler is one with its default in a new process.
    """
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


def start_server(folder: Path, name: str) -> subprocess.Popen[bytes]:
    """Start a server of tests/forks.py; it loads nothing until it is asked."""
    (folder / name).mkdir()
    socket = folder / name / "socket"
    root = folder / "huggin-api"
    words = [*map(str, [sys.executable, "-B", FORKS, "serve", socket, root]), *LOADED[name]]
    return subprocess.Popen(words, stdin=PIPE, stdout=PIPE, start_new_session=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the fork servers."""
    for server in config.stash.get(SERVERS, []):
        server.communicate()  # closes its standard input
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that no worker is left with it at the end.

    The faults, which take most of an hour, are tried only when they are asked for.
    """
    if "faults" not in config.option.markexpr:
        asked_for = [item for item in items if not item.get_closest_marker("faults")]
        config.hook.pytest_deselected(items=[item for item in items if item not in asked_for])
        items[:] = asked_for
    items.sort(key=lambda item: item.path.name != "test_typed_docs.py")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: collecting garbage need not look through it each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power, so none has to wait until a file is on the disk."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function `(name, make)`: the folder that `make(folder)` filled, once for all workers.

    Tests must leave what is in it as it is.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def folder_of(name: str, make: Callable[[Path], Any]) -> Path:
        folder = shared / name
        done = shared / f"{name}.done"
        with FileLock(shared / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # left by a `make` that failed
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


LETTERS = " ".join("abcdefghijklmnop")  # 16 one-letter words, a token each


def letters(answer: str) -> Any:
    """One question `z ?` over LETTERS, as a data set."""
    from datasets import Dataset

    return Dataset.from_list([record(1, "z ?", answer, context=LETTERS)])


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """The sample's tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TOKENIZER)


@pytest.fixture(scope="session")
def records() -> list[dict[str, Any]]:
    """Four questions over one context."""
    return [record(number, *pair) for number, pair in enumerate(QUESTIONS)]


@pytest.fixture(scope="session")
def tiny(made_once: Callable[..., Path], records: list[dict[str, Any]]) -> Path:
    """A folder with `model/` (2 layers x 16 units, config only, a tokenizer) and questions.json."""

    def make(folder: Path) -> None:
        config = json.loads((TOKENIZER / "config.json").read_text())
        config["num_hidden_layers"] = 2
        config["hidden_size"] = 16
        config["num_attention_heads"] = 2
        config["intermediate_size"] = 32
        (folder / "model").mkdir()
        (folder / "model" / "config.json").write_text(json.dumps(config))
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / name, folder / "model" / name)
        (folder / "questions.json").write_text(json.dumps(records))

    return made_once("tiny", make)


@pytest.fixture(scope="session")
def tiny_cfg(tiny: Path) -> Callable[..., dict[str, Any]]:
    """cfg.json's keys for a run of 8 steps, with whatever a test changes."""

    def make(**changes: Any) -> dict[str, Any]:
        keys = {
            "model_name_or_path": str(tiny / "model"),
            "pretrained_model": False,
            "train_file": str(tiny / "questions.json"),
            "validation_file": str(tiny / "questions.json"),
            "output_dir": "run",
            "do_train": True,
            "do_eval": True,
            "max_seq_length": 64,
            "doc_stride": 16,
            "per_device_train_batch_size": 2,
            "num_train_epochs": 4,
            "learning_rate": 1e-3,
            "save_steps": 3,
            "node_points": 3,
        }
        return keys | changes

    return make


def command(*words: Any, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolkit in this process, as if it were typed in `cwd`.

    With options of subprocess.run it is a process of its own (`spawned`).
    """
    if options:
        return spawned(*words, cwd=cwd, **options)
    script, *argv = map(str, words)
    stdout, stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.ExitStack() as undone:
        undone.enter_context(contextlib.chdir(cwd))
        undone.enter_context(contextlib.redirect_stdout(stdout))
        undone.enter_context(contextlib.redirect_stderr(stderr))
        undone.enter_context(signals_restored())
        undone.enter_context(warnings.catch_warnings())
        code = exit_code_of(main_of(script), argv)
    texts = [text_of(stream) for stream in (stdout, stderr)]
    return subprocess.CompletedProcess([script, *argv], code, *texts)


def spawned(*words: Any, cwd: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command of the toolkit as a process of its own, as a user types it."""
    line = process(*words)
    return subprocess.run(line, cwd=cwd, capture_output=True, text=True, **options)


def process(script: str, *words: Any) -> list[str]:
    """The line that starts a command of the toolkit as a process of its own, without the seconds
    that importing torch takes. It answers signals and ends as the command itself would.
    script: its file, such as `run_qa.py`, or what is typed after `huggin`.
    """
    server = "nothing" if script in LIGHT else "training"
    server = "pictures" if script in WITH_TENSORFLOW else server
    started = [ROOT / script] if script.endswith(".py") else ["-m", "huggin.common.console", script]
    return list(map(str, [python(server), *started, *words]))


def toolkit() -> Path:
    """A copy of the toolkit whose drivers and Python start at once (see tests/toolkit.py)."""
    return Path(os.environ[FORK_SERVERS]) / "huggin-api"


def python(server: str = "training") -> Path:
    """A Python that has loaded what LOADED says, and starts at once (see tests/forks.py)."""
    return Path(os.environ[FORK_SERVERS]) / server / "python"


@functools.cache
def main_of(script: str) -> Any:
    """The `main` of a command; its file is read once."""
    return console.main_of(console.find_command(console.find_commands(), script).path)


@contextlib.contextmanager
def signals_restored() -> Iterator[None]:
    """Put handlers of signals back, and let the next training choose its own precision."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if "accelerate.state" in sys.modules:
            sys.modules["accelerate.state"].AcceleratorState._reset_state(reset_partial_state=True)


def text_of(stream: io.TextIOWrapper) -> str:
    """What was written to a stream, lines as a terminal shows them."""
    stream.flush()
    return stream.buffer.getvalue().decode("utf-8", "replace")


@pytest.fixture(scope="session")
def tiny_run(made_once: Callable[..., Path], tiny_cfg: Callable[..., dict[str, Any]]) -> Path:
    """A finished run of 8 steps; tests read it and leave it as it is."""
    return made_once("finished", partial(train, tiny_cfg())) / "run"


@pytest.fixture(scope="session")
def pretrained_run(
    made_once: Callable[..., Path], tiny_cfg: Callable[..., dict[str, Any]], tiny_run: Path
) -> Path:
    """A run of 8 steps that goes on from the weights of `tiny_run`, with three tracked samples."""
    cfg = tiny_cfg(
        model_name_or_path=str(tiny_run), pretrained_model=True, probe_samples=3, do_eval=False
    )
    return made_once("pretrained", partial(train, cfg)) / "run"


def train(cfg: dict[str, Any], folder: Path) -> None:
    """Train what a cfg says, in a folder."""
    (folder / "cfg.json").write_text(json.dumps(cfg))
    done = command("run_qa.py", "cfg.json", cwd=folder)
    assert done.returncode == 0, done.stderr

"""What recording costs: a step of the default model, bytes of a 768-unit head, reading a night's recording back.

python bench/recording.py
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from transformers import AutoConfig, AutoModelForQuestionAnswering  # noqa: E402

from huggin.config import DataArguments, RecordingArguments  # noqa: E402
from huggin.recording import Recording, RecordingWriter, write_facts  # noqa: E402
from huggin.run_folder import RunFolder  # noqa: E402
from huggin_utils import Recorder  # noqa: E402

STEPS, NIGHT, HIDDEN = 2000, 14754, 768


def step_cost(folder: Path) -> None:
    """Milliseconds of a recorded step of the default model, without its probes."""
    model = AutoModelForQuestionAnswering.from_config(AutoConfig.from_pretrained(ROOT / "sample" / "bert-tiny"))
    recorder = Recorder(RunFolder(folder), model, [], DataArguments(), RecordingArguments())
    recorder.start(0, STEPS)
    times = []
    for step in range(1, STEPS + 1):
        begun = time.perf_counter()
        recorder.add_loss(torch.tensor(1.0))
        recorder.set_grad_norm(torch.tensor(1.0))
        recorder.record(step, step / STEPS, 1e-4)
        times.append(1000 * (time.perf_counter() - begun))
    recorder.close()
    print(f"a step, default model: {statistics.median(times):.3f} ms median, {np.percentile(times, 95):.3f} ms 95 %")


def night(folder: Path) -> None:
    """Bytes a step, and seconds to read a SQuAD run of BERT-base's head back into arrays."""
    run = RunFolder(folder)
    write_facts(run, {"hidden_size": HIDDEN})
    writer = RecordingWriter(run, HIDDEN)
    weight = np.random.default_rng(0).normal(size=2 * HIDDEN).astype(np.float32)
    numbers = dict.fromkeys(("epoch", "loss", "learning_rate", "grad_norm"), 1.0)
    for step in range(NIGHT):
        writer.append("steps", step=step, **numbers, weight=weight, bias=weight[:2])
    writer.close()
    size = run.segment("steps", 0).stat().st_size
    begun = time.perf_counter()
    steps = Recording(folder).steps
    print(f"a step, {HIDDEN} units: {size / NIGHT:.0f} bytes")
    print(f"{len(steps.step):,} steps read back: {time.perf_counter() - begun:.2f} s")


def main() -> None:
    """Print both."""
    for measure in (step_cost, night):
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder))


if __name__ == "__main__":
    main()

"""Fine-tuning by this toolkit, recording on: seconds of some training steps.

Arguments: FOLDER QUESTIONS BATCH COUNT KEYS, where KEYS is a JSON of further keys of cfg.json. The
others, and the requests, are as in fine_tuning.py. It runs in the toolkit's own environment.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from transformers import TrainerCallback  # noqa: E402

from bench.by_steps import BySteps, typical_batches  # noqa: E402
from bench.measure import serve  # noqa: E402
from checkpointing import SafeStop  # noqa: E402
from huggin.qa.config import read_config  # noqa: E402
from huggin.qa.questions import questions_of  # noqa: E402
from huggin.recording.run_folder import RunFolder  # noqa: E402
from trainer_qa import build_trainer  # noqa: E402

MANY = 14_754  # steps: 2 epochs of SQuAD in batches of 12


def main() -> None:
    """Answer requests with the seconds, and how many windows were trained on."""
    folder, questions, size, count, more = sys.argv[1:]
    keys = {
        "model_name_or_path": folder,
        "pretrained_model": False,
        "train_file": questions,
        "output_dir": "run",
        "do_train": True,
        "per_device_train_batch_size": int(size),
        "learning_rate": 3e-5,
        "max_steps": MANY,
        "save_strategy": "no",
        "logging_steps": 500,
        "disable_tqdm": True,
        **json.loads(more),
    }
    Path("cfg.json").write_text(json.dumps(keys), encoding="utf-8")
    config = read_config(Path("cfg.json"), [])
    trainer = build_trainer(config, RunFolder(Path("run")), SafeStop(), questions_of(config))
    lengths = [len(tokens) for tokens in trainer.train_dataset["input_ids"]]
    batches = typical_batches(lengths, list(trainer._get_train_sampler()), int(size), int(count))
    trainer._get_train_sampler = lambda *_: cycle(batches)
    steps = BySteps()

    class Gate(TrainerCallback):
        """Waits before each step."""

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            steps.step_begins()

    trainer.add_callback(Gate())
    steps.start(trainer.train)
    serve(lambda batches: {"seconds": steps.go(batches), "windows": batches * int(size)})


def cycle(batches: Sequence[Sequence[int]]) -> list[int]:
    """The indices of the batches, often enough for all steps."""
    return [index for batch in batches for index in batch] * MANY


if __name__ == "__main__":
    main()

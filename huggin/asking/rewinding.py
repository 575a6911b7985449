"""A run -> what each part of its model is worth, by putting it back to step 0.

The weights before the training come back from where they came: random ones from the run's seed,
pretrained ones from their source. What the recording holds of step 0 says whether they are right.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from transformers import PreTrainedModel

from huggin.analysis.parts import rewound_in_words, table_of_rewound
from huggin.analysis.question_texts import refuse_changed
from huggin.asking.answering import TrainedModel
from huggin.asking.questions import draw_questions
from huggin.common.errors import UserError
from huggin.common.progress import progress
from huggin.common.text import InWords
from huggin.model.device import choose_device
from huggin.model.loading import head_of, load_model
from huggin.model.parts import TwoStates
from huggin.qa.arguments import DataArguments, ModelArguments
from huggin.qa.given import arguments_of
from huggin.qa.questions import load_questions
from huggin.recording.checkpoints import model_of
from huggin.recording.probe import probe
from huggin.recording.reader import Recording
from huggin.recording.results import Answers, PartRewound, Rewound, keep_rewound, read_all_rewound
from huggin.recording.run_folder import RunFolder, one_at_a_time

HALF_PRECISION = ("bf16", "fp16")
DATA_OF = {"train": "training data", "validation": "validation data"}


@dataclass(frozen=True)
class Rewinding(InWords):
    """What rewinding a run has found, and kept in RUN/rewind.json."""

    run: RunFolder
    rewound: Rewound
    replaced: int  # how many questions an entry of the same step asked that asked more; 0 if none

    def in_words(self) -> str:
        """A table of the parts, and what it says."""
        return f"{table_of_rewound(self.rewound)}\n{rewound_in_words(self.rewound)}"

    def as_json(self) -> dict[str, Any]:
        """The entry in RUN/rewind.json."""
        return asdict(self.rewound)


def rewind(
    run: str | Path,
    samples: int = 100,
    *,
    split: str = "train",
    checkpoint: int | None = None,
    seed: int = 0,
    device: str | None = None,
) -> Rewinding:
    """Put each part of a trained model back to step 0 and ask questions: `huggin rewind`.

    samples: how many questions of `split`, `train` or `validation`, are asked; `seed` draws them.
    checkpoint: the step of a checkpoint of the run; its newest model without. device: where to
    compute; the accelerator without, unless the cfg says use_cpu.

    >>> import huggin
    >>> rewinding = huggin.rewind("runs/sample", samples=2)
    >>> [part.part for part in rewinding.rewound.parts]
    ['embeddings', 'layer 1', 'layer 2', 'head']

    Raises UserError if the weights before the training, or the data, cannot be had.
    """
    recording = Recording(Path(run))
    before = read_all_rewound(recording.run)  # what is found is added to it
    folder = model_of(recording.run, checkpoint)
    cfg = recording.facts.cfg
    if not (cfg.get("model_name_or_path") or cfg.get("config_name")):
        what = f"{recording.run.facts}: does not say where the model came from"
        raise UserError(f"{what}; only a run of run_qa.py can be rewound")
    model_args, data = arguments_of(cfg)
    place = choose_device(device, bool(cfg.get("use_cpu")))
    untrained = untrained_model(recording, model_args).to(place).eval()
    trained = TrainedModel.in_folder(recording.run, folder, data, place)
    tracked = recording.facts.samples
    two = TwoStates.of(trained.model, untrained, tracked[0] if tracked else None)
    records = trained.fitting(load_questions(data, split, model_args.cache_dir))
    if split == "train":
        refuse_changed(recording, records.to_list())
    indices = sorted(draw_questions(len(records), seed)[:samples])
    name = f"{data.name_of(split)} ({DATA_OF[split]})"
    of_trained, of_untrained, *others = _answers(two, trained, records, indices)
    halves = (others[: len(two.parts)], others[len(two.parts) :])
    parts = [
        PartRewound(part, two.size(part), two.distance(part), put_back, alone)
        for part, put_back, alone in zip(two.parts, *halves, strict=True)
    ]
    rewound = Rewound(trained.step, name, seed, indices, of_trained, of_untrained, parts)
    with one_at_a_time(recording.run.recording):
        keep_rewound(recording.run, rewound)
    asked = max((len(entry.questions) for entry in before if entry.step == rewound.step), default=0)
    return Rewinding(recording.run, rewound, asked if asked > len(rewound.questions) else 0)


def _answers(
    two: TwoStates, trained: TrainedModel, records: Dataset, indices: Sequence[int]
) -> list[Answers]:
    """Of the trained model, of the untrained one, with each part put back, and with all others."""
    alone = [[part] for part in two.parts]
    others = [[other for other in two.parts if other != part] for part in two.parts]
    mixtures = [[], two.parts, *alone, *others]  # what is put back
    answers = []
    with progress(label="rewinding", unit="questions", total=len(mixtures) * len(indices)) as bar:
        for parts in mixtures:
            with two.put_back(parts):
                asked = list(trained.asked(records, indices, hidden=True))
            loss, right = [each.loss for each in asked], [each.right for each in asked]
            answers.append(Answers(loss, [each.answer.text for each in asked], right))
            bar.update(len(indices))
    return answers


def untrained_model(recording: Recording, model_args: ModelArguments) -> PreTrainedModel:
    """The model as it was at step 0, on the CPU, compared with what was recorded then.

    Raises UserError if it cannot be had, or is another one.
    """
    seed = recording.facts.seed
    if seed is None:
        raise UserError(f"{recording.run.facts}: no seed; the head of step 0 cannot be drawn again")
    model, _ = load_model(model_args, seed)
    if problem := _difference(recording, model):
        source = model_args.model_name_or_path or model_args.config_name
        what = f"the weights of step 0 do not come back from {source}: {problem}"
        raise UserError(f"{recording.run.path}: {what}; nothing can be rewound")
    return model


def _difference(recording: Recording, model: PreTrainedModel) -> str | None:
    """What of a model is not what was recorded at step 0, in words, or None.

    The head is compared bit for bit, the tracked samples' logits up to rounding: the training may
    have computed them on another device.
    """
    steps = recording.steps
    head = head_of(model)
    if steps.step[0] != 0:
        return "the recording begins later"
    same = [
        np.array_equal(head.weight.detach().float().numpy(), steps.weight[0]),
        np.array_equal(head.bias.detach().float().numpy(), steps.bias[0]),
    ]
    if not all(same):
        return "its head has other weights"
    half = any(recording.facts.fixed.get(key) for key in HALF_PRECISION)
    rounding = 0.05 if half else 1e-3
    for number, window in enumerate(recording.facts.samples):
        probes = recording.probes(number)
        snapshot = probe(model, window, [], DataArguments())
        for end in ("start_logits", "end_logits"):
            ours, theirs = getattr(snapshot, end), getattr(probes, end)[0]
            if not np.allclose(ours, theirs, rtol=0, atol=rounding * np.abs(theirs).max()):
                return f"it answers tracked sample {number} differently"
    return None

"""A model in training -> its recording: the head at every step, tracked samples at some.

    samples = track(records[:2], tokenizer)
    with Recorder("runs/mine", model, samples, last_step=len(loader)) as recorder:
        for step, batch in enumerate(loader, start=1):
            ...
            recorder.step(step, loss=loss, grad_norm=norm, learning_rate=rate)

The model's code stays as `transformers` ships it: PyTorch hooks read what passes through its
modules (`huggin/model/hooks.py`).
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
import xxhash
from datasets import Dataset
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from huggin import __version__
from huggin.common.errors import BadValue
from huggin.common.files import write_json
from huggin.common.streams import warn
from huggin.common.window import Window
from huggin.model.device import HostCopy, copy_to_host
from huggin.model.hooks import find_sites, layer_outputs
from huggin.model.lens import find_lens
from huggin.model.loading import head_of, match_tokenizer, quieten_libraries
from huggin.model.modules import legend_rows
from huggin.model.parts import gradient_norms, parameters_by_part, places_of
from huggin.qa.arguments import DataArguments
from huggin.qa.features import refuse_long_questions, track_sample
from huggin.qa.records import normalised
from huggin.recording.checkpoints import save_beside
from huggin.recording.known_windows import KnownWindows
from huggin.recording.ledger import Ledger
from huggin.recording.pointers import Pointers
from huggin.recording.probe import Probe, probe
from huggin.recording.run_facts import TEXTS, RunFacts, hash_of_texts, id_of, write_facts
from huggin.recording.run_folder import RunFolder, locked
from huggin.recording.schema import RecordingWriter

PACKAGES = ("torch", "transformers", "datasets", "accelerate", "numpy", "pyarrow")
NAN = float("nan")


def schedule(last_step: int, points: int) -> set[int]:
    """`points` steps spread evenly over 0..last_step, both included; all steps of a shorter run."""
    if points > last_step:
        return set(range(last_step + 1))
    return {round(position * last_step / (points - 1)) for position in range(points)}


@dataclass(frozen=True)
class _StepRow:
    """A row of `steps`, possibly still on its way from the GPU."""

    step: int
    epoch: float
    learning_rate: float
    numbers: HostCopy  # (2 x hidden + 2 + 2 + parts,): weight, bias, loss, grad_norm, norms
    questions: HostCopy | None  # (windows of the batch, 5), see `probe.batch_rows`
    pointers: HostCopy | None  # (windows of the batch, 1 + samples), see `Pointers.rows`


class Recorder:
    """Records a model while any loop trains it. Training stays bit for bit as it is without it.

    From a CUDA or XPU GPU the head is copied without waiting and written one step later.
    """

    def __init__(
        self,
        folder: Path | str,
        model: PreTrainedModel,
        samples: Sequence[Window],
        last_step: int = 0,
        *,
        probe_points: int = 200,
        node_points: int = 32,
        ledger_points: int = 3,
        node_layers: Literal["ends", "all"] = "ends",
        n_best_size: int = 20,
        max_answer_length: int = 30,
        pretrained: bool = True,
        model_name: str = "",
        data_name: str = "",
        seed: int | None = None,
        fixed: dict[str, Any] | None = None,
        cfg: dict[str, Any] | None = None,
        data: KnownWindows | None = None,
        overwrite: bool = False,
    ) -> None:
        """Look at the model; nothing is written before `start`.

        folder: the run's folder. samples: the tracked samples, from `track`.
        last_step: how many optimizer steps the training has.
        probe_points, node_points: at how many steps the samples' logits and nodes are recorded.
        ledger_points: where the ledger takes the gradient between two probes; 0 for no ledger.
        node_layers: sites at the first and last layer ("ends") or at all layers.
        n_best_size, max_answer_length: which spans can be an answer, as in run_qa.py.
        pretrained, model_name, data_name, seed: how the run is called in figures.
        fixed, cfg: as in `RunFacts`. data: what is trained on, if `step` gets batches.
        overwrite: replace an earlier recording in the folder; else it is moved to `earlier-1`.
        Raises UserError for a model without a QA head, or without layers that can be hooked.
        """
        self.run = RunFolder(Path(folder))
        self.last_step = last_step
        self.not_finite = 0  # steps whose loss was NaN or infinite
        self._model = model
        self._samples = list(samples)
        self._points = {"probes": probe_points, "nodes": node_points}
        self._data = DataArguments(n_best_size=n_best_size, max_answer_length=max_answer_length)
        self._overwrite = overwrite
        self._known = data
        self._head = head_of(model)
        window = self._samples[0] if self._samples else None  # what is watched finds where
        self._sites = find_sites(model, node_layers, window)
        self._layers = layer_outputs(model, window)
        self._parts = parameters_by_part(model, self._layers)
        self._lens = find_lens(model, window)
        places = places_of(model, self._parts)
        self._ledger = Ledger(model, self._samples, places, ledger_points)
        self._pointers = Pointers()
        self._writer = RecordingWriter(self.run, self._head.in_features)
        self._pending: _StepRow | None = None
        self._last = 0  # step that was recorded
        self._probe_steps: set[int] = set()
        self._node_steps: set[int] = set()
        self._held = ExitStack()
        self.facts = RunFacts(
            model_class=type(model).__name__,
            model_name=model_name or type(model).__name__,
            pretrained=pretrained,
            data_name=data_name or self.run.path.name,
            hidden_size=self._head.in_features,
            layers=model.config.num_hidden_layers,
            sites=self._sites,
            samples=self._samples,
            modules=legend_rows(model, window=window),
            seed=seed,
            parts=list(self._parts),
            has_lens=self._lens is not None,
            places=self._ledger.places,
            ledger_points=ledger_points,
            n_best_size=self._data.n_best_size,
            max_answer_length=self._data.max_answer_length,
            versions={"huggin": __version__, **{name: version(name) for name in PACKAGES}},
            fixed=fixed or {"bf16": model.dtype == torch.bfloat16},
            cfg=cfg or {},
        )
        if data is not None and data.texts:
            self.facts.fixed[TEXTS] = hash_of_texts(data.texts)

    def __enter__(self) -> Self:
        """Lock the folder, then `start`."""
        self._held.enter_context(locked(self.run))
        try:
            return self.start()
        except BaseException:
            self._held.close()
            raise

    def __exit__(self, *error: object) -> None:
        """Write what is pending, end the files, and let the folder go."""
        with self._held:
            self.close()

    def start(self, step: int = 0, checkpoint: Path | None = None) -> Self:
        """Write run.json and begin at `step`; at step 0 the model before training is recorded.

        A start at a later step goes on with the folder's recording: what it holds of that step
        and later ones is replaced. checkpoint: the folder that `save_state` was given at that
        step; without it the ledger has no row for the next probe, and `pointers` none before it.
        A start at step 0 moves a recording that may not be overwritten into a folder beside it,
        and says so.
        """
        if step == 0 and self.run.segments("steps") and not self._overwrite:
            warn(f"{self.run.path}: the earlier recording is now in {self.run.keep_earlier()}")
        # a model that was moved to some devices has other parameters than before
        self._parts = parameters_by_part(self._model, self._layers)
        self._probe_steps = schedule(self.last_step, self._points["probes"])
        self._node_steps = schedule(self.last_step, self._points["nodes"])
        if step == 0:  # a hash of the facts, so that the same training writes the same bytes again
            facts = json.dumps(asdict(self.facts), sort_keys=True)
            self._writer.run_id = xxhash.xxh3_128_hexdigest(facts.encode())
        else:
            self._writer.run_id = id_of(self.run)
        self.facts = replace(self.facts, run_id=self._writer.run_id)
        write_facts(self.run, self.facts)
        self.run.texts.unlink(missing_ok=True)
        if self._known is not None and self._known.texts:
            write_json(self.run.texts, {"data": self._known.texts})
        self._ledger.load(checkpoint, step)
        if step == 0:
            self.step(0, epoch=0.0)
        elif self._samples:
            self._pointers.load(checkpoint, self._head.weight.device)
        return self

    def step(
        self,
        step: int,
        loss: torch.Tensor | float = NAN,
        grad_norm: torch.Tensor | float = NAN,
        learning_rate: float = NAN,
        epoch: float = NAN,
        part_norms: torch.Tensor | None = None,
        questions: torch.Tensor | None = None,
        gradients: torch.Tensor | None = None,
        scale: torch.Tensor | float = NAN,
        batch: Mapping[str, torch.Tensor] | None = None,
        outputs: Any = None,
    ) -> None:
        """Record the head after `step` optimizer steps, and the samples if it is their turn.

        loss: of the step's batch. grad_norm: of all gradients, before clipping. Both scalars,
        on any device; they are not waited for. part_norms: what `gradient_norms` gave before the
        gradients were clipped. batch, outputs: what the model was given and what it gave, to record
        how each question did; or questions: what `KnownWindows.rows` gave for its parts.
        gradients, scale: of the windows in `questions`, as `Pointers.rows` has them.
        Raises BadValue for a batch if the Recorder was made without `data`.
        """
        if batch is not None:
            if self._known is None:
                raise BadValue("batch", "given", "make the Recorder with data=KnownWindows(...)")
            questions = self._known.rows(batch, outputs)
        device = self._head.weight.device
        unknown = torch.full((len(self._parts),), NAN, device=device)
        norms = unknown if part_norms is None else part_norms
        scalars = [
            torch.as_tensor(value, dtype=torch.float32, device=device).detach()
            for value in (loss, grad_norm)
        ]
        weight, bias = self._head.weight.detach(), self._head.bias.detach()
        parts = [weight.reshape(-1).float(), bias.float(), torch.stack(scalars), norms.float()]
        numbers = copy_to_host(torch.cat(parts))
        asked = None if questions is None else copy_to_host(questions)
        pushes = self._pointers.rows(gradients, scale)
        pointed = None if pushes is None else copy_to_host(pushes)
        row = _StepRow(step, epoch, learning_rate, numbers, asked, pointed)
        self._write_pending()
        self._pending = row
        self._last = step
        if row.numbers.is_there or step in self._probe_steps:
            self._write_pending()
        if step in self._probe_steps | self._node_steps:
            numbered = enumerate(self._samples)
            seen = [self._record_probe(step, number, window) for number, window in numbered]
            losses = [(each.start_loss + each.end_loss) / 2 for each in seen]
            entries = []
            if step in self._probe_steps:
                self._pointers.keep([each.gradient for each in seen])
                entries = self._ledger.entries(step, losses)
            ledger = [{"step": step, "sample": at, **vars(row)} for at, row in enumerate(entries)]
            self._writer.append("ledger", *ledger)

    def gradient_norms(self) -> torch.Tensor:
        """The norm of the gradient in each part of the model, (parts,); call it before clipping."""
        return gradient_norms(self._parts.values())

    def save_state(self, checkpoint: Path, step: int) -> None:
        """Add to a checkpoint what ledger and pointers need to go on at `step`.

        That is one or two copies of the weights, unless the last probe was at this step.
        """
        self._ledger.save(checkpoint, step)
        self._pointers.save(checkpoint)

    def save(
        self,
        tokenizer: PreTrainedTokenizerFast,
        max_length: int = 384,
        doc_stride: int | None = None,
    ) -> None:
        """Save model and tokenizer in the run's folder as they are now, so that it can be asked.

        max_length, doc_stride: as for `track`; a long context is read in such windows.
        """
        data = windows_of(max_length, doc_stride)
        match_tokenizer(tokenizer, self._model, data.max_seq_length)

        def save_all(folder: str) -> None:
            self._model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            write_json(Path(folder) / self.run.trainer_state.name, {"global_step": self._last})

        quieten_libraries()
        save_beside(self.run.path, save_all)
        cfg: dict[str, Any] = {"max_seq_length": data.max_seq_length, "doc_stride": data.doc_stride}
        cfg |= {"model_name_or_path": str(self.run.path.resolve())}
        if self.run.texts.exists():
            cfg |= {"train_file": str(self.run.texts.resolve()), "do_train": True}
        self.facts = replace(self.facts, cfg=self.facts.cfg | cfg)
        write_facts(self.run, self.facts)

    def flush_to_disk(self) -> None:
        """Wait until all that was recorded has reached the disk."""
        self._write_pending()
        self._writer.flush_to_disk()

    def close(self) -> None:
        """Write what is pending and end the files."""
        self._write_pending()
        self._writer.close()

    def _write_pending(self) -> None:
        row = self._pending
        self._pending = None
        if row is None:
            return
        copied = row.numbers.wait().numpy()
        numbers, norms = np.split(copied, [len(copied) - len(self._parts)])
        loss, grad_norm = numbers[-2:].tolist()
        if row.step > 0 and not math.isfinite(loss):
            self.not_finite += 1
        known = {"step": row.step, "epoch": row.epoch, "learning_rate": row.learning_rate}
        head = {"weight": numbers[:-4], "bias": numbers[-4:-2]}
        self._writer.append("steps", {**known, "loss": loss, "grad_norm": grad_norm, **head})
        if row.step > 0:
            self._writer.append("layers", {"step": row.step, "norms": norms})
        if row.questions is not None:
            windows = row.questions.wait().numpy()
            is_there = ~np.isnan(windows[:, 0])  # see `callback.rows_of_processes`
            at = {"step": row.step}
            self._writer.append("questions", {**at, "windows": windows[is_there].ravel()})
            if row.pointers is not None:
                pushes = row.pointers.wait().numpy()[is_there]
                self._writer.append("pointers", {**at, "windows": pushes.ravel()})

    def _record_probe(self, step: int, number: int, window: Window) -> Probe:
        """Write what is due of a window, and return all of it."""
        sites = self._sites if step in self._node_steps else []
        lens = self._lens if step in self._probe_steps else None
        seen = probe(self._model, window, sites, self._data, lens)
        at = {"step": step, "sample": number}
        if step in self._probe_steps:
            span = dict(zip(("predicted_start", "predicted_end"), seen.predicted, strict=True))
            self._writer.append("probes", {**at, **vars(seen), **span})
        if seen.lens is not None:  # of this probe
            by_layer = enumerate(seen.lens.astype(np.float16))
            rows = [
                {**at, "layer": layer, "start_logits": start, "end_logits": end}
                for layer, (start, end) in by_layer
            ]
            self._writer.append("lens", *rows)
        for site, activations in seen.activations.items():
            self._writer.append("nodes", {**at, **vars(site), "activations": activations})
        return seen


def track(
    records: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerFast,
    max_length: int = 384,
    doc_stride: int | None = None,
) -> list[Window]:
    """The tracked samples of a Recorder: of each record the window that holds its answer.

    records: id, question, context and answers as SQuAD has them. tokenizer: a fast one, of the
    model. max_length: tokens in a window. doc_stride: tokens that neighbouring windows share;
    default: a third of max_length, and 128 at most.
    Raises UserError for a record that is none, a question that leaves no room for its context in a
    window, or a stride that does.
    """
    data = windows_of(max_length, doc_stride)
    checked = [
        normalised(dict(record), f"record {number}")
        for number, record in enumerate(records, start=1)
    ]
    refuse_long_questions(Dataset.from_list(checked), tokenizer, data)
    return [track_sample(record, at, tokenizer, data) for at, record in enumerate(checked)]


def windows_of(max_length: int, doc_stride: int | None) -> DataArguments:
    """How a context is read in windows, as `track` has it. Raises BadValue for a bad stride."""
    stride = min(128, max_length // 3) if doc_stride is None else doc_stride
    if stride not in range(max_length - 3):
        problem = f"must be from 0 to less than max_length - 3, which is {max_length - 3}"
        raise BadValue("doc_stride", stride, problem)
    return DataArguments(max_seq_length=max_length, doc_stride=stride)

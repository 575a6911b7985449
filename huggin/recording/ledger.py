"""The ledger of a training: what each part of the model did to a tracked sample's loss.

At each probe it goes straight from the weights at the probe before to those of now, so it keeps
a copy of them. At every second probe it also goes from two probes before in one line: what it
finds there says how much the split into parts depends on how often it is taken. A checkpoint
between two probes holds the copies, so that a resumed training has the rows of one that was never
stopped.

The change of the loss is the integral of the gradient along the straight line between the two
states, so a sum over parameters. Gauss and Legendre's rule takes the gradient at a few points of
the line. Sources: loss change allocation, Lan et al. 2019, https://arxiv.org/abs/1909.01440;
integrated gradients, Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from huggin.common.files import replacing
from huggin.common.site import Place
from huggin.common.streams import warn
from huggin.common.window import Window
from huggin.model.device import CPU, has_room
from huggin.model.hooks import undisturbed

Weights = dict[str, Tensor]  # by parameter's name
FILE = "ledger.safetensors"  # in a checkpoint
LOSSES = "losses"  # of the samples at the last probe, in the file
ROOM = 10  # times the weights: gradients, Adam's two, both copies, what a pass needs, activations
NO_COPY = "ledger: no weights of the last probe to go on from, so the next probe has no row in it"


@dataclass(frozen=True)
class Entry:
    """What a row of the table says of one sample."""

    credits: np.ndarray  # (places,) float32, nats
    gap: float  # the change of the loss that the credits leave unexplained
    coarse: np.ndarray  # (places,) along one line from two probes before; empty at odd probes


class Ledger:
    """Keeps the weights of the last probes, and reckons from them to those of now."""

    def __init__(
        self, model: nn.Module, windows: Sequence[Window], places: dict[str, Place], points: int
    ) -> None:
        """places: of each parameter, by its name. points: where the gradient is taken on a line;
        with 0 nothing is kept.
        """
        self.places = list(dict.fromkeys(places.values()))
        self._column = {name: self.places.index(place) for name, place in places.items()}
        self._model = model
        self._windows = windows
        self._points = points
        self._copies: dict[int, Weights] = {}  # by step
        self._last = self._second = -1  # steps where the two lines begin
        self._losses = np.array([])  # (samples,) at the last probe
        self._on_device = True  # whether the copies are beside the model's weights

    def entries(self, step: int, losses: Sequence[float]) -> list[Entry]:
        """What happened since the last probe, for each sample; nothing at the first probe.

        losses: of each sample, by the probe of this step.
        """
        if not self._points or not self._windows:
            return []
        if not self._copies:
            weights = trainable(self._model).values()
            room = ROOM * sum(weight.nbytes for weight in weights)
            self._on_device = all(has_room(device, room) for device in {w.device for w in weights})
        entries = []
        is_even = self._last != self._second
        if self._copies:
            credits = self._by_place(self._last)
            gaps = np.array(losses) - self._losses - credits.sum(axis=1, dtype=np.float64)
            coarse = self._by_place(self._second) if is_even else np.empty((len(losses), 0))
            entries = [Entry(*row) for row in zip(credits, gaps.tolist(), coarse, strict=True)]
        self._last = step
        self._second = step if is_even or not self._copies else self._second
        self._keep({step: trainable(self._model)})
        self._losses = np.array(losses)
        return entries

    def _by_place(self, begin: int) -> np.ndarray:
        """(samples, places) float32: the sums over the parameters of each place."""
        before = self._copies[begin]
        parameters = credits_along(self._model, self._windows, before, self._points)
        sums = np.zeros((len(parameters), len(self.places)))
        np.add.at(sums.T, [self._column[name] for name in before], parameters.T)
        return sums.astype(np.float32)

    def _keep(self, more: dict[int, Weights]) -> None:
        """Copy weights, and let those go where no line begins."""
        self._copies = {
            step: copy for step, copy in self._copies.items() if step in (self._last, self._second)
        }
        for step, weights in more.items():
            self._copies[step] = {
                name: weight.detach().to(weight.device if self._on_device else CPU, copy=True)
                for name, weight in weights.items()
            }

    def save(self, checkpoint: Path, step: int) -> None:
        """Keep in a checkpoint what its weights, those of `step`, do not say."""
        file = checkpoint / FILE
        if not self._copies or file.exists():
            return
        tensors = {
            f"{begin}:{name}": weight
            for begin, weights in self._copies.items()
            if begin != step
            for name, weight in weights.items()
        }
        begins = {"last": str(self._last), "second": str(self._second)}
        with replacing(file) as beside:
            save_file({**tensors, LOSSES: torch.tensor(self._losses)}, beside, begins)

    def load(self, checkpoint: Path | None, step: int) -> None:
        """Go on at `step` as the training that saved the checkpoint would have gone on."""
        self._copies = {}
        self._last = self._second = -1
        if not self._points or not self._windows or not step:
            return
        file = checkpoint / FILE if checkpoint else None
        if file is None or not file.exists():
            warn(f"{file}: {NO_COPY}" if file else NO_COPY)
            return
        with safe_open(file, "pt") as stored:
            begins = stored.metadata()
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
        self._last, self._second = int(begins["last"]), int(begins["second"])
        self._losses = tensors[LOSSES].numpy()
        names = [name for name, _ in self._model.named_parameters()]  # sums are in this order
        for begin in {self._last, self._second} - {step}:
            stored_names = [name for name in names if f"{begin}:{name}" in tensors]
            self._copies[begin] = {name: tensors[f"{begin}:{name}"] for name in stored_names}
        if step in (self._last, self._second):
            self._keep({step: trainable(self._model)})


def trainable(model: nn.Module) -> Weights:
    """The parameters that training may change; frozen ones are left out."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def credits_along(
    model: nn.Module, windows: Sequence[Window], before: Weights, points: int
) -> np.ndarray:
    """What each parameter of `before` did to each window's loss: (windows, parameters) in nats.

    before: earlier weights, on any device; the line goes from them to the model's own. points: at
    how many the gradient is taken. Dropout is off. The model, its gradients, its mode and all
    random states stay as they are: the weights in between are handed to the model for a pass.
    """
    now = dict(model.named_parameters())
    total = np.zeros((len(windows), len(before)))
    changes = {}
    for name, start in before.items():  # in float32: between two neighbours in bfloat16 is nothing
        exact = torch.promote_types(now[name].dtype, torch.float32)
        changes[name] = now[name].detach().to(exact) - start.to(now[name].device, exact)
    places, weights = np.polynomial.legendre.leggauss(points)  # from -1 to 1; they add up to 2
    with undisturbed(model), torch.enable_grad():
        for at, weight in zip(((places + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
            between = {}
            for name, change in changes.items():
                start = before[name].to(change.device, change.dtype)
                between[name] = torch.add(start, change, alpha=at).requires_grad_()
            for number, window in enumerate(windows):
                loss = _loss(model, between, window)
                gradients = torch.autograd.grad(loss, list(between.values()), allow_unused=True)
                total[number] += weight * _along(gradients, list(changes.values()))
    return total


def _loss(model: nn.Module, weights: Weights, window: Window) -> Tensor:
    """The mean of start and end loss, as the model has it in training, without padding."""
    device = next(iter(weights.values())).device
    inputs = {name: torch.tensor([ids], device=device) for name, ids in window.inputs.items()}
    output = functional_call(model, weights, kwargs=inputs)
    pairs = ((output.start_logits, window.gold_start), (output.end_logits, window.gold_end))
    losses = [
        cross_entropy(logits.float(), torch.tensor([gold], device=logits.device))
        for logits, gold in pairs
    ]
    return torch.stack(losses).mean()


def _along(gradients: Sequence[Tensor | None], changes: Sequence[Tensor]) -> np.ndarray:
    """Each parameter's gradient times its change, (parameters,); 0 where there is no gradient."""
    products = [
        change.new_zeros(()) if gradient is None else gradient.reshape(-1).dot(change.reshape(-1))
        for gradient, change in zip(gradients, changes, strict=True)
    ]
    return torch.stack([product.to(products[0].device) for product in products]).cpu().numpy()

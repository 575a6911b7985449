"""LIME's steps 1 and 3: random perturbations (masks), and the distance weight of each mask."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WIDTH = 0.25  # of the kernel; the square root makes its effective width WIDTH * sqrt(2)


@dataclass(frozen=True)
class Masks:
    """Which segments are seen in each perturbed picture. The first mask shows all of them."""

    on: np.ndarray  # (masks, segments) bool
    draw: np.ndarray  # (masks,) int: masks of one independent draw share a number
    weighted: bool  # by distance from the full mask; otherwise all weigh 1


def random_perturbations(sampler: str, segments: int, samples: int, seed: int) -> Masks:
    """Draw `samples` masks of `segments` segments; with more samples the first ones stay the same.

    sampler: a key of SAMPLERS.
    `binomial`: each segment is seen with chance 1/2 (Ribeiro et al. 2016,
    https://arxiv.org/abs/1602.04938).
    `paired`: binomial masks, each followed by its opposite.
    `kernel`: the share of segments that are seen is drawn by the kernel's weight, so most masks
    are near the full picture; all weigh 1.
    `leave-one-out`: each segment hidden alone, in turn.
    """
    return SAMPLERS[sampler](segments, samples, np.random.default_rng(seed))


def _with_full(on: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((1, on.shape[1]), bool), on])


def _binomial(segments: int, samples: int, rng: np.random.Generator) -> Masks:
    on = rng.random((samples - 1, segments)) < 0.5
    return Masks(_with_full(on), np.arange(samples), weighted=True)


def _paired(segments: int, samples: int, rng: np.random.Generator) -> Masks:
    half = _with_full(rng.random(((samples - 1) // 2, segments)) < 0.5)
    both = np.stack([half, ~half], axis=1).reshape(-1, segments)
    return Masks(both[:samples], np.repeat(np.arange(len(half)), 2)[:samples], weighted=True)


def _kernel(segments: int, samples: int, rng: np.random.Generator) -> Masks:
    draws = rng.random((samples - 1, segments + 1))
    chances = np.cumsum(kernel(np.arange(segments + 1) / segments))
    seen = np.searchsorted(chances / chances[-1], draws[:, :1])  # (masks, 1)
    places = draws[:, 1:].argsort(axis=1).argsort(axis=1)
    return Masks(_with_full(places < seen), np.arange(samples), weighted=False)


def _leave_one_out(segments: int, samples: int, _: np.random.Generator) -> Masks:
    once = _with_full(~np.eye(segments, dtype=bool))
    return Masks(once[np.arange(samples) % len(once)], np.arange(samples), weighted=False)


SAMPLERS: dict[str, Callable[[int, int, np.random.Generator], Masks]] = {
    "binomial": _binomial,
    "paired": _paired,
    "kernel": _kernel,
    "leave-one-out": _leave_one_out,
}


def kernel(share: np.ndarray) -> np.ndarray:
    """The weight of masks that show a share of the segments (any shape): sqrt(exp(-d² / WIDTH²)).

    d = 1 - sqrt(share) is the cosine distance between the mask and the full one. The formula is
    that of https://nbviewer.org/url/arteagac.github.io/blog/lime_image.ipynb
    """
    distance = 1 - np.sqrt(share)
    return np.sqrt(np.exp(-(distance**2) / WIDTH**2))


def distance_weights(masks: Masks) -> np.ndarray:
    """The weight of each mask (masks,): 1 for the full picture, less for fewer segments."""
    share = masks.on.mean(axis=1)
    return kernel(share) if masks.weighted else np.ones_like(share)

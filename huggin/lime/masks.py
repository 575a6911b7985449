"""LIME's steps 1 and 3: random perturbations (masks), and the distance weight of each mask."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import hadamard

from huggin.common.errors import BadValue
from huggin.lime.choices import SAMPLERS, WIDTH

# columns of a Hadamard matrix for each segment: with more, fewer products of segments are taken for
# the effect of another one
ROOM = 1.5


@dataclass(frozen=True)
class Masks:
    """Which segments are seen in each perturbed picture or text. The first mask shows all."""

    on: np.ndarray  # (masks, segments) bool
    draw: np.ndarray  # (masks,) int: masks of one independent draw share a number
    weighted: bool  # by distance from the full mask; otherwise all weigh 1
    width: float = WIDTH  # of the kernel
    balanced: bool = False  # a draw is a block whose columns are uncorrelated
    complete: bool = False  # every mask once, so that nothing is left to chance


def random_perturbations(
    sampler: str, segments: int, samples: int, seed: int, width: float = WIDTH
) -> Masks:
    """Draw `samples` masks of `segments` segments.

    With more samples the first ones stay the same, until all masks are taken.
    sampler: one of SAMPLERS; width: of the kernel. Raises BadValue for another sampler.
    `hadamard`: blocks of rows of a Hadamard matrix and their opposites, see `_hadamard`; all masks
    if there are no more than `samples`.
    `binomial`: each segment is seen with chance 1/2 (Ribeiro et al. 2016,
    https://arxiv.org/abs/1602.04938).
    `leave-one-out`: each segment hidden alone, in turn; with more samples again and again, for
    functions whose answers vary.
    """
    rng = np.random.default_rng(seed)
    if sampler == "hadamard":
        return _hadamard(segments, samples, rng, width)
    if sampler == "binomial":
        masks = _with_full(rng.random((samples - 1, segments)) < 0.5)
        return Masks(masks, np.arange(samples), True, width)
    if sampler == "leave-one-out":
        rows = _with_full(~np.eye(segments, dtype=bool))
        return Masks(rows[np.arange(samples) % len(rows)], np.arange(samples), False, width)
    raise BadValue("sampler", sampler, f"unknown; choose {', '.join(SAMPLERS)}")


def _with_full(on: np.ndarray) -> np.ndarray:
    return np.concatenate([np.ones((1, on.shape[1]), bool), on])


def _hadamard(segments: int, samples: int, rng: np.random.Generator, width: float) -> Masks:
    """Blocks of 2 m masks, m the least power of two from 1.5 (segments + 1) on.

    A block has the m rows of Sylvester's Hadamard matrix, each followed by its opposite. A segment
    is a column, drawn at random without the constant one, and its sign is random. So each segment
    is seen in half of a block's masks, no two segments are correlated in it, and, as the opposites
    are there, no segment is correlated with the product of two (a foldover design: Box and Wilson
    1951, https://doi.org/10.1111/j.2517-6161.1951.tb00067.x). Rows come in random order, for a last
    block that is cut.
    """
    if 2**segments <= samples:
        numbers = np.arange(2**segments)[::-1, None]  # the full mask first
        every = (numbers >> np.arange(segments) & 1) > 0
        return Masks(every, np.arange(len(every)), True, width, complete=True)
    size = block_size(segments)
    matrix = hadamard(size // 2) > 0  # Sylvester's
    blocks = -(-(samples - 1) // size)
    on = np.concatenate([_block(matrix, segments, rng) for _ in range(max(blocks, 1))])
    draw = np.concatenate([[0], 1 + np.arange(len(on)) // size])
    return Masks(_with_full(on)[:samples], draw[:samples], True, width, balanced=True)


def block_size(segments: int) -> int:
    """How many masks are in a block of `hadamard`."""
    order = 2
    while order < ROOM * (segments + 1):
        order *= 2
    return 2 * order


def usual_samples(sampler: str, segments: int, least: int = 512, blocks: int = 2) -> int:
    """The default number of masks, the full one among them.

    513 of `hadamard` are about as exact as 800 to 1,500 of `binomial`. There are at least `blocks`
    blocks, as the standard errors come from the differences between them.
    """
    if sampler == "leave-one-out":
        return segments + 1
    return 1 + max(least, blocks * block_size(segments)) if sampler == "hadamard" else 1000


def _block(matrix: np.ndarray, segments: int, rng: np.random.Generator) -> np.ndarray:
    """Rows and opposites in turn: (2 * order, segments) bool."""
    order = len(matrix)
    columns = 1 + rng.permutation(order - 1)[:segments]
    signs = rng.random(segments) < 0.5
    rows = matrix[rng.permutation(order)][:, columns] ^ signs
    return np.stack([rows, ~rows], axis=1).reshape(-1, segments)


def kernel(share: np.ndarray, width: float = WIDTH) -> np.ndarray:
    """The weight of masks that show a share of the segments (any shape): sqrt(exp(-d² / width²)).

    d = 1 - sqrt(share) is the cosine distance between the mask and the full one. The formula is
    that of https://nbviewer.org/url/arteagac.github.io/blog/lime_image.ipynb
    """
    distance = 1 - np.sqrt(share)
    return np.sqrt(np.exp(-(distance**2) / width**2))


def distance_weights(masks: Masks) -> np.ndarray:
    """The weight of each mask (masks,): 1 for the full mask, less for fewer segments."""
    share = masks.on.mean(axis=1)
    return kernel(share, masks.width) if masks.weighted else np.ones_like(share)

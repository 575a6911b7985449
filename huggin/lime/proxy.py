"""A proxy of the model: masks and scores go in, a function that predicts other scores comes out.

It is a kernel ridge regression on what a linear model leaves over. Two masks are alike if they
differ in few segments that matter, and what matters is learned from the scores. So it knows of
segments that count only together. What LIME needs of it is computed exactly.
"""

from dataclasses import dataclass

import numpy as np

from huggin.lime.masks import kernel

ROUNDS = 3  # in which the relevance of the segments is learned


@dataclass(frozen=True)
class Proxy:
    """score = intercept + slopes · signs + heights · likeness to the masks that it learned from.

    Signs are 1 where a segment is seen, and -1 where it is hidden.
    """

    intercept: float
    slopes: np.ndarray  # (segments,)
    relevance: np.ndarray  # (segments,) how unlike two masks are that differ in a segment
    known: np.ndarray  # (masks, segments) signs of the masks that it learned from
    heights: np.ndarray  # (masks,) what each of them adds at its own place

    def predict(self, on: np.ndarray) -> np.ndarray:
        """The scores (masks,) of masks (masks, segments) bool."""
        signs = signs_of(on)
        near = _alike(signs, self.known, self.relevance)
        return self.intercept + signs @ self.slopes + near @ self.heights

    def coefficients(self, width: float) -> np.ndarray:
        """LIME's coefficients over all 2^n masks, exactly: intercept and segments (1 + segments,).

        They solve the normal equations, which need the mean of weight x score over all masks, and
        over those that show a segment. The weight depends on how many segments are seen, and the
        kernel is a product over the segments. So its sum over all masks that show k segments is the
        factor of z^k in a product of polynomials, which a Fourier transform reads off.
        width: of the kernel of LIME's weights.
        """
        count = len(self.slopes)
        points = count + 1 + count % 2  # odd: z = -1 could make a factor 0
        mass = np.zeros(points)
        mass[: count + 1] = kernel(np.arange(count + 1) / count, width)
        circle = np.exp(2j * np.pi * np.arange(points) / points)
        seen = np.exp(self.relevance * (self.known - 1))  # (masks, segments)
        hidden = np.exp(-self.relevance * (self.known + 1))
        means = np.zeros(1 + count)
        for share, z in zip(np.fft.fft(mass) / points, circle):
            factors = (hidden + seen * z) / 2
            product = share * self.heights * factors.prod(axis=1)  # (masks,)
            means[0] += product.sum().real
            means[1:] += (product @ (seen * z / 2 / factors)).real
        line = np.concatenate([[self.intercept - self.slopes.sum()], 2 * self.slopes])
        return line + np.linalg.solve(_normal_matrix(count, width), means)

    def pairs(self) -> np.ndarray:
        """What each two segments add beyond their sum, mean over all masks: (segments, segments).

        The interaction index of Banzhaf (Grabisch and Roubens 1999,
        https://doi.org/10.1007/s001820050125), exactly.
        """
        each = np.tanh(self.relevance)
        far = np.prod(np.cosh(self.relevance) * np.exp(-self.relevance))
        together = self.known.T @ (self.heights[:, None] * self.known)
        return 4 * far * np.outer(each, each) * together


def signs_of(on: np.ndarray) -> np.ndarray:
    """1 where a segment is seen, -1 where it is hidden."""
    return 2.0 * on - 1


def _alike(one: np.ndarray, other: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """1 for equal masks, less for each relevant segment in which they differ: (one, other)."""
    return np.exp((one * relevance) @ other.T - relevance.sum())


def _normal_matrix(count: int, width: float) -> np.ndarray:
    """The mean over all 2^n masks of weight x row x row', for rows of 1 and the mask."""
    sizes = np.arange(count + 1)
    ways = np.cumprod(np.concatenate([[1.0], (count - sizes[:-1]) / sizes[1:]])) / 2.0**count
    mass = ways * kernel(sizes / count, width)
    one = mass @ sizes / count
    two = mass @ (sizes * (sizes - 1)) / (count * (count - 1))
    matrix = np.full((count + 1, count + 1), two)
    np.fill_diagonal(matrix, one)
    matrix[0] = matrix[:, 0] = one
    matrix[0, 0] = mass.sum()
    return matrix


def learn(on: np.ndarray, scores: np.ndarray, reach: float, ridge: float) -> Proxy:
    """Fit to masks (masks, segments) bool and their scores (masks,).

    reach: the mean relevance of the segments; with a larger one, interactions of more segments are
    expected. ridge: how much is taken for noise. In each round the relevance becomes what switching
    a segment changes on average (automatic relevance determination: Neal 1996, "Bayesian Learning
    for Neural Networks", sec. 1.2).
    """
    signs = signs_of(on)
    design = np.column_stack([np.ones(len(signs)), signs])
    line = np.linalg.lstsq(design, scores)[0]
    left = scores - design @ line
    relevance = np.full(on.shape[1], reach)
    for turn in range(ROUNDS):
        alike = _alike(signs, signs, relevance)
        heights = np.linalg.solve(alike + ridge * np.eye(len(signs)), left)
        if turn < ROUNDS - 1:
            change = _change(signs, alike, heights, relevance) + 2 * signs * line[1:]
            size = np.sqrt(np.mean(change**2, axis=0))
            relevance = reach * size / max(np.sqrt(np.mean(size**2)), 1e-300)
    return Proxy(float(line[0]), line[1:], relevance, signs, heights)


def _change(
    signs: np.ndarray, alike: np.ndarray, heights: np.ndarray, relevance: np.ndarray
) -> np.ndarray:
    """The kernel's part of a score, less that with one segment switched: (masks, segments)."""
    here = (alike @ heights)[:, None]
    slope = signs * (alike @ (signs * heights[:, None]))
    return here - np.cosh(2 * relevance) * here + np.sinh(2 * relevance) * slope

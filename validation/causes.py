"""The planted causes: each changes a feature map in one known way, by a stated amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.ndimage import gaussian_filter

from validation.planted import DIM, World, centres, position_field

Map = Float64[np.ndarray, "h w dim"]
Change = Callable[[Map, World, np.random.Generator, float], Map]

OUTLIER_LENGTH = 6.0
"""Norm of an outlier token, in median norms of its map."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One column of the matrix.

    Attributes:
        key, title: to name it.
        amount: planted.
        neutral: the amount that changes nothing.
        unit: what the amount counts, as words to follow the number.
        change: of a feature map.
        whole: applies to every vector of the model (class token, bases) and not to patches alone.
    """

    key: str
    title: str
    amount: float
    neutral: float
    unit: str
    change: Change
    whole: bool = False


def _blur(values: Map, world: World, rng: np.random.Generator, sigma: float) -> Map:
    """Gaussian over the grid; weights of patches that exist sum to 1."""
    if sigma == 0:
        return values
    spread = (sigma, sigma, 0.0)
    ones = np.ones((*values.shape[:2], 1))
    return np.asarray(
        gaussian_filter(values, spread, mode="constant") / gaussian_filter(ones, spread, mode="constant")
    )


def _noise(values: Map, world: World, rng: np.random.Generator, amount: float) -> Map:
    """White over patches and channels."""
    drawn = rng.normal(size=values.shape)
    return np.asarray(values + amount * _spread(values, world) / np.sqrt(DIM) * drawn)


def _shuffle(values: Map, world: World, rng: np.random.Generator, share: float) -> Map:
    """A share of the patches change places at random."""
    flat = values.reshape(-1, values.shape[2]).copy()
    moved = rng.permutation(len(flat))[: round(share * len(flat))]
    flat[moved] = flat[rng.permutation(moved)]
    return flat.reshape(values.shape)


def _collapse(values: Map, world: World, rng: np.random.Generator, share: float) -> Map:
    """Every patch goes a share of the way to the mean of all photographs."""
    return np.asarray(world.mean + (1 - share) * (values - world.mean))


def _position(values: Map, world: World, rng: np.random.Generator, amount: float) -> Map:
    """The same smooth field of the place in the frame on every photograph."""
    return values + amount * _spread(values, world) * position_field(world, centres(*values.shape[:2]))


def _outliers(values: Map, world: World, rng: np.random.Generator, k: float) -> Map:
    """K tokens at random places become long, near one direction that all photographs share."""
    flat = values.reshape(-1, values.shape[2]).copy()
    direction = np.random.default_rng((world.seed, 3)).normal(size=DIM)
    length = OUTLIER_LENGTH * float(np.median(np.linalg.norm(flat, axis=1)))
    chosen = rng.permutation(len(flat))[: round(k)]
    drawn = direction / np.linalg.norm(direction) + 0.2 / np.sqrt(DIM) * rng.normal(size=(len(chosen), DIM))
    flat[chosen] = length * drawn * rng.uniform(0.8, 1.2, (len(chosen), 1))
    return flat.reshape(values.shape)


def _rotation(values: Map, world: World, rng: np.random.Generator, turn: float) -> Map:
    """Every pair of channels of a random basis turns by so many quarter turns."""
    basis = np.linalg.qr(np.random.default_rng((world.seed, 4)).normal(size=(DIM, DIM)))[0]
    angle = turn * np.pi / 2
    block = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(values @ (basis @ np.kron(np.eye(DIM // 2), block) @ basis.T))


def _rescale(values: Map, world: World, rng: np.random.Generator, factor: float) -> Map:
    return factor * values


def _same(values: Map, world: World, rng: np.random.Generator, factor: float) -> Map:
    """A finer grid is sampled, not made out of a coarser one."""
    return values


def _spread(values: Map, world: World) -> float:
    """Root mean squared distance of the patches from the mean of all photographs."""
    return float(np.sqrt(((values - world.mean) ** 2).sum(axis=-1).mean()))


CAUSES = {
    cause.key: cause
    for cause in (
        Cause("blur", "Gaussian blur", 1.0, 0.0, "patch standard deviation", _blur),
        Cause("half_blur", "blur of half a patch", 0.5, 0.0, "patch standard deviation", _blur),
        Cause("noise", "white noise", 1.0, 0.0, "times the spread of the patches", _noise),
        Cause("shuffle", "shuffled patches", 1.0, 0.0, "of all patches change places", _shuffle),
        Cause("collapse", "collapse to mean", 0.5, 0.0, "of the way to the mean", _collapse),
        Cause("position", "positional field", 0.7, 0.0, "times the spread of the patches", _position),
        Cause("outliers", "outlier tokens", 8.0, 0.0, "tokens of 6 median norms", _outliers),
        Cause("rotation", "rotation", 0.7, 0.0, "quarter turns in 32 random planes", _rotation, whole=True),
        Cause("rescale", "rescaling", 3.7, 1.0, "times every feature", _rescale, whole=True),
        Cause("finer", "finer grid", 2.0, 1.0, "times the patches a side, of the same field", _same),
    )
}
"""By key, in the order of the columns."""

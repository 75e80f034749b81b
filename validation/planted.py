"""Planted photographs: feature fields whose regions, objects, colours and motion are known exactly.

A field is a function of the place, so that any grid, mirror, shift or crop of it can be sampled without
interpolation. Nothing here was learned, and nothing here depends on the metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

DIM = 64
SIDE = 20
"""Patches a side of the base grid."""

PIXELS = 160
"""Pixels a side of the photograph and of the masks."""

OBJECT_CLASSES = 5
BACKGROUNDS = 3
CELLS = 4
"""Cells a side, before they are moved about; a cell is 5 base patches wide."""

COMMON = 0.6
"""Correlation of the backgrounds; objects lean as far to the other side."""

MEAN_LENGTH = 0.35
"""Length of the mean that all patches share; a class's own part has length about 1."""

INSTANCE_LENGTH = 0.35
TEXTURE_LENGTH = 0.8
NOISE_LENGTH = 0.25
"""Of what a view of a patch has by chance, in all directions alike."""

BORDER = 0.01
"""Softness of region borders: memberships are softmax(-squared distance / this)."""

WAVES = 40
SLOWEST, FASTEST = 1.0, 4.0
"""Texture, in cycles per image side; the base grid carries up to 10."""

PLACE_DIRECTIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """What all planted photographs of one seed share: in effect, the backbone.

    Attributes:
        seed: of everything below.
        axes: columns are orthonormal; the variance along column k falls as 1/k.
        mean: shared by all patches.
        prototypes: of classes: 0 to 2 are backgrounds, the rest objects.
        place: orthonormal directions in which a positional field moves patches.
        colours: of the classes, in [0, 1].
    """

    seed: int
    axes: Float64[np.ndarray, "dim dim"]
    mean: Float64[np.ndarray, " dim"]
    prototypes: Float64[np.ndarray, "classes dim"]
    place: Float64[np.ndarray, "k dim"]
    colours: Float64[np.ndarray, "classes 3"]


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """One planted photograph: Voronoi cells, some of them objects.

    Attributes:
        sites: (x, y) of each cell's centre.
        region: of each cell; background cells of one kind are one region.
        classes: of each cell.
        vectors: of each cell, the mean included.
        waves: (fx, fy, phase) of the texture.
        amplitudes: of the texture.
        motion: (dx, dy, scale) to the second view.
        colours: of each cell.
        cls: the class token.
        key: seeds whatever is drawn for this photograph later.
    """

    sites: Float64[np.ndarray, "cells 2"]
    region: Int64[np.ndarray, " cells"]
    classes: Int64[np.ndarray, " cells"]
    vectors: Float64[np.ndarray, "cells dim"]
    waves: Float64[np.ndarray, "waves 3"]
    amplitudes: Float64[np.ndarray, "waves dim"]
    motion: tuple[float, float, float]
    colours: Float64[np.ndarray, "cells 3"]
    cls: Float64[np.ndarray, " dim"]
    key: tuple[int, int]


def draw_world(seed: int) -> World:
    """The same for every photograph of a seed."""
    rng = np.random.default_rng((seed, 0))
    axes = np.linalg.qr(rng.normal(size=(DIM, DIM)))[0]
    mean = rng.normal(size=DIM)
    n = BACKGROUNDS + OBJECT_CLASSES
    common = draw_vectors(rng, axes, 1)[0]
    common /= np.linalg.norm(common)
    side = np.where(np.arange(n) < BACKGROUNDS, 1.0, -1.0)[:, None]
    prototypes = np.sqrt(COMMON) * side * common + np.sqrt(1 - COMMON) * draw_vectors(rng, axes, n)
    return World(
        seed,
        axes,
        MEAN_LENGTH * mean / np.linalg.norm(mean),
        prototypes,
        np.linalg.qr(rng.normal(size=(DIM, PLACE_DIRECTIONS)))[0].T,
        rng.uniform(0.15, 0.85, (n, 3)),
    )


def draw_vectors(
    rng: np.random.Generator, axes: Float64[np.ndarray, "dim dim"], n: int
) -> Float64[np.ndarray, "n dim"]:
    """Gaussian vectors of mean squared length 1 whose covariance has eigenvalues in proportion to 1/k."""
    deviation = np.arange(1, DIM + 1) ** -0.5
    return np.asarray(rng.normal(size=(n, DIM)) * (deviation / np.linalg.norm(deviation)) @ axes.T)


def draw_planted(world: World, index: int) -> Planted:
    """Photograph ``index`` of a world."""
    rng = np.random.default_rng((world.seed, 1, index))
    grid = centres(CELLS, CELLS).reshape(-1, 2)
    sites = grid + rng.uniform(-0.35, 0.35, grid.shape) / CELLS
    kinds = rng.permutation(BACKGROUNDS)[:2]
    classes = kinds[(sites @ rng.normal(size=2) > rng.normal() * 0.2).astype(np.int64)].astype(np.int64)
    region = classes.copy()
    chosen = rng.permutation(CELLS**2)[: rng.integers(2, 5)]
    for number, cell in enumerate(chosen):
        classes[cell] = BACKGROUNDS + rng.integers(OBJECT_CLASSES)
        region[cell] = BACKGROUNDS + number
    offsets = INSTANCE_LENGTH * draw_vectors(rng, world.axes, int(region.max()) + 1)
    tints = rng.normal(scale=0.06, size=(int(region.max()) + 1, 3))
    speed = np.exp(rng.uniform(np.log(SLOWEST), np.log(FASTEST), WAVES))
    angle = rng.uniform(0, np.pi, WAVES)
    shift = rng.uniform(0.15, 0.25, 2) * rng.choice([-1, 1], 2)
    vectors = world.mean + world.prototypes[classes] + offsets[region]
    return Planted(
        sites,
        region,
        classes,
        vectors,
        np.stack([speed * np.cos(angle), speed * np.sin(angle), rng.uniform(0, 2 * np.pi, WAVES)], axis=1),
        TEXTURE_LENGTH * np.sqrt(2 / WAVES) * draw_vectors(rng, world.axes, WAVES),
        (float(shift[0]), float(shift[1]), float(rng.uniform(0.95, 1.05))),
        np.clip(world.colours[classes] + tints[region], 0.0, 1.0),
        vectors.mean(axis=0) + 0.3 * draw_vectors(rng, world.axes, 1)[0],
        (world.seed, index),
    )


def field(planted: Planted, places: Float64[np.ndarray, "h w 2"]) -> Float64[np.ndarray, "h w dim"]:
    """Features at places (x, y), also outside of the frame; without the noise of a view."""
    weights = np.exp(-_squared(planted, places, nearest_is_zero=True) / BORDER)
    weights /= weights.sum(axis=-1, keepdims=True)
    phase = 2 * np.pi * (places @ planted.waves[:, :2].T) + planted.waves[:, 2]
    return np.asarray(weights @ planted.vectors + np.cos(phase) @ planted.amplitudes)


def position_field(world: World, places: Float64[np.ndarray, "h w 2"]) -> Float64[np.ndarray, "h w dim"]:
    """A smooth field of the place in the frame alone, of mean squared length about 1 and mean about 0."""
    x, y = places[..., 0] - 0.5, places[..., 1] - 0.5
    parts = np.stack(
        [
            np.sqrt(12) * x,
            np.sqrt(12) * y,
            np.sqrt(2) * np.cos(2 * np.pi * x),
            np.sqrt(2) * np.sin(np.pi * y),
        ],
        axis=-1,
    )
    return np.asarray(parts @ world.place / np.sqrt(PLACE_DIRECTIONS))


def centres(h: int, w: int) -> Float64[np.ndarray, "h w 2"]:
    """(x, y) of the patches' centres in [0, 1]²."""
    x, y = np.meshgrid((np.arange(w) + 0.5) / w, (np.arange(h) + 0.5) / h)
    return np.stack([x, y], axis=-1)


def cells(planted: Planted, places: Float64[np.ndarray, "h w 2"]) -> Int64[np.ndarray, "h w"]:
    """The cell that each place lies in."""
    return np.asarray(_squared(planted, places).argmin(axis=-1))


def photograph(planted: Planted) -> UInt8[np.ndarray, "H W 3"]:
    """Regions in their colours, with light texture and sensor noise."""
    places = centres(PIXELS, PIXELS)
    rng = np.random.default_rng((*planted.key, 2))
    phase = 2 * np.pi * (places @ planted.waves[:8, :2].T) + planted.waves[:8, 2]
    light = 0.02 * np.cos(phase).sum(axis=-1, keepdims=True)
    noise = rng.normal(scale=0.02, size=(PIXELS, PIXELS, 3))
    picture = planted.colours[cells(planted, places)] + light + noise
    return np.asarray(np.clip(np.rint(255 * picture), 0, 255), dtype=np.uint8)


def object_cells(planted: Planted) -> Bool[np.ndarray, " cells"]:
    """Which cells are objects."""
    return np.asarray(planted.classes >= BACKGROUNDS)


def _squared(
    planted: Planted, places: Float64[np.ndarray, "h w 2"], *, nearest_is_zero: bool = False
) -> Float64[np.ndarray, "h w cells"]:
    squared = ((places[..., None, :] - planted.sites) ** 2).sum(axis=-1)
    return np.asarray(squared - squared.min(axis=-1, keepdims=True) if nearest_is_zero else squared)

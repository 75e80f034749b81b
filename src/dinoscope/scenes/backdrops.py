"""Backdrops: what closes a scene at the back, a wall or a far landscape, as an upright picture.

Each maker takes a generator, a raster (rows, columns) and a scale (texels for what is one pixel in a
256 px photograph) and returns linear light; the lowest row stands on the ground.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dinoscope.scenes.fields import Field, blobs, cloudy, mix, ramp, rgb, sample, step, to_linear
from dinoscope.scenes.grounds import LinearLight, Raster, scatter


def _height(raster: Raster) -> Field:
    """1 at the top row, 0 at the foot."""
    return np.broadcast_to(1.0 - (np.arange(raster[0])[:, None] + 0.5) / raster[0], raster)


def _ridge(rng: np.random.Generator, w: int, slope: float, smallest: float) -> Field:
    """A skyline: one row of noise, mean 0, deviation 1."""
    return cloudy(rng, (1, max(w, 2)), slope, smallest=smallest)[:, :w]


def _sky(rng: np.random.Generator, raster: Raster, scale: float, *, overcast: float) -> np.ndarray:
    up = _height(raster)
    blue = ramp(up, "dbe3e6", "a9c3d6", "7ba3c6", "5686b5")
    shapes = cloudy(rng, raster, 1.55, stretch=1.9, smallest=0.8 * scale)
    wisps = cloudy(rng, raster, 1.2, stretch=3.0, smallest=0.8 * scale)
    cover = step(shapes + 0.25 * wisps + overcast, 0.1, 1.7)
    lit = np.clip(0.75 - 0.16 * (np.roll(shapes, -int(6 * scale) - 1, axis=0) - shapes) + 0.04 * wisps, 0, 1)
    return mix(blue, ramp(lit, "8e98a3", "c3c9cd", "f3f2ee"), 0.92 * cover)


def _hills(
    rng: np.random.Generator,
    canvas: np.ndarray,
    scale: float,
    base: float,
    layers: tuple[tuple[str, str], ...],
) -> np.ndarray:
    h, w = canvas.shape[:2]
    up = _height((h, w))
    for number, (dark, light) in enumerate(layers):
        foot = base * (1.0 - number / len(layers))
        line = (
            foot + 0.16 * base * _ridge(rng, w, 1.7, 4.0 * scale) + 0.012 * _ridge(rng, w, 0.8, 0.7 * scale)
        )
        rough = cloudy(rng, (h, w), 1.1, stretch=1.7)
        crowns = blobs(rng, (h, w), 5.0 * scale, width=0.5)
        slope = ramp(0.5 + 0.16 * rough + 0.14 * crowns, dark, light)
        canvas = mix(canvas, slope, step((line - up) * h / scale, -0.6, 0.6))
    return canvas


def _meadow(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    sky = _sky(rng, raster, scale, overcast=rng.uniform(-0.6, 0.5))
    ranges = (("7d90a0", "93a4ae"), ("5d7370", "788c7f"), ("2f4527", "5f7a3e"))
    far = _hills(rng, sky, scale, rng.uniform(0.18, 0.36), ranges)
    return to_linear(np.clip(far, 0, 1))


def _beach(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    sky = _sky(rng, raster, scale, overcast=rng.uniform(-0.7, 0.2))
    up = _height(raster)
    line = rng.uniform(0.18, 0.30)
    waves = blobs(rng, raster, 5.0 * scale, width=0.5, stretch=5.0)
    sea = ramp(0.75 - up / line * 0.6 + 0.07 * waves, "35607a", "4f8396", "86b0b3", "b9cfc8")
    surf = step(0.05 * line + 0.10 * line * (1 + _ridge(rng, raster[1], 1.0, 1.5 * scale)) - up, -0.01, 0.02)
    sea = mix(sea, rgb("eef1ec"), np.clip(surf + 0.5 * step(waves, 2.2, 3.2), 0, 1))
    return to_linear(np.clip(mix(sky, sea, step((line - up) * raster[0] / scale, -0.6, 0.6)), 0, 1))


def _lake(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    sky = _sky(rng, raster, scale, overcast=rng.uniform(-0.2, 0.9))
    line = int(rng.uniform(0.76, 0.84) * h)
    ranges = (("8797a5", "a3afb6"), ("66798a", "8493a0"), ("3f5656", "5e7568"), ("1d2f22", "3d5535"))
    upper = _hills(rng, sky[:line], scale, rng.uniform(0.35, 0.6), ranges)
    # The water mirrors the hills, drawn together by the low view, and is broken by waves.
    waves = blobs(rng, raster, 4.0 * scale, width=0.5, stretch=6.0)
    depth = np.arange(h - line)[:, None] + 0.5
    rows = line - 1 - depth * 2.4 + 1.2 * scale * waves[line:]
    columns = np.broadcast_to(np.arange(w, dtype=np.float64)[None, :], rows.shape)
    mirrored = sample(upper, columns, rows, wrap=False)
    water = mix(mirrored * 0.82, rgb("3f6670"), 0.25 + 0.08 * waves[line:])
    return to_linear(np.clip(np.concatenate([upper, water]), 0, 1))


def _bricks(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    high, wide = 12.5 * scale, 35.0 * scale
    wobble = 0.035 * blobs(rng, raster, 12.0 * scale, width=0.6)
    v = (h - np.arange(h)[:, None]) / high + wobble
    row = np.floor(v).astype(np.int64)
    u = np.arange(w)[None, :] / wide + 0.5 * (row % 2) + 0.4 * wobble
    column = np.floor(u).astype(np.int64)
    edge = np.minimum(np.minimum(u % 1, 1 - u % 1) * wide, np.minimum(v % 1, 1 - v % 1) * high)
    rows, columns = int(row.max()) + 3, int(column.max()) + 3
    tone = rng.normal(0.0, 0.13, (rows, columns))[row + 1, column + 1]
    burnt = rng.random((rows, columns))[row + 1, column + 1]
    rough = cloudy(rng, raster, 1.0)
    grain = blobs(rng, raster, 2.8 * scale, width=0.5)
    value = 0.5 + tone + 0.11 * rough + 0.08 * grain
    clay = mix(
        ramp(value, "5a2a1e", "964f39", "c07f61"),
        ramp(value, "4a3a33", "7f675b", "ad9686"),
        step(burnt, 0.6, 1.0),
    )
    mortar = ramp(0.5 + 0.2 * rough + 0.1 * grain, "6e675c", "a29a8b", "c4bcae")
    wall = mix(mortar, clay, step(edge + 0.35 * grain * scale, 0.5 * scale, 1.8 * scale))
    damp = step(_height(raster) + 0.10 * cloudy(rng, raster, 1.6), 0.0, 0.30)
    return to_linear(np.clip(wall * (0.72 + 0.28 * damp)[..., None], 0, 1))


def _plaster(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    tints = (("8f9a94", "b9c2ba", "d5dbd2"), ("a5977c", "cbbd9f", "e2d8c0"), ("7b8790", "a3afb6", "c6cfd3"))
    stains = cloudy(rng, raster, 1.5)
    strokes = blobs(rng, raster, 5.0 * scale, width=0.6, angle=rng.uniform(0, np.pi), stretch=2.5)
    wall = ramp(0.55 + 0.10 * stains + 0.05 * strokes, *tints[int(rng.integers(len(tints)))])
    cracks = np.abs(cloudy(rng, raster, 1.5))
    worn = step(cloudy(rng, raster, 1.6), 1.2, 2.4)
    wall *= (1.0 - 0.22 * (1.0 - step(cracks, 0.004, 0.03)) * worn)[..., None]
    up = _height(raster)
    board = step((up - 0.11) * raster[0] / scale, -0.6, 0.6)
    grain = blobs(rng, raster, 4.0 * scale, width=0.6, stretch=10.0)
    skirting = ramp(0.5 + 0.14 * grain, "4f3b29", "7a5f44", "9c8061")
    shade = 1.0 - 0.35 * np.exp(-(((up - 0.115) * raster[0] / scale / 2.5) ** 2))
    return to_linear(np.clip(mix(skirting, wall, board) * shade[..., None], 0, 1))


def _foliage(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    gloom = cloudy(rng, raster, 1.4)
    canvas = ramp(0.42 + 0.20 * gloom, "0b1209", "1b2a14", "3a4f26", "8ba06a")
    up = _height(raster)
    x = np.broadcast_to(np.arange(w)[None, :] / scale, raster)
    for _ in range(int(rng.integers(2, 5))):
        at, radius, lean = rng.uniform((0.0, 2.5, -12.0), (w / scale, 8.0, 12.0))
        off = (x - at - lean * up + 0.8 * blobs(rng, raster, 30.0 * scale, width=0.5)) / (
            radius * (1.15 - 0.3 * up)
        )
        bark = blobs(rng, raster, 4.0 * scale, width=0.6, angle=np.pi / 2, stretch=4.0)
        trunk = ramp(0.45 - 0.28 * off + 0.16 * bark, "1d1610", "4a3b2c", "7f6d57")
        canvas = mix(canvas, trunk, step(1.0 - np.abs(off), 0.0, 0.15))
    greens = ("2f4a1e", "456428", "5f7f35", "7d9a45", "28401d", "97ab58")
    scatter(
        rng, canvas, int(h * w / scale**2 / 110), (3.5 * scale, 12.0 * scale), greens, slimness=(0.35, 0.6)
    )
    sun = step(cloudy(rng, raster, 1.5) + 0.5 * up, -0.6, 1.6)
    return to_linear(np.clip(canvas * (0.55 + 0.55 * sun)[..., None], 0, 1))


def _rock(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    tilt = rng.uniform(-0.35, 0.35)
    fold = cloudy(rng, raster, 1.8)
    depth = (np.arange(h)[:, None] + tilt * np.arange(w)[None, :]) / scale + 8.0 * fold
    # Beds of stone: each recedes slowly and ends in a dark joint.
    bed = depth / 17.0 + 0.35 * np.sin(depth / 9.0)
    within = bed % 1.0
    tone = rng.normal(0.0, 0.10, 64)[np.floor(bed).astype(np.int64) % 64]
    joint = step(np.minimum(within, 1.0 - within), 0.02, 0.12)
    crack = step(np.abs(cloudy(rng, raster, 1.5, angle=np.pi / 2, stretch=1.8)), 0.02, 0.10)
    rough = cloudy(rng, raster, 1.0)
    grain = blobs(rng, raster, 3.0 * scale, width=0.5)
    value = 0.62 + tone - 0.28 * within + 0.10 * rough + 0.07 * grain
    stone = mix(
        ramp(value, "2d2a27", "6a645c", "a59d91", "d5cdbf"),
        ramp(value, "3c2d22", "84684f", "cdb08e"),
        step(fold, -0.5, 1.5),
    )
    stone = stone * ((0.38 + 0.62 * joint) * (0.6 + 0.4 * crack))[..., None]
    moss = step(cloudy(rng, raster, 1.5) + 0.8 * (1.0 - joint), 1.2, 2.2)
    return to_linear(np.clip(mix(stone, ramp(value, "26301a", "66743c"), 0.65 * moss), 0, 1))


def _firs(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    sky = _sky(rng, raster, scale, overcast=rng.uniform(0.4, 1.4))
    canvas = _hills(rng, sky, scale, rng.uniform(0.2, 0.4), (("a3b0bd", "c3ccd4"), ("7d8c99", "a7b3bc")))
    up = _height(raster) * h / scale
    x = np.broadcast_to(np.arange(w)[None, :] / scale, raster)
    rough = blobs(rng, raster, 4.0 * scale, width=0.5)
    for haze in np.sort(rng.random(int(rng.integers(7, 13))))[::-1]:
        at, tall = rng.uniform((0.0, 0.35), (w / scale, 0.85))
        tall = tall * (1.0 - 0.5 * haze) * h / scale
        level = (tall - up) / tall
        tiers = level * 9.0
        wide = tall * 0.24 * level * (0.72 + 0.28 * (tiers % 1.0)) + 0.8 * rough
        inside = step(wide - np.abs(x - at), -0.6, 0.6) * (level > 0)
        value = 0.40 + 0.20 * rough - 0.30 * (tiers % 1.0)
        tree = mix(ramp(value, "10201a", "2b4234", "dfe6ea"), rgb("a9b5bf"), np.full(raster, 0.65 * haze))
        canvas = mix(canvas, tree, inside)
    return to_linear(np.clip(canvas, 0, 1))


BACKDROPS: dict[str, Callable[[np.random.Generator, Raster, float], LinearLight]] = {
    "meadow": _meadow,
    "beach": _beach,
    "lake": _lake,
    "courtyard": _bricks,
    "workshop": _plaster,
    "forest": _foliage,
    "quarry": _rock,
    "snowfield": _firs,
}
"""Makers by kind of background."""

FAR: frozenset[str] = frozenset({"meadow", "beach", "lake", "snowfield"})
"""Kinds whose backdrop is a landscape: far away, lit by the sky, touched by no shadow."""

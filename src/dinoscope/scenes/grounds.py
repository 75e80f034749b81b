"""Grounds: what lies underfoot, as periodic textures seen from straight above.

Each maker takes a generator, a raster (rows, columns) and a scale (texels for what is one pixel in a
256 px photograph) and returns linear light. Rows run away from the viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from dinoscope.scenes.fields import Colours, blobs, cloudy, mix, ramp, rgb, step, stones, to_linear

Raster = tuple[int, int]
LinearLight = Float[np.ndarray, "H W 3"]


def scatter(
    rng: np.random.Generator,
    canvas: Colours,
    n: int,
    half_lengths: tuple[float, float],
    colours: tuple[str, ...],
    *,
    slimness: tuple[float, float] = (0.35, 0.8),
    pointed: bool = True,
    upright: bool = False,
) -> None:
    """Let n leaves or petals fall on a periodic canvas, each over what lies there; in place.

    Sizes follow a power law: as many leaves in each octave of area as keeps the covered share equal
    (density r^-3), the dead leaves model.
    Source: Lee, Mumford, Huang, "Occlusion models for natural images", IJCV 2001, section 3.

    Args:
        half_lengths: from the smallest to the largest, in texels.
        slimness: range of half width over half length.
        pointed: leaves with two tips; otherwise ellipses.
        upright: pointing up, with some spread; otherwise in every direction.
    """
    h, w = canvas.shape[:2]
    smallest, largest = half_lengths
    for _ in range(n):
        u, cx, cy, aim, slim, tone, pick = rng.random(7)
        length = min(smallest / np.sqrt(1.0 - u * (1.0 - (smallest / largest) ** 2)), min(h, w) / 2.5)
        turn = np.pi * (0.5 + 0.55 * (aim - 0.5) if upright else 2.0 * aim - 1.0)
        broad = max(length * (slimness[0] + (slimness[1] - slimness[0]) * slim), 0.7)
        reach = int(np.ceil(length)) + 1
        px, py = cx * w, cy * h
        ys = np.arange(int(py) - reach, int(py) + reach + 1)[:, None]
        xs = np.arange(int(px) - reach, int(px) + reach + 1)[None, :]
        along = ((xs - px) * np.cos(turn) + (ys - py) * np.sin(turn)) / length
        across = ((ys - py) * np.cos(turn) - (xs - px) * np.sin(turn)) / broad
        inside = 1.0 - (along * along + np.abs(across) if pointed else np.hypot(along, across))
        share = np.clip(inside * broad + 0.5, 0.0, 1.0) * (np.abs(along) < 1.0 + 1.0 / length)
        base = rgb(colours[int(pick * len(colours))]) * (0.80 + 0.35 * tone)
        light = 1.0 + 0.22 * np.tanh(2.0 * across) + 0.10 * along
        vein = 1.0 + 0.12 * np.exp(-((across * broad / 0.8) ** 2)) * pointed
        here = np.ix_(ys[:, 0] % h, xs[0] % w)
        shadow = np.clip(inside * broad + 2.5, 0.0, 1.0)[..., None] * min(0.30, 0.05 * length)
        under = canvas[here] * (1.0 - shadow)
        canvas[here] = under + (base * (light * vein)[..., None] - under) * share[..., None]


def _grass(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    patches = cloudy(rng, raster, 1.5)
    blades = sum(
        blobs(rng, raster, 4.2 * scale, width=0.45, angle=angle, stretch=3.5)
        for angle in rng.uniform(0.25 * np.pi, 0.75 * np.pi, 3)
    )
    tufts = blobs(rng, raster, 17.0 * scale, width=0.5)
    value = 0.46 + 0.13 * np.asarray(blades) + 0.09 * tufts + 0.07 * patches
    canvas = ramp(value, "1c2a0f", "3d5420", "6b8434", "a9b35d")
    dry = ramp(value, "4a3d20", "85733f", "b8a768")
    canvas = mix(canvas, dry, 0.55 * step(patches + 0.4 * tufts, 0.7, 2.4))
    area = raster[0] * raster[1] / scale**2
    scatter(
        rng,
        canvas,
        int(area / 420),
        (3.0 * scale, 9.0 * scale),
        ("4c6a26", "6e8a38", "88a047", "37511d"),
        slimness=(0.10, 0.2),
        upright=True,
    )
    if rng.random() < 0.5:
        petal = ("f2efe2", "f1d561", "c9b6dc")[int(rng.integers(3))]
        scatter(
            rng,
            canvas,
            int(area / 1500),
            (1.1 * scale, 2.4 * scale),
            (petal,),
            slimness=(0.8, 1.0),
            pointed=False,
        )
    return to_linear(np.clip(canvas, 0, 1))


def _sand(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    slow = blobs(rng, raster, 46.0 * scale, width=0.5)
    ripple = blobs(rng, raster, 13.0 * scale, width=0.14, angle=rng.uniform(-0.25, 0.25), stretch=3.2)
    crest = np.tanh(1.1 * ripple)
    grain = blobs(rng, raster, 2.2 * scale, width=0.4)
    rough = cloudy(rng, raster, 1.0)
    slope = np.roll(crest, 1, axis=0) - np.roll(crest, -1, axis=0)
    value = 0.56 + 0.07 * slow + 0.10 * slope / max(scale, 0.5) + 0.05 * crest + 0.055 * grain + 0.05 * rough
    canvas = ramp(value, "7d6647", "b39a70", "d8c49b", "efe3c6")
    area = raster[0] * raster[1] / scale**2
    scatter(
        rng,
        canvas,
        int(area / 1500),
        (1.0 * scale, 5.0 * scale),
        ("8a7a63", "e9dfcc", "6c6459", "b59a83"),
        slimness=(0.5, 0.9),
        pointed=False,
    )
    return to_linear(np.clip(canvas, 0, 1))


def _shore(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    """Wet shingle with shallow, rippled water standing on the lower half of it."""
    shingle = _shingle(rng, raster, scale, 85.0) * np.array([0.55, 0.57, 0.58])
    swell = blobs(rng, raster, 30.0 * scale, width=0.4, angle=rng.uniform(-0.3, 0.3), stretch=2.6)
    waves = blobs(rng, raster, 11.0 * scale, width=0.35, angle=rng.uniform(-0.3, 0.3), stretch=2.4)
    fine = blobs(rng, raster, 4.5 * scale, width=0.4, angle=rng.uniform(-0.3, 0.3), stretch=1.8)
    facing = 0.42 + 0.12 * swell + 0.10 * waves + 0.05 * fine + 0.04 * cloudy(rng, raster, 1.4)
    surface = to_linear(ramp(facing, "16302f", "2f5557", "5d888d", "a3bec2", "dbe5e4"))
    depth = step(cloudy(rng, raster, 1.9, stretch=1.6, smallest=1.5 * scale) + 0.10 * waves, -0.7, 0.7)
    glint = 0.7 * step(waves + 0.6 * fine + 0.6 * swell, 2.5, 3.5) * depth
    return mix(mix(shingle, surface, 0.15 + 0.72 * depth), rgb("f4f6f1"), glint)


def _paving(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    h, w = raster
    rows = max(2, round(h / (34.0 * scale)))
    columns = max(2, round(w / (52.0 * scale)))
    warp = 0.05 * blobs(rng, raster, 26.0 * scale, width=0.5)
    v = np.arange(h)[:, None] / h * rows + warp
    row = np.floor(v).astype(np.int64) % rows
    shift = rng.random(rows)[row]
    u = np.arange(w)[None, :] / w * columns + shift + np.roll(warp, h // 3, axis=0)
    column = np.floor(u).astype(np.int64) % columns
    edge = np.minimum(np.minimum(u % 1, 1 - u % 1) * w / columns, np.minimum(v % 1, 1 - v % 1) * h / rows)
    tone = rng.normal(0.0, 0.10, (rows, columns))[row, column]
    warm = rng.random((rows, columns))[row, column]
    rough = cloudy(rng, raster, 1.1)
    grain = blobs(rng, raster, 3.0 * scale, width=0.5)
    value = 0.54 + tone + 0.09 * rough + 0.06 * grain
    slab = mix(ramp(value, "4c4843", "8f8a80", "c9c3b5"), ramp(value, "54463a", "9c8770", "d3c2a7"), warm)
    slab *= (0.82 + 0.18 * step(edge, 1.0 * scale, 5.0 * scale))[..., None]
    joint = ramp(0.4 + 0.25 * rough, "2b2a1f", "4a4a35", "6e6b4e")
    return to_linear(
        np.clip(mix(joint, slab, step(edge + 0.5 * grain * scale, 0.6 * scale, 2.2 * scale)), 0, 1)
    )


def _planks(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    w = raster[1]
    boards = max(2, round(w / (38.0 * scale)))
    u = np.broadcast_to(np.arange(w)[None, :] / w * boards, raster)
    board = np.floor(u).astype(np.int64) % boards
    edge = np.minimum(u % 1, 1 - u % 1) * w / boards
    slow = blobs(rng, raster, 60.0 * scale, width=0.5, angle=np.pi / 2, stretch=4.0)
    streaks = blobs(rng, raster, 3.2 * scale, width=0.6, angle=np.pi / 2, stretch=12.0)
    fine = blobs(rng, raster, 2.4 * scale, width=0.4, angle=np.pi / 2, stretch=5.0)
    offset = rng.uniform(0, 50, boards)[board]
    rings = np.sin(5.0 * (u % 1) + 1.9 * slow + offset) + 0.5 * np.sin(
        11.0 * (u % 1) + 4.5 * slow + 2 * offset
    )
    tone = rng.normal(0.0, 0.10, boards)[board]
    value = 0.52 + tone + 0.09 * rings + 0.085 * streaks + 0.04 * fine
    tints = (
        ("3b2415", "6f4829", "a5744a", "c99c6e"),
        ("4a4038", "7d7064", "aa9d8e", "cdc2b3"),
        ("5d3d22", "99703f", "c79c65", "e3c594"),
    )
    wood = ramp(value, *tints[int(rng.integers(len(tints)))])
    gap = 1.0 - 0.85 * (1.0 - step(edge, 0.3 * scale, 1.6 * scale))
    return to_linear(np.clip(wood * gap[..., None], 0, 1))


def _litter(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    soil = 0.4 + 0.16 * cloudy(rng, raster, 1.0) + 0.1 * blobs(rng, raster, 4.0 * scale, width=0.5)
    canvas = ramp(soil, "17110b", "332517", "57432b")
    area = raster[0] * raster[1] / scale**2
    fallen = ("6b4423", "8a5a2b", "a8743a", "5a3a22", "b98a4e", "7c3f20", "4a3320", "c49a5a", "76683a")
    scatter(rng, canvas, int(area / 150), (4.0 * scale, 17.0 * scale), fallen, slimness=(0.35, 0.62))
    if rng.random() < 0.6:
        scatter(rng, canvas, int(area / 1100), (3.0 * scale, 8.0 * scale), ("56702c", "7b8f3e", "3f5a24"))
    fibre = 1.0 + 0.07 * blobs(rng, raster, 2.6 * scale, width=0.5)
    return to_linear(np.clip(canvas * fibre[..., None], 0, 1))


def _shingle(rng: np.random.Generator, raster: Raster, scale: float, area: float) -> LinearLight:
    """Stones of an average ``area``, in pixels of a 256 px photograph."""
    n = max(8, int(raster[0] * raster[1] / (area * scale**2)))
    cell, border = stones(rng, raster, n)
    tone = rng.normal(0.0, 0.15, n)[cell]
    warm = rng.random(n)[cell]
    rough = cloudy(rng, raster, 1.0)
    speck = blobs(rng, raster, 2.4 * scale, width=0.4)
    value = 0.5 + tone + 0.07 * rough + 0.05 * speck
    grey, brown = ramp(value, "3a3d3f", "7c7f80", "c4c4be"), ramp(value, "4a3a2e", "927a64", "d1bfa6")
    radius = 0.45 * np.sqrt(area) * scale
    # Corners of the mosaic fill with gravel: what is left of a stone is round.
    inner = ndimage.gaussian_filter(border, 0.22 * radius, mode="wrap") - 0.16 * radius
    dome = np.sqrt(np.clip(inner / radius, 0.0, 1.0))
    lean = (np.roll(dome, 1, axis=0) - np.roll(dome, -1, axis=0)) * radius
    lit = 0.42 + 0.62 * dome - 0.07 * lean
    gap = ramp(0.5 + 0.2 * rough + 0.15 * speck, "15120f", "3a332a", "5d5345")
    stone = mix(grey, brown, step(warm, 0.35, 0.75)) * lit[..., None]
    return to_linear(np.clip(mix(gap, stone, step(inner, 0.0, 0.10 * radius + 0.4 * scale)), 0, 1))


def _snow(rng: np.random.Generator, raster: Raster, scale: float) -> LinearLight:
    drift = blobs(rng, raster, 60.0 * scale, width=0.45, angle=rng.uniform(-0.4, 0.4), stretch=1.8)
    dents = blobs(rng, raster, 18.0 * scale, width=0.5)
    grain = blobs(rng, raster, 2.4 * scale, width=0.4)
    relief = 0.7 * drift + 0.3 * dents
    lean = (np.roll(relief, 2, axis=0) - np.roll(relief, -2, axis=0)) / max(scale, 0.5)
    value = 0.70 + 0.28 * lean + 0.05 * drift + 0.035 * grain + 0.02 * cloudy(rng, raster, 1.0)
    canvas = ramp(value, "7f93ad", "b3c0d0", "d9dfe6", "f3f4f4")
    area = raster[0] * raster[1] / scale**2
    scatter(
        rng,
        canvas,
        int(area / 2600),
        (2.0 * scale, 7.0 * scale),
        ("8b7350", "6e5a3c", "a08a60"),
        slimness=(0.08, 0.16),
    )
    return to_linear(np.clip(canvas, 0, 1))


GROUNDS: dict[str, Callable[[np.random.Generator, Raster, float], LinearLight]] = {
    "meadow": _grass,
    "beach": _sand,
    "lake": _shore,
    "courtyard": _paving,
    "workshop": _planks,
    "forest": _litter,
    "quarry": partial(_shingle, area=230.0),
    "snowfield": _snow,
}
"""Makers by kind of background."""

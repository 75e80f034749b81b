"""Light on surfaces: sun and sky, soft cast shadows, contact shadows."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from dinoscope.scenes.fields import sample, step
from dinoscope.scenes.layout import Light, Placement
from dinoscope.scenes.sprite import EXTENT, Sprite

SUN, SKY = 0.85, 0.50
"""How much of a white surface's light comes from each, before their colours."""

Points = Float[np.ndarray, " n"]


def on_sprite(
    sprite: Sprite, placed: Placement, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Texel places (column, row) on a sprite's raster of places (x, y) in its plane."""
    c, s = np.cos(placed.turn), np.sin(placed.turn)
    dx, dy = (x - placed.x) / placed.half, (y - placed.y) / placed.half
    u, v = c * dx + s * dy, c * dy - s * dx
    if placed.mirrored:
        u = -u
    n = len(sprite.distance)
    return (u / EXTENT + 1.0) * 0.5 * n - 0.5, (v / EXTENT + 1.0) * 0.5 * n - 0.5


def _distance(
    sprite: Sprite, placed: Placement, x: Points, y: Points
) -> tuple[Int[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Which places in the plane fall on the raster, and the distance to the outline there."""
    column, row = on_sprite(sprite, placed, x, y)
    n = len(sprite.distance)
    here = np.flatnonzero((column >= 0) & (column <= n - 1) & (row >= 0) & (row <= n - 1))
    away = sample(sprite.distance, column[here], row[here], wrap=False) * placed.half
    return here, away


def sunlight(
    x: Points, y: Points, z: Points, light: Light, casters: list[tuple[Sprite, Placement]]
) -> Points:
    """Share of the sun that reaches each place, in [0, 1]. Penumbras widen with the distance."""
    lit = np.ones(len(x))
    lx, ly, lz = light.towards
    for sprite, placed in casters:
        t = (placed.z - z) / lz
        before = np.flatnonzero(t > 1e-6)
        t = t[before]
        here, away = _distance(sprite, placed, x[before] + t * lx, y[before] + t * ly)
        soft = np.minimum(0.015 + 0.05 * t[here], 0.2 * placed.half)
        share = np.clip(0.5 - away / (2.0 * soft), 0.0, 1.0)
        lit[before[here]] *= 1.0 - 0.95 * share * share * (3.0 - 2.0 * share)
    return lit


def closeness(x: Points, y: Points, z: Points, casters: list[tuple[Sprite, Placement]]) -> Points:
    """Share of the sky left under and beside objects lying above each place, in [0, 1]."""
    open_sky = np.ones(len(x))
    for sprite, placed in casters:
        before = np.flatnonzero(placed.z < z)
        here, away = _distance(sprite, placed, x[before], y[before])
        gap = z[before[here]] - placed.z
        width = np.minimum(0.10 + 0.35 * gap, 0.24 * placed.half)
        open_sky[before[here]] *= 1.0 - 0.55 * step(-away, -width, 0.3 * width)
    return open_sky


def contact(x: Points, z: Points, standing: list[tuple[Sprite, Placement]]) -> Points:
    """Share of the light left on the ground around the feet of standing objects, in [0, 1]."""
    left = np.ones(len(x))
    for sprite, placed in standing:
        if sprite.lift:
            continue
        n = len(sprite.distance)
        rows = slice(int(n * 0.5 * (1.0 + 0.82 / EXTENT)), int(n * 0.5 * (1.0 + 1.0 / EXTENT)))
        touching = np.flatnonzero((sprite.distance[rows] < 0).any(axis=0))
        if not len(touching):
            continue
        ends = ((touching[[0, -1]] + 0.5) / n * 2.0 - 1.0) * EXTENT * (-1 if placed.mirrored else 1)
        middle = placed.x + 0.5 * float(ends[0] + ends[1]) * placed.half
        wide = 0.5 * abs(float(ends[1] - ends[0])) * placed.half + 0.08 * placed.half
        deep = 0.10 * placed.half + 0.25 * wide
        off = ((x - middle) / wide) ** 2 + ((z - placed.z) / deep) ** 2
        left *= 1.0 - 0.62 * np.exp(-1.3 * off)
    return left


def shaded(
    albedo: Float[np.ndarray, "n 3"],
    sky: Points,
    sun: Points,
    light: Light,
    lighting: float,
) -> Float[np.ndarray, "n 3"]:
    """Colour under the light; ``lighting`` 0 leaves the surface's own colour.

    Args:
        sky: share of the sky's light that arrives, 1 on open ground.
        sun: cosine of incidence times the share that is not in shadow.
    """
    received = SKY * sky[:, None] * np.array(light.sky) + SUN * sun[:, None] * np.array(light.sun)
    return albedo * (1.0 + lighting * (received - 1.0))

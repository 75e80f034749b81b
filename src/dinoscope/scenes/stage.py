"""Stage: the ground and the wall or landscape behind it, as textured planes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dinoscope.scenes.backdrops import BACKDROPS, FAR
from dinoscope.scenes.camera import Camera
from dinoscope.scenes.fields import rgb, sample, to_linear
from dinoscope.scenes.grounds import GROUNDS
from dinoscope.scenes.layout import Layout

NEAR = 2.2
"""The distance at which a texel of the ground is as large as a pixel."""

Field = Float[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Textures of one scene's planes, linear light.

    Attributes:
        kind: of background.
        wall: a picture of the plane that closes the scene.
        wall_origin: world (x, y) of its first texel's centre.
        wall_density: texels in a unit of length.
        ground: pyramid of a periodic tile, each level half the one before; none in a flat scene.
        ground_density: texels in a unit of length, at the first level.
        bearing: radians; the direction in which the tile lies.
    """

    kind: str
    wall: Float[np.ndarray, "rows columns 3"]
    wall_origin: tuple[float, float]
    wall_density: float
    ground: tuple[Float[np.ndarray, "_ _ 3"], ...]
    ground_density: float
    bearing: float


@dataclass(frozen=True, slots=True, eq=False)
class Backing:
    """What a view shows of the stage.

    Attributes:
        albedo: linear light.
        x, y, z: the place of each pixel's centre in the world.
        on_ground: rather than on the wall.
    """

    albedo: Float[np.ndarray, "H W 3"]
    x: Field
    y: Field
    z: Field
    on_ground: Bool[np.ndarray, "H W"]


def _pyramid(tile: np.ndarray) -> tuple[np.ndarray, ...]:
    levels = [tile]
    while levels[-1].shape[0] > 4:
        t = levels[-1]
        levels.append(0.25 * (t[::2, ::2] + t[1::2, ::2] + t[::2, 1::2] + t[1::2, 1::2]))
    return tuple(levels)


def build_stage(rng: np.random.Generator, layout: Layout, kind: str) -> Stage:
    """Draw the textures that both views of a scene look at."""
    camera = layout.first
    w, h = camera.size
    short = min(w, h)
    scale = short / 256.0
    density = camera.focal_px / layout.wall
    if layout.flat:
        rows, columns = int(1.2 * h) // 2 * 2, int(1.2 * w) // 2 * 2
        picture = GROUNDS[kind](rng, (rows, columns), scale)
        origin = ((0.5 - columns / 2) / density, (0.5 - rows / 2) / density)
        return Stage(kind, picture, origin, density, (), density, 0.0)
    rows = int(camera.axis[1] + density + 0.10 * short)
    columns = int(1.16 * w) // 2 * 2
    picture = BACKDROPS[kind](rng, (rows, columns), scale)
    origin = ((0.5 - columns / 2) / density, 1.0 - (rows - 0.5) / density)
    side = int(np.clip(2 ** int(np.ceil(np.log2(short))), 64, 512))
    tile = GROUNDS[kind](rng, (side, side), scale)
    bearing = float(rng.uniform(-0.5, 0.5))
    return Stage(kind, picture, origin, density, _pyramid(tile), camera.focal_px / NEAR, bearing)


def _ground_colours(stage: Stage, x: np.ndarray, z: np.ndarray, fine: np.ndarray) -> np.ndarray:
    """Colours of ground places; ``fine`` is the size of a pixel there, in texels."""
    c, s = np.cos(stage.bearing), np.sin(stage.bearing)
    u, v = (c * x + s * z) * stage.ground_density, (s * x - c * z) * stage.ground_density
    level = np.clip(np.log2(np.maximum(fine, 1e-6)), 0.0, len(stage.ground) - 1.001)
    low = level.astype(np.int64)
    part = (level - low)[:, None]
    colours = np.zeros((len(x), 3))
    for number, texels in enumerate(stage.ground):
        for first, share in ((low == number, 1.0 - part), (low == number - 1, part)):
            here = np.flatnonzero(first)
            if len(here):
                shrink = 2.0**number
                found = sample(texels, u[here] / shrink - 0.5, v[here] / shrink - 0.5)
                colours[here] += share[here] * found
    return colours


def view_stage(stage: Stage, layout: Layout, camera: Camera) -> Backing:
    """Look at the stage: albedo and world place of every pixel."""
    w, h = camera.size
    px, py = np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5)
    dx, dy = camera.rays(px, py)
    ox, oy, oz = camera.position
    away = np.full((h, w), layout.wall - oz)
    on_ground = np.zeros((h, w), dtype=bool)
    if stage.ground:
        reach = (1.0 - oy) / np.maximum(dy, 1e-9)
        on_ground = (dy > 1e-9) & (reach < away)
        away = np.where(on_ground, reach, away)
    x, y, z = ox + dx * away, oy + dy * away, oz + away
    wall = ~on_ground
    albedo = np.empty((h, w, 3))
    u = (x[wall] - stage.wall_origin[0]) * stage.wall_density
    v = (y[wall] - stage.wall_origin[1]) * stage.wall_density
    albedo[wall] = sample(stage.wall, u, v, wrap=False)
    if stage.ground:
        across = away[on_ground] / camera.focal_px * stage.ground_density
        along = across * away[on_ground] / (1.0 - oy)
        # A pixel covers a long, narrow piece of ground: three samples along it, each as fine as it is wide.
        colours = np.zeros((len(across), 3))
        for tap in (-1 / 3, 0.0, 1 / 3):
            sy = np.maximum(dy[on_ground] + tap / camera.focal_px, 1e-9)
            far = np.minimum((1.0 - oy) / sy, 1.3 * layout.wall)
            gx = ox + dx[on_ground] * far
            colours += _ground_colours(stage, gx, oz + far, np.maximum(across, along / 3.0)) / 3.0
        if stage.kind in FAR:
            haze = (0.30 * (1.0 - np.exp(-away[on_ground] / 14.0)))[:, None]
            colours += (to_linear(rgb("c2cbce")) - colours) * haze
        albedo[on_ground] = colours
    return Backing(albedo, x, y, z, on_ground)

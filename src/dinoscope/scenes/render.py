"""Render: one view of a layout, as linear light and as exact labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from dinoscope.scenes.backdrops import FAR
from dinoscope.scenes.camera import Camera
from dinoscope.scenes.fields import sample
from dinoscope.scenes.layout import Layout, Placement
from dinoscope.scenes.shade import closeness, contact, on_sprite, shaded, sunlight
from dinoscope.scenes.sprite import EXTENT, Sprite
from dinoscope.scenes.stage import Stage, view_stage

Field = Float[np.ndarray, "H W"]
Objects = list[tuple[Sprite, Placement]]
Away = TypeVar("Away", float, np.ndarray)

WALL, GROUND = -1, 0
"""Surface numbers of the stage; objects have theirs from 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One view before the sensor sees it.

    Attributes:
        light: linear.
        surfaces: `WALL`, `GROUND` or an object's number: what fills most of the pixel.
        parts: of the object; 0 on the stage.
        x, y, z: in the world, where the ray through the pixel's centre meets that surface's plane.
        inside: by object, how many pixels it would fill in the frame if nothing were in front.
    """

    light: Float[np.ndarray, "H W 3"]
    surfaces: Int[np.ndarray, "H W"]
    parts: Int[np.ndarray, "H W"]
    x: Field
    y: Field
    z: Field
    inside: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Cover:
    """Where an object falls in the frame: a window, its places in the plane and its coverage."""

    window: tuple[slice, slice]
    x: Field
    y: Field
    column: Field
    row: Field
    alpha: Field


def _cover(sprite: Sprite, placed: Placement, camera: Camera, margin_px: float) -> _Cover | None:
    """The object's window with a margin; None where the frame holds nothing of it."""
    w, h = camera.size
    away = placed.z - camera.position[2]
    middle = camera.project(*np.array([[placed.x], [placed.y], [placed.z]]))
    cx, cy = float(middle[0][0]), float(middle[1][0])
    reach = EXTENT * np.sqrt(2.0) * placed.half * camera.focal_px / away + margin_px
    x0, x1 = max(int(cx - reach), 0), min(int(cx + reach) + 1, w)
    y0, y1 = max(int(cy - reach), 0), min(int(cy + reach) + 1, h)
    if x0 >= x1 or y0 >= y1:
        return None
    px, py = np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5)
    dx, dy = camera.rays(px, py)
    x, y = camera.position[0] + dx * away, camera.position[1] + dy * away
    column, row = on_sprite(sprite, placed, x, y)
    n = len(sprite.distance)
    within = (column > 0) & (column < n - 1) & (row > 0) & (row < n - 1)
    distance = sample(sprite.distance, column, row, wrap=False) * placed.half * camera.focal_px / away
    alpha = np.where(within, np.clip(0.5 - distance, 0.0, 1.0), 0.0)
    seen = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    if not len(seen[0]):
        return None
    pad = int(np.ceil(margin_px)) + 1
    rows = slice(max(seen[0][0] - pad, 0), seen[0][-1] + pad + 1)
    columns = slice(max(seen[1][0] - pad, 0), seen[1][-1] + pad + 1)
    cut = (rows, columns)
    window = (
        slice(y0 + rows.start, y0 + min(rows.stop, y1 - y0)),
        slice(x0 + columns.start, x0 + min(columns.stop, x1 - x0)),
    )
    return _Cover(window, x[cut], y[cut], column[cut], row[cut], alpha[cut])


def _spread(away: Away, focus: float, largest_px: float) -> Away:
    """Standard deviation of defocus in pixels: thin lens, ``largest_px`` at infinity."""
    return largest_px * abs(focus / away - 1.0)


def _defocused(light: np.ndarray, spread: Field) -> np.ndarray:
    """Blur by a spread that varies over the image: between five evenly blurred copies."""
    steps = np.linspace(0.0, float(spread.max()), 5)
    if steps[-1] < 0.05:
        return light
    copies = [light] + [
        ndimage.gaussian_filter(light, (s, s, 0), mode="nearest", truncate=3.0) for s in steps[1:]
    ]
    place = spread / steps[1]
    blurred = np.zeros_like(light)
    for number, copy in enumerate(copies):
        blurred += np.maximum(1.0 - np.abs(place - number), 0.0)[..., None] * copy
    return blurred


def _lit_object(
    cover: _Cover, placed: Placement, sprite: Sprite, others: Objects, layout: Layout, lighting: float
) -> np.ndarray:
    """Colours of an object over its window; black outside it."""
    shape = cover.alpha.shape
    colours = np.zeros((*shape, 3))
    here = cover.alpha > 0
    column, row = cover.column[here], cover.row[here]
    stack = np.concatenate(
        [sprite.albedo, sprite.normals, sprite.cavity[..., None], sprite.gloss[..., None]], axis=-1
    )
    found = sample(stack, column, row, wrap=False)
    albedo, normals, cavity, gloss = found[:, :3], found[:, 3:6], found[:, 6], found[:, 7]
    c, s = np.cos(placed.turn), np.sin(placed.turn)
    nx = normals[:, 0] * (-1 if placed.mirrored else 1)
    ny, nz = normals[:, 1], normals[:, 2]
    nx, ny = c * nx - s * ny, s * nx + c * ny
    lx, ly, lz = layout.light.towards
    facing = np.maximum(nx * lx + ny * ly + nz * lz, 0.0)
    x, y, z = cover.x[here], cover.y[here], np.full(len(albedo), placed.z)
    if lighting > 0:
        near = [(o, p) for o, p in others if p.z < placed.z]
        reach = sunlight(x, y, z, layout.light, near)
        up = -nz if layout.flat else -ny
        sky = cavity * (0.74 + 0.26 * up)
        if layout.flat:
            sky = sky * closeness(x, y, z, near)
        else:
            # Close to the ground less of the sky is seen, and the sun's light is broken by it.
            sky = sky * (0.62 + 0.38 * np.clip((1.0 - y) / (0.7 * placed.half), 0.0, 1.0))
        length = np.sqrt(lx * lx + ly * ly + (lz - 1.0) ** 2)
        half = np.maximum((nx * lx + ny * ly + nz * (lz - 1.0)) / length, 0.0) ** 28
        lit = shaded(albedo, sky, facing * reach, layout.light, lighting)
        colours[here] = lit + (lighting * gloss * half * reach)[:, None]
    else:
        colours[here] = albedo
    return colours


def _lit_stage(
    stage: Stage, layout: Layout, camera: Camera, objects: Objects, lighting: float
) -> tuple[np.ndarray, ...]:
    backing = view_stage(stage, layout, camera)
    light = backing.albedo
    if lighting > 0:
        _, ly, lz = layout.light.towards
        shape = backing.z.shape
        x, y, z = backing.x.ravel(), backing.y.ravel(), backing.z.ravel()
        ground = backing.on_ground.ravel()
        open_air = np.zeros(len(x), dtype=bool) if layout.flat or stage.kind not in FAR else ~ground
        touched = np.flatnonzero(~open_air)
        x, y, z, ground = x[touched], y[touched], z[touched], ground[touched]
        reach = sunlight(x, y, z, layout.light, objects)
        facing = np.where(ground, -ly, -lz if layout.flat else 0.25 - 0.75 * lz)
        if layout.flat:
            sky = closeness(x, y, z, objects)
        else:
            # Where a wall meets the ground, both see less of the sky.
            corner = np.exp(-((layout.wall - z) * 3.0)) * np.exp(-(1.0 - y) * 3.0)
            sky = np.where(ground, contact(x, z, objects), 0.9)
            if stage.kind not in FAR:
                sky = sky * (1.0 - 0.35 * corner)
        flat_light = light.reshape(-1, 3).copy()
        reach = reach * np.where(ground, sky, 1.0) ** 0.5
        flat_light[touched] = shaded(flat_light[touched], sky, facing * reach, layout.light, lighting)
        light = flat_light.reshape(*shape, 3)
    return light, backing.x, backing.y, backing.z, np.where(backing.on_ground, GROUND, WALL)


def _labelled(
    covers: list[_Cover | None],
    near_first: list[int],
    objects: Objects,
    behind: tuple[Field, Field, Field],
    stage_surfaces: Int[np.ndarray, "H W"],
) -> tuple[np.ndarray, np.ndarray, Field, Field, Field]:
    """Surfaces, parts and world places (x, y, z) of what fills most of each pixel."""
    surfaces, parts = stage_surfaces.copy(), np.zeros(stage_surfaces.shape, dtype=np.int64)
    places = [field.copy() for field in behind]
    most, left = np.zeros(surfaces.shape), np.ones(surfaces.shape)
    for i in near_first:
        cover = covers[i]
        if cover is None:
            continue
        sprite, placed = objects[i]
        at = cover.window
        share = cover.alpha * left[at]
        wins = share > most[at]
        most[at] = np.where(wins, share, most[at])
        left[at] *= 1.0 - cover.alpha
        last = len(sprite.parts) - 1
        column = np.clip(np.rint(cover.column), 0, last).astype(np.int64)
        row = np.clip(np.rint(cover.row), 0, last).astype(np.int64)
        surfaces[at] = np.where(wins, i + 1, surfaces[at])
        parts[at] = np.where(wins, sprite.parts[row, column], parts[at])
        for field, values in zip(places, (cover.x, cover.y, np.full(share.shape, placed.z)), strict=True):
            field[at] = np.where(wins, values, field[at])
    bare = left >= most
    surfaces = np.where(bare, stage_surfaces, surfaces)
    x, y, z = (np.where(bare, far, near) for far, near in zip(behind, places, strict=True))
    return surfaces, np.where(bare, 0, parts), x, y, z


def render(
    stage: Stage, layout: Layout, sprites: list[Sprite], camera: Camera, *, lighting: float, blur: float
) -> Rendering:
    """Draw one view. Labels and places do not depend on ``lighting`` and ``blur``."""
    objects: Objects = list(zip(sprites, layout.placements, strict=True))
    light, x, y, z, surfaces = _lit_stage(stage, layout, camera, objects, lighting)
    oz = camera.position[2]
    largest_px = 0.02 * blur * min(camera.size)
    focus = layout.placements[0].z - oz
    light = _defocused(light, _spread(z - oz, focus, largest_px))

    margins = [3.0 * _spread(p.z - oz, focus, largest_px) for p in layout.placements]
    covers = [_cover(s, p, camera, m) for (s, p), m in zip(objects, margins, strict=True)]
    near_first = sorted(range(len(objects)), key=lambda i: layout.placements[i].z)

    labelled = _labelled(covers, near_first, objects, (x, y, z), surfaces)
    for i in reversed(near_first):
        cover = covers[i]
        if cover is None:
            continue
        sprite, placed = objects[i]
        colours = _lit_object(cover, placed, sprite, objects, layout, lighting)
        alpha = cover.alpha[..., None]
        colours = colours * alpha
        spread = margins[i] / 3.0
        if spread >= 0.2:
            colours = ndimage.gaussian_filter(colours, (spread, spread, 0), mode="nearest", truncate=3.0)
            alpha = ndimage.gaussian_filter(alpha, (spread, spread, 0), mode="nearest", truncate=3.0)
        light[cover.window] = light[cover.window] * (1.0 - alpha) + colours
    inside = tuple(0 if c is None else int((c.alpha > 0.5).sum()) for c in covers)
    return Rendering(light, *labelled, inside)

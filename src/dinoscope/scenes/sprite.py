"""Sprite: a shape in its material, on a raster of its own, ready to be placed in a scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy import ndimage

from dinoscope.scenes.fields import Field, cloudy, rgb, sample, step, to_linear
from dinoscope.scenes.materials import GLOSS, MATERIALS, plain
from dinoscope.scenes.outlines import Shape, Square, blend
from dinoscope.scenes.shapes import SHAPES

EXTENT = 1.25
"""The raster covers [-EXTENT, EXTENT]²: the shape's square and a margin."""


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """A flat object with relief.

    Attributes:
        distance: signed, to the outline, in units of the shape's square; negative inside.
        parts: 1-based; defined outside the outline too (the nearest part).
        albedo: linear light in [0, 1].
        normals: unit vectors, x right, y down, z away from the viewer.
        cavity: in [0, 1]; how much ambient light reaches the place.
        gloss: strength of the highlight.
        names: of the parts.
        lift: how high above the ground it hangs, in units of the shape's square.
    """

    distance: Field
    parts: Int[np.ndarray, "H W"]
    albedo: Float[np.ndarray, "H W 3"]
    normals: Float[np.ndarray, "H W 3"]
    cavity: Field
    gloss: Field
    names: tuple[str, ...]
    lift: float


def _outline(shape: Shape) -> tuple[Field, np.ndarray]:
    union = shape.parts[0].distance
    label = np.ones(union.shape, dtype=np.int64)
    nearest = union
    for number, part in enumerate(shape.parts[1:], 2):
        union = blend(union, part.distance, part.join * 2.0)
        label = np.where((part.distance < 0) | (part.distance < nearest), number, label)
        nearest = np.where(part.distance < 0, part.distance, np.minimum(nearest, part.distance))
    return union, label


def _paint_eyes(albedo: np.ndarray, gloss: Field, shape: Shape, x: Field, y: Field, texel: float) -> None:
    for ex, ey, radius in shape.eyes:
        for dx, dy, r, colour in (
            (0.0, 0.0, 1.25, "2a1d14"),
            (0.0, 0.0, 0.9, "0b0908"),
            (0.3, -0.35, 0.3, "f4f1ea"),
        ):
            away = np.hypot(x - ex - dx * radius, y - ey - dy * radius)
            share = step(-(away - r * radius), -0.6 * texel, 0.6 * texel)
            albedo += (rgb(colour) - albedo) * share[..., None]
            gloss += (0.3 - gloss) * share


def _painted(
    rng: np.random.Generator, shape: Shape, material: str, union: Field, label: np.ndarray, x: Field, y: Field
) -> tuple[np.ndarray, Field, Field]:
    """sRGB-encoded colours, relief and gloss; black and flat well outside the outline."""
    here = union < 0.12
    number = label[here][:, None]
    turn = np.array([part.grain for part in shape.parts])[number - 1]
    px, py = x[here][:, None], y[here][:, None]
    # Parts take their texture from different places of it, so that seams show.
    a = px * np.cos(turn) + py * np.sin(turn) + 0.37 * number
    c = py * np.cos(turn) - px * np.sin(turn)
    coat, bumps = MATERIALS[material](rng, a, c, py)
    shine = np.full(number.shape, GLOSS.get(material, 0.0))
    for place, part in enumerate(shape.parts, 1):
        own = number[:, 0] == place
        if part.finish == "pale":
            coat[own] += (1.0 - coat[own]) * 0.20
        elif part.finish == "dark":
            coat[own] *= 0.66
        elif part.finish != "coat":
            coat[own] = plain(rng, part.finish, a[own], c[own])
            shine[own] = GLOSS.get(part.finish, 0.0)
            bumps[own] *= 0.3
    albedo, relief, gloss = np.zeros((*union.shape, 3)), np.zeros(union.shape), np.zeros(union.shape)
    albedo[here], relief[here], gloss[here] = coat[:, 0], bumps[:, 0], shine[:, 0]
    return albedo, relief, gloss


def make_sprite(seeds: np.random.SeedSequence, shape_name: str, material: str, n: int) -> Sprite:
    """Draw an object on an n x n raster.

    Its form and colours follow from ``seeds`` alone; the raster only sets the detail. About
    0.3 µs for each texel and part.
    """
    form, paint = (np.random.Generator(np.random.PCG64(s)) for s in seeds.spawn(2))
    axis = ((np.arange(n) + 0.5) / n * 2.0 - 1.0) * EXTENT
    x, y = np.broadcast_to(axis[None, :], (n, n)), np.broadcast_to(axis[:, None], (n, n))
    texel = 2.0 * EXTENT / n
    places = np.broadcast_to((np.arange(n) + 0.5) / n * 64.0, (n, n))
    bend = 0.011 * sample(cloudy(form, (64, 64), 1.8), places, places.T)
    shape = SHAPES[shape_name](Square(x + bend, y - bend), form)
    union, label = _outline(shape)

    albedo, relief, gloss = _painted(paint, shape, material, union, label, x, y)
    _paint_eyes(albedo, gloss, shape, x, y, texel)

    if material == "furry":
        union = union + 0.016 * relief * step(-np.abs(union), -0.2, 0.0)
    slope = np.hypot(*np.gradient(union, texel))
    union = union / np.clip(slope, 0.5, 2.0)

    height = np.zeros((n, n))
    for number, part in enumerate(shape.parts, 1):
        here = label == number
        inside = np.clip(-np.minimum(part.distance, union), 0.0, part.round)
        dome = np.sqrt(inside * (2.0 * part.round - inside)) + 0.05 * number
        height = np.where(here, dome, height)
    smooth = ndimage.gaussian_filter(height, max(0.018 / texel, 0.6))
    cavity = np.clip(1.0 + 3.0 * (height - ndimage.gaussian_filter(height, 0.09 / texel)), 0.35, 1.0)
    bumps = smooth + 0.012 * relief
    gy, gx = np.gradient(bumps, texel)
    length = np.sqrt(gx * gx + gy * gy + 1.0)
    # The surface bulges towards the viewer: its normal has negative z, and leans outwards.
    normals = np.stack([-gx, -gy, -np.ones((n, n))], axis=-1) / length[..., None]
    return Sprite(
        union,
        label,
        to_linear(np.clip(albedo, 0.0, 1.0)),
        normals,
        ndimage.gaussian_filter(cavity, 1.0),
        gloss,
        tuple(part.name for part in shape.parts),
        shape.lift,
    )

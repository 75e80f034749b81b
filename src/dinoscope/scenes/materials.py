"""Materials: the coats, woods and stones that objects are made of, and the plain finishes of parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from dinoscope.scenes.fields import Colours, Field, blobs, cloudy, mix, ramp, rgb, sample, step

TILE = 128
PER_UNIT = 64.0
"""Texels of the noise tiles in one unit of a shape's square."""

Swatch = tuple[str, ...]

_COATS: tuple[Swatch, ...] = (
    ("3a2415", "7a4f2c", "b98a58"),
    ("5a2d12", "a5622b", "d99c5b"),
    ("2b2a2a", "57524c", "928a80"),
    ("6b5a45", "a8937a", "ddcfb8"),
    ("1d1a19", "3b3532", "6a6059"),
    ("7a5a34", "bf9a63", "e8d3a5"),
)
_SPOTS: tuple[Swatch, ...] = (
    ("b98c4e", "dcb77c", "2e1f14"),
    ("c9b9a0", "eee3cf", "4a2c1a"),
    ("a9713a", "c99457", "f1e3c6"),
    ("9a9488", "c9c3b6", "34302d"),
)
_STRIPES: tuple[Swatch, ...] = (
    ("b4692a", "d9934a", "2a1a12"),
    ("d8d0c0", "f0eadc", "26221f"),
    ("8f8574", "b9ae9a", "4a4036"),
    ("b08a52", "d6b47c", "5e3b20"),
)
_WOODS: tuple[Swatch, ...] = (
    ("4a2b18", "7d4f2d", "a9764a"),
    ("8a5f36", "b98a56", "dab585"),
    ("5c3a29", "8c5a3c", "b98562"),
    ("8d7a61", "b5a286", "d8c9ae"),
)
_STONES: tuple[Swatch, ...] = (
    ("56544f", "8d8a83", "c3c0b8"),
    ("6e5f55", "a08f80", "cfc1b2"),
    ("3b4246", "667075", "9aa4a8"),
    ("8f8472", "bdb29d", "e2dac8"),
)
_SCALES: tuple[Swatch, ...] = (
    ("24382f", "4c6f55", "9fb083"),
    ("2c3f4d", "56778a", "a9bfc4"),
    ("5a3524", "9a5b3a", "d29a68"),
    ("3d3a2a", "75704b", "b8ad7c"),
)
_PLAIN: dict[str, Swatch] = {
    "horn": ("7a5226", "b5853f", "d9ad66"),
    "skin": ("5e5242", "8f7f66", "b9a98b"),
    "black": ("12100f", "24201e", "3a3431"),
    "bone": ("b5a88f", "d8ccb4", "efe7d6"),
    "cream": ("c2b294", "e3d7bd", "f5eedf"),
    "leaf": ("2f4a1c", "567a2e", "8da650"),
    "bark": ("3a2a1c", "5d442c", "856744"),
}


def _pick(rng: np.random.Generator, swatches: tuple[Swatch, ...]) -> Swatch:
    return swatches[int(rng.integers(len(swatches)))]


def _at(tile: np.ndarray, a: Field, c: Field) -> Field:
    return sample(tile, a * PER_UNIT, c * PER_UNIT)


def _fur(rng: np.random.Generator, a: Field, c: Field) -> Field:
    """Strands along ``a``, near 0 on average, about ±1."""
    strands = blobs(rng, (TILE, TILE), 4.5, width=0.5, stretch=4.0)
    locks = blobs(rng, (TILE, TILE), 15.0, width=0.5, stretch=2.2)
    wave = 0.05 * _at(locks, a * 0.4, c * 0.4)
    return 0.5 * _at(strands, a, c + wave) + 0.45 * _at(locks, a, c)


def _furry(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    dark, base, light = _pick(rng, _COATS)
    fur = _fur(rng, a, c)
    patches = _at(cloudy(rng, (TILE, TILE), 1.6), a * 0.5, c * 0.5)
    belly = 0.16 * step(y, 0.0, 0.7)
    return ramp(0.46 + 0.20 * fur + 0.10 * patches + belly, dark, base, light), 0.6 * fur


def _spotted(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    shade, base, spot = _pick(rng, _SPOTS)
    fur = _fur(rng, a, c)
    marks = _at(blobs(rng, (TILE, TILE), rng.uniform(11.0, 17.0), width=0.16), a, c)
    ground = ramp(0.6 + 0.25 * fur, shade, base)
    inked = rgb(spot) * (1.0 + 0.18 * fur[..., None])
    return mix(ground, inked, step(marks + 0.10 * fur, 0.55, 0.95)), 0.35 * fur


def _striped(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    shade, base, stripe = _pick(rng, _STRIPES)
    fur = _fur(rng, a, c)
    warp = _at(blobs(rng, (TILE, TILE), 40.0, width=0.5), a, c)
    breaks = _at(blobs(rng, (TILE, TILE), 22.0, width=0.4), a, c)
    bands = np.sin(a * rng.uniform(17.0, 26.0) + 1.5 * warp)
    ground = ramp(0.6 + 0.25 * fur, shade, base)
    inked = rgb(stripe) * (1.0 + 0.18 * fur[..., None])
    return mix(ground, inked, step(bands + 0.12 * fur + 0.22 * breaks, 0.10, 0.45)), 0.35 * fur


def _wooden(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    dark, base, light = _pick(rng, _WOODS)
    slow = _at(blobs(rng, (TILE, TILE), 60.0, width=0.5, stretch=2.5), a, c)
    streaks = _at(blobs(rng, (TILE, TILE), 3.5, width=0.5, stretch=9.0), a, c)
    rings = np.hypot(c + 0.10 * slow + 0.2, 0.22 * a + 0.15) * rng.uniform(40.0, 60.0)
    late = (0.5 + 0.5 * np.sin(rings + 0.5 * streaks)) ** 2
    pores = step(streaks, 1.2, 2.2)
    return ramp(
        0.62 - 0.38 * late + 0.10 * streaks + 0.08 * slow - 0.3 * pores, dark, base, light
    ), 0.15 * streaks


def _stone(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    dark, base, light = _pick(rng, _STONES)
    rough = _at(cloudy(rng, (TILE, TILE), 1.15), a, c)
    grains = _at(blobs(rng, (TILE, TILE), 4.0, width=0.5), a, c)
    veins = np.abs(_at(cloudy(rng, (TILE, TILE), 1.7), a, c))
    colours = ramp(0.5 + 0.17 * rough + 0.13 * grains, dark, base, light)
    return mix(colours, rgb(light), 0.55 * (1.0 - step(veins, 0.03, 0.12))), 0.7 * rough + 0.25 * grains


def _scaly(rng: np.random.Generator, a: Field, c: Field, y: Field) -> tuple[Colours, Field]:
    dark, base, light = _pick(rng, _SCALES)
    per_unit = rng.uniform(7.5, 10.5)
    u, v = a * per_unit, c * per_unit
    row = np.floor(u)
    depth = np.full(a.shape, -1.0)
    tone = np.zeros(a.shape)
    for back in (1.0, 0.0):
        line = row - back
        across = v + 0.5 * (line % 2)
        column = np.floor(across)
        reach = np.hypot((across - column - 0.5) * 1.15, (u - line) * 0.62)
        here = reach < 0.62
        hashed = np.sin(line * 12.9898 + column * 78.233) * 43.758
        tone = np.where(here, hashed - np.floor(hashed), tone)
        depth = np.where(here, 1.0 - reach / 0.62, depth)
    slow = _at(cloudy(rng, (TILE, TILE), 1.6), a * 0.6, c * 0.6)
    edge = step(depth, 0.0, 0.28)
    value = 0.18 + 0.36 * edge + 0.22 * (tone - 0.5) + 0.13 * slow + 0.18 * step(y, 0.1, 0.6)
    return ramp(value, dark, base, light), 1.1 * np.sqrt(np.maximum(depth, 0.0))


Maker = Callable[[np.random.Generator, Field, Field, Field], tuple[Colours, Field]]

MATERIALS: dict[str, Maker] = {
    "furry": _furry,
    "spotted": _spotted,
    "striped": _striped,
    "wooden": _wooden,
    "stone": _stone,
    "scaly": _scaly,
}
"""Makers by name: (generator, place along the grain, place across it, height in the shape) to
sRGB-encoded colours and a relief of about ±1."""

GLOSS: dict[str, float] = {
    "scaly": 0.35,
    "wooden": 0.12,
    "stone": 0.05,
    "black": 0.5,
    "leaf": 0.12,
    "horn": 0.25,
}
"""Strength of the highlight; 0 where not named."""


def plain(rng: np.random.Generator, finish: str, a: Field, c: Field) -> Float[np.ndarray, "H W 3"]:
    """A quiet finish for a secondary part: horn, skin, bone and the like, sRGB-encoded."""
    dark, base, light = _PLAIN[finish]
    rough = _at(cloudy(rng, (TILE, TILE), 1.2, stretch=3.0), a, c)
    return ramp(0.5 + 0.16 * rough, dark, base, light)

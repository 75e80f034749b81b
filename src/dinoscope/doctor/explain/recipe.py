"""A recipe in words, and back: ``MODEL?key=value&key=value``.

::

    grid=32 | 24x32        patches on the short side, or rows x columns
    layer=11               absolute, 0-based
    norm=true | false      the final normalisation
    dtype=float32 | bfloat16 | float16
    attention=sdpa | eager
    positions=official | ... of the family, see `backbones.alternatives`
    stats=published | imagenet | half | none | clip | sat | scalar     or one by one:
    mean=0.5,0.5,0.5  std=0.5        three numbers or one, on colours in [0, 1]
    scale=unit | 255 | twice         colours in [0, 1]; left in 0..255; divided by 255 twice
    channels=rgb | bgr
    resize=bilinear | bicubic | official | ... see `explain_pixels`
    crop=whole | center | center-256 | squash
    orientation=upright | stored     with, or without, the EXIF orientation
    skip=1                           tokens left out before the patches
    layout=rows | transposed | swapped | columns

What is not said is as dinoscope does it. A file of that whole name wins over the question mark.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from dinoscope.backbones.alternatives import ATTENTION, POSITIONS
from dinoscope.backbones.catalog import SATELLITE_MEAN, SATELLITE_STD
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.doctor.diagnosis import Recipe, Triple
from dinoscope.doctor.explain.pixels import CROPS, FILTERS, SCALES
from dinoscope.errors import InputError
from dinoscope.names import at_home

STATS: Mapping[str, tuple[Triple, Triple]] = {
    "imagenet": (IMAGENET_MEAN, IMAGENET_STD),
    "half": ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "sat": (SATELLITE_MEAN, SATELLITE_STD),
    "scalar": ((0.5, 0.5, 0.5), (0.2, 0.2, 0.2)),
}
"""Normalisations that inputs are often given by mistake. ``clip``: openai/CLIP clip/clip.py (_transform)."""

LAYOUTS = ("rows", "transposed", "swapped", "columns")
"""``transposed``: rows and columns of the map exchanged; ``swapped``: the sequence cut into w rows of h;
``columns``: the sequence written column after column, and cut into h rows of w all the same."""


def split_recipe(words: str) -> tuple[str, dict[str, str]]:
    """What stands before the question mark, and the settings behind it.

    >>> split_recipe("dinov2-base?layer=8&norm=false")
    ('dinov2-base', {'layer': '8', 'norm': 'false'})

    Raises:
        InputError: a setting that is no ``key=value``, or is said twice.
    """
    before, mark, after = words.rpartition("?")
    if not mark or at_home(words).exists():
        return words, {}
    settings: dict[str, str] = {}
    for part in after.split("&"):
        key, equals, value = part.partition("=")
        if not equals or not key or not value or key in settings:
            raise InputError(
                f"{words!r}: settings are key=value, joined by & and each said once, such as "
                "'dinov2-base?layer=8&norm=false'"
            )
        settings[key] = value
    return before, settings


def read_recipe(words: str, *, grid: int | tuple[int, int] = 32) -> Recipe:
    """A model and its settings; the model itself is not looked at.

    >>> read_recipe("dinov2-base?crop=center&layer=8").layer
    8

    Args:
        words: see the module.
        grid: where the words say none.

    Raises:
        InputError: no model, an unknown key or an impossible value.
    """
    model, settings = split_recipe(words)
    if not model:
        raise InputError(f"{words!r} names no model: write MODEL?key=value")
    recipe = Recipe(model, grid=grid)
    for key, value in settings.items():
        if key == "stats":
            if value not in {*STATS, "published"}:
                raise InputError(f"stats={value}: there are published, {', '.join(STATS)}")
            mean, std = STATS.get(value, (None, None))
            recipe = replace(recipe, mean=mean, std=std)
        elif key in _READERS:
            recipe = replace(recipe, **{key: _READERS[key](key, value)})
        else:
            raise InputError(f"no setting {key!r}; there are {', '.join([*_READERS, 'stats'])}")
    return recipe


def changed_fields(old: Recipe, new: Recipe) -> dict[str, Any]:
    """The fields of NEW that differ from OLD's, without the model."""
    return {
        field.name: getattr(new, field.name)
        for field in fields(Recipe)
        if field.name != "model" and getattr(new, field.name) != getattr(old, field.name)
    }


def spell(changes: Mapping[str, Any]) -> str:
    """Changes in the words of a recipe.

    >>> spell({"layer": 8, "norm": False})
    'layer=8&norm=false'
    """
    rest = dict(changes)
    words = []
    if "mean" in rest and "std" in rest:
        both = (rest["mean"], rest["std"])
        named = [name for name, stats in STATS.items() if stats == both]
        if named or both == (None, None):
            words.append(f"stats={named[0] if named else 'published'}")
            rest = {key: value for key, value in rest.items() if key not in ("mean", "std")}
    words += [f"{key}={_value(key, value)}" for key, value in rest.items()]
    return "&".join(words)


def _value(key: str, value: Any) -> str:
    if value is None:
        return "last" if key == "layer" else "published" if key in ("mean", "std") else "all"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ("x" if key == "grid" else ",").join(f"{part:g}" for part in value)
    return str(value)


def read_grid(key: str, value: str) -> int | tuple[int, int]:
    """``N`` or ``HxW``, each at least 1.

    Raises:
        InputError: neither.
    """
    parts = value.lower().split("x")
    if not all(part.isdigit() and int(part) > 0 for part in parts) or len(parts) > 2:
        raise InputError(f"{key}={value}: write {key}=32, or {key}=24x32 for rows x columns")
    return int(parts[0]) if len(parts) == 1 else (int(parts[0]), int(parts[1]))


def _whole(key: str, value: str) -> int:
    if not value.isdigit():
        raise InputError(f"{key}={value}: a whole number from 0 on is needed")
    return int(value)


def _switch(key: str, value: str) -> bool:
    if value not in ("true", "false"):
        raise InputError(f"{key}={value}: write true or false")
    return value == "true"


def _triple(key: str, value: str) -> Triple:
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or (key == "std" and min(numbers) <= 0):
        raise InputError(f"{key}={value}: three numbers, or one, on colours in [0, 1]; std above 0")
    return numbers[0], numbers[1], numbers[2]


def _one_of(*values: str) -> Callable[[str, str], str]:
    def read(key: str, value: str) -> str:
        if value not in values:
            raise InputError(f"{key}={value}: there are {', '.join(values)}")
        return value

    return read


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "grid": read_grid,
    "layer": _whole,
    "norm": _switch,
    "dtype": _one_of("float32", "bfloat16", "float16", "float64"),
    "attention": _one_of(*ATTENTION),
    "positions": _one_of("official", *(way for ways in POSITIONS.values() for way in ways)),
    "mean": _triple,
    "std": _triple,
    "scale": _one_of(*SCALES),
    "channels": _one_of("rgb", "bgr"),
    "resize": _one_of(*FILTERS),
    "crop": _one_of(*CROPS),
    "orientation": _one_of("upright", "stored"),
    "skip": _whole,
    "layout": _one_of(*LAYOUTS),
}

"""Classes and labels: which subject on which background. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dinoscope.errors import InputError
from dinoscope.scenes.grounds import GROUNDS
from dinoscope.scenes.materials import MATERIALS
from dinoscope.scenes.scene import SceneLabel, SceneSettings
from dinoscope.scenes.shapes import SHAPES

BACKGROUNDS: tuple[str, ...] = tuple(GROUNDS)
"""Kinds of background."""


def class_parts(class_id: int) -> tuple[str, str]:
    """(material, shape) of a class, from 1.

    All shapes before one comes again, in another material: every prefix of the classes mixes both
    as evenly as it can.
    """
    shapes, materials = tuple(SHAPES), tuple(MATERIALS)
    turn, shape = divmod(class_id - 1, len(shapes))
    return materials[(turn + shape) % len(materials)], shapes[shape]


def class_names(n_classes: int = 48) -> tuple[str, ...]:
    """Names of the first classes: name k has the value k + 1 in a class mask."""
    if not 1 <= n_classes <= len(SHAPES) * len(MATERIALS):
        raise InputError(
            f"n_classes {n_classes}: give a whole number from 1 to {len(SHAPES) * len(MATERIALS)}"
        )
    return tuple("-".join(class_parts(k)) for k in range(1, n_classes + 1))


def home_of(class_id: int) -> str:
    """The background that a class determines at a background correlation of 1."""
    turn, shape = divmod(class_id - 1, len(SHAPES))
    return BACKGROUNDS[(shape + 3 * turn) % len(BACKGROUNDS)]


def stream(seed: int, index: int, purpose: int) -> np.random.SeedSequence:
    """The random numbers of one scene for one purpose; no two of them share any."""
    if seed < 0 or index < 0:
        raise InputError(f"seed {seed}, index {index}: give whole numbers from 0 up")
    return np.random.SeedSequence(entropy=seed, spawn_key=(index, purpose))


def scene_label(seed: int, settings: SceneSettings, *, index: int = 0) -> SceneLabel:
    """What scene ``index`` of a seed is of, without drawing it.

    With correlation c and eight backgrounds, P(background | class) is c + (1 - c) / 8 for the
    class's own background and (1 - c) / 8 for every other.
    """
    rng = np.random.Generator(np.random.PCG64(stream(seed, index, 0)))
    class_id = int(rng.integers(1, settings.n_classes + 1))
    free = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
    tied = rng.random() < settings.background_correlation
    return SceneLabel(class_id, "-".join(class_parts(class_id)), home_of(class_id) if tied else free)


def scene_labels(n: int, seed: int, settings: SceneSettings) -> Iterator[SceneLabel]:
    """Labels of the first n scenes of a seed, without drawing them."""
    return (scene_label(seed, settings, index=index) for index in range(n))

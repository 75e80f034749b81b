"""The scenes that snapshots are measured on: drawn once, never trained on."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from dinoscope.anchoring.checks import require, require_least
from dinoscope.atomic import write_whole

HELD_OUT_SEED = 20_260_010
"""Seed of the scenes snapshots are measured on; training scenes must have another."""

_ARRAYS = ("pixels", "regions", "classes", "labels")


@dataclass(frozen=True, slots=True)
class Probes:
    """How snapshots are measured: the same for every snapshot of a run.

    Attributes:
        seed: of the scenes.
        n: scenes; the class token's class is read off all the others.
        n_dense: the first so many have their patches measured; of these the first half teaches the patch
            neighbours and the second half is scored.
        size_px: side of a scene.
        grid: patches on a side.
        n_classes: of subjects; patches have one more, the background.
        image_neighbours, patch_neighbours: that vote.
        most_patches: so many patches of the teaching half are kept, drawn at random.
    """

    seed: int = HELD_OUT_SEED
    n: int = 256
    n_dense: int = 96
    size_px: int = 128
    grid: int = 16
    n_classes: int = 8
    image_neighbours: int = 10
    patch_neighbours: int = 20
    most_patches: int = 8192

    def __post_init__(self) -> None:
        require_least(self, 4, "n_dense")
        require(self.n >= self.n_dense, f"n ({self.n}) must be at least n_dense ({self.n_dense})")
        require(self.grid >= 4, f"grid must be at least 4 (distant pairs are compared), got {self.grid}")


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Scenes and what is known about them.

    Attributes:
        probes: how they were drawn.
        pixels: the photographs.
        regions, classes: label images, 0 the background.
        labels: class of each scene's main subject.
    """

    probes: Probes
    pixels: UInt8[np.ndarray, "n H W 3"]
    regions: Int32[np.ndarray, "n H W"]
    classes: Int32[np.ndarray, "n H W"]
    labels: Int64[np.ndarray, " n"]


def held_out(
    probes: Probes, cache: Path | None = None, *, on_scene: Callable[[int], None] | None = None
) -> HeldOut:
    """Draw the scenes, or read them from ``cache`` where that holds the very same.

    Args:
        probes: which.
        cache: a .npz file, written after drawing; anything else in it is replaced.
        on_scene: called with the number of scenes drawn.

    Cost: about 0.1 s a scene of 128 px on one core.
    """
    if cache is not None and (found := _read(cache, probes)) is not None:
        return found
    from dinoscope.scenes.generate import scenes

    drawn = []
    size = (probes.size_px, probes.size_px)
    for scene in scenes(probes.n, probes.seed, size=size, n_classes=probes.n_classes):
        drawn.append((scene.first.image, scene.first.instances, scene.first.classes, scene.label.class_id))
        if on_scene is not None:
            on_scene(len(drawn))
    images, regions, classes, labels = zip(*drawn, strict=True)
    made = HeldOut(
        probes,
        np.stack(images),
        np.stack(regions).astype(np.int32),
        np.stack(classes).astype(np.int32),
        np.array(labels, dtype=np.int64),
    )
    if cache is not None:
        arrays = {name: getattr(made, name) for name in _ARRAYS}
        arrays["probes"] = np.array(json.dumps(asdict(probes)))
        write_whole(cache, lambda file: np.savez_compressed(file, **arrays))
    return made


def _read(cache: Path, probes: Probes) -> HeldOut | None:
    if not cache.is_file():
        return None
    try:
        with np.load(cache, allow_pickle=False) as stored:
            if json.loads(str(stored["probes"])) != asdict(probes):
                return None
            return HeldOut(probes, *(stored[name] for name in _ARRAYS))
    except (OSError, ValueError, KeyError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error):
        return None  # drawn again: the same scenes

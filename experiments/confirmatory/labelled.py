"""The photographs that the confirmatory experiment is scored on, with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from dinoscope.data.features import PatchFeatures
from dinoscope.io.images import read_photograph
from dinoscope.io.masks import read_labels
from dinoscope.maths.masks import PatchLabels, patch_labels
from dinoscope.scenes.generate import scenes
from experiments import bars

PEOPLE = ("masks-1", "masks-2", "masks-3", "masks-4")
SCENES, SCENES_SEED = 200, 1

Labels = Int[np.ndarray, "H W"]
Pixels = UInt8[np.ndarray, "H W 3"]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Photographs, and one or more label images of each.

    Attributes:
        photographs: files, or their pixels.
        annotations: of each photograph, one a person.
    """

    photographs: Sequence[Path | Pixels]
    annotations: Sequence[Sequence[Labels]]
    _labels: dict[tuple[int, tuple[int, int]], list[PatchLabels]] = field(default_factory=dict)

    def labels(self, place: int, like: PatchFeatures) -> list[PatchLabels]:
        """Every person's labels of a photograph, on a map's grid."""
        key = (place, like.grid.shape)
        if key not in self._labels:
            self._labels[key] = [patch_labels(labels, like.grid) for labels in self.annotations[place]]
        return self._labels[key]


def segmented(real: Path, *, development: bool) -> Labelled:
    """BSDS: what four people drew; the first photographs by name, or those that the rules speak of."""
    every = sorted((real / "bsds" / "images").glob("*.jpg"), key=lambda path: path.name)
    paths = every[: bars.DEVELOPMENT] if development else every[bars.DEVELOPMENT :]
    return Labelled(paths, [[_labels(path, real / "bsds" / person) for person in PEOPLE] for path in paths])


def streets(real: Path) -> Labelled:
    """CamVid: classes."""
    paths = sorted((real / "camvid" / "images").iterdir(), key=lambda path: path.name)
    return Labelled(paths, [[_labels(path, real / "camvid" / "masks")] for path in paths])


def planted() -> Labelled:
    """Procedural scenes: which object each pixel belongs to, the background 0."""
    views = [scene.first for scene in scenes(SCENES, SCENES_SEED)]
    return Labelled([view.image for view in views], [[view.instances] for view in views])


def _labels(path: Path, folder: Path) -> Labels:
    return read_labels(folder / f"{path.stem}.png", read_photograph(path).size)

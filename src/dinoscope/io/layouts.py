"""Masks as public data sets lay them out: where a photograph's labels are, and what their numbers mean."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int64

from dinoscope.data.annotation import CLASSES, INSTANCES, Annotation, MaskKind
from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.label_images import check_labels, read_values
from dinoscope.io.masks import SAMPLED, kind_of_labels
from dinoscope.names import path_named, readable

UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class Layout:
    """One data set's.

    Attributes:
        images, labels: folders below its root; of the labels the first that is there. Below them both have
            the same folders.
        image_end, label_end: how the names of a photograph and of its labels end.
        kind: of `dinoscope.data.annotation.KINDS`.
        unknown: labels that stand for no class.
        background: whether 0 is the background.
    """

    images: str
    labels: tuple[str, ...]
    image_end: str
    label_end: str
    kind: str = CLASSES
    unknown: frozenset[int] = frozenset({255})
    background: bool = False


_CITYSCAPES_IGNORED = frozenset({0, 1, 2, 3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 29, 30, 255})

LAYOUTS: Mapping[str, Layout] = {
    "voc": Layout("JPEGImages", ("SegmentationClass",), ".jpg", ".png", background=True),
    "ade20k": Layout("images", ("annotations",), ".jpg", ".png", unknown=frozenset({0})),
    "cityscapes": Layout(
        "leftImg8bit",
        ("gtFine", "gtCoarse"),
        "_leftImg8bit.png",
        "_{folder}_labelIds.png",
        unknown=_CITYSCAPES_IGNORED,
    ),
    "coco-stuff": Layout("images", ("annotations", "stuffthingmaps"), ".jpg", ".png"),
    "davis": Layout(
        "JPEGImages", ("Annotations",), ".jpg", ".png", INSTANCES, unknown=frozenset(), background=True
    ),
}
"""By name. Sources: the development kit of PASCAL VOC 2012; ADEChallengeData2016 (SceneParse150: 0 is no
class); mcordts/cityscapesScripts cityscapesscripts/helpers/labels.py (`ignoreInEval`); nightrome/cocostuff
README (255 is unlabelled, 0 a person); the README of DAVIS 2017 (objects; DAVIS 2016 has 0 and 255 alone).
"""


@dataclass(frozen=True, slots=True)
class LayoutMasks:
    """The masks of a data set on disk.

    Attributes:
        path: its root.
        layout: its name, of `LAYOUTS`.
        labels: the folder of its label images.
        kind: of them.
    """

    path: Path
    layout: str
    labels: Path
    kind: MaskKind

    @property
    def name(self) -> str:
        """The root's own name, and the layout's."""
        return f"{readable(self.path.resolve().name)} ({self.layout})"

    @property
    def digest(self) -> str:
        """Digest of the places and sizes of all label images."""
        seen = hashlib.sha256(self.layout.encode())
        for place, file in self._files():
            seen.update(f"{place} {file.stat().st_size}\n".encode("utf-8", "surrogateescape"))
        return seen.hexdigest()

    def has(self, photograph: Photograph) -> bool:
        """Whether there is a label image of it."""
        place = self._place(photograph)
        return place is not None and os.path.isfile(place)

    def read(self, photograph: Photograph) -> Annotation:
        """The labels of one photograph.

        Raises:
            ImageError: the photograph lies elsewhere, or it has no labels that fit.
        """
        layout, place = LAYOUTS[self.layout], self._place(photograph)
        if place is None:
            raise ImageError(
                photograph.name,
                f"no photograph of the layout {self.layout}: it lies below no folder {layout.images!r}, or "
                f"does not end in {layout.image_end!r}",
            )
        if not os.path.isfile(place):
            raise ImageError(photograph.name, f"no labels {readable(place.name)!r} in {self.labels.name!r}")
        labels = self._known(read_values(place), photograph, readable(place.name))
        return Annotation(labels, labels if self.kind.has_classes else None, self.kind)

    def _known(self, values: np.ndarray, photograph: Photograph, name: str) -> Int64[np.ndarray, "H W"]:
        # As wider numbers, so that what 8 bits mean elsewhere is not read into them.
        wide = values if self.kind.binary else values.astype(np.int64)
        if not self.kind.binary:
            wide = np.where(np.isin(wide, sorted(LAYOUTS[self.layout].unknown)), UNKNOWN, wide)
        return check_labels(wide, photograph.size, name, binary=self.kind.binary)

    def _place(self, photograph: Photograph) -> Path | None:
        layout = LAYOUTS[self.layout]
        source = PurePosixPath(Path(path_named(photograph.source or photograph.name)).as_posix())
        if layout.images not in source.parts or not source.name.endswith(layout.image_end):
            return None
        after = len(source.parts) - source.parts[::-1].index(layout.images)
        below = Path(*source.parts[after:])
        end = layout.label_end.format(folder=self.labels.name)
        return self.labels / below.with_name(below.name.removesuffix(layout.image_end) + end)

    def _files(self) -> list[tuple[str, Path]]:
        end = LAYOUTS[self.layout].label_end.format(folder=self.labels.name)
        found = [path for path in self.labels.rglob(f"*{end}") if path.is_file()]
        return sorted((path.relative_to(self.labels).as_posix(), path) for path in found)


def find_layout(root: str | Path, name: str) -> LayoutMasks:
    """The masks of a data set as it was unpacked.

    Args:
        root: the folder that holds its folders of photographs and labels.
        name: ``voc``, ``ade20k``, ``cityscapes``, ``coco-stuff`` or ``davis``.

    Raises:
        InputError: no such layout, or no label images where it has them.
    """
    if name not in LAYOUTS:
        raise InputError(f"no layout {name!r}; there are {', '.join(LAYOUTS)}")
    layout, path = LAYOUTS[name], Path(root)
    there = [path / folder for folder in layout.labels if (path / folder).is_dir()]
    if not there:
        raise InputError(
            f"{readable(path)!r} is not laid out as {name}: it has no folder {' or '.join(layout.labels)}"
        )
    kind = MaskKind(layout.kind, f"the layout of {name}", zero=layout.background)
    masks = LayoutMasks(path, name, there[0], kind)
    files = [file for _, file in masks._files()]
    if not files:
        raise InputError(f"{readable(there[0])!r} holds no label images of the layout {name}")
    if layout.kind != INSTANCES:
        return masks
    shown = [files[i] for i in np.linspace(0, len(files) - 1, min(SAMPLED, len(files))).round().astype(int)]
    judged = kind_of_labels([read_values(file) for file in shown], INSTANCES)
    binary = MaskKind(INSTANCES, kind.reason, binary=judged.binary, zero=True)
    return LayoutMasks(path, name, there[0], binary)

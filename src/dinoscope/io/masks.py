"""Masks: label images in a folder beside the photographs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from PIL import Image

from dinoscope.data.annotation import Annotation, SecondView
from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.images import read_photograph
from dinoscope.names import path_named, readable

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npy")
VOID = 255
"""In 8-bit label images: unknown. Source: The PASCAL Visual Object Classes Challenge 2012, devkit."""

ASPECT_TOLERANCE = 0.02
"""A mask may have another resolution than its photograph, but not another shape."""


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """Where masks lie.

    Attributes:
        path: as named.
        regions, classes: folders of label images; the same where only one kind is there.
        views: folder with ``second/images`` and ``flow``; None without second views.
    """

    path: Path
    regions: Path
    classes: Path
    views: Path | None


def find_masks(folder: str | Path) -> MaskFolder:
    """The masks in a folder.

    ``FOLDER/NAME.png`` for a photograph ``NAME.*``; or apart, ``FOLDER/instance/NAME.png`` for what
    belongs together and ``FOLDER/class/NAME.png`` for what is the same kind; or a folder of scenes.

    Raises:
        InputError: no such folder, or one without label images.
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError(f"masks {str(folder)!r}: no such folder")
    root = path / "masks" if (path / "masks").is_dir() else path
    kinds = {kind: root / kind for kind in ("instance", "class") if (root / kind).is_dir()}
    regions = kinds.get("instance", kinds.get("class", root))
    classes = kinds.get("class", regions)
    if not any(p.suffix.lower() in SUFFIXES for p in regions.iterdir()):
        raise InputError(
            f"masks {str(folder)!r}: no label images ({', '.join(SUFFIXES)}) there or in instance/, class/"
        )
    views = root.parent if (root.parent / "flow").is_dir() and (root.parent / "second").is_dir() else None
    return MaskFolder(path, regions, classes, views)


def read_annotation(masks: MaskFolder, photograph: Photograph, *, second_view: bool = False) -> Annotation:
    """The label images of one photograph, found by its name.

    Args:
        masks: as `find_masks` returns it.
        photograph: its name without the suffix is the masks' name.
        second_view: read the second view, too, where there is one.

    Raises:
        ImageError: no mask, no label image, or one of another shape than the photograph.
    """
    stem = Path(photograph.name).stem
    regions = read_labels(_labels_path(masks.regions, stem, photograph), photograph.size)
    classes = (
        regions
        if masks.classes == masks.regions
        else read_labels(_labels_path(masks.classes, stem, photograph), photograph.size)
    )
    second = _second(masks.views, stem) if second_view and masks.views is not None else None
    return Annotation(regions, classes, second)


def read_labels(path: str | Path, size: tuple[int, int]) -> Int64[np.ndarray, "H W"]:
    """A label image: one channel of whole numbers, palettes included; 255 in 8 bits is unknown (-1).

    Args:
        path: of an image file or of a ``.npy`` array.
        size: ``(W, H)`` of the photograph, whose aspect ratio the labels must have.

    Raises:
        ImageError: not a label image, or another shape.
    """
    path, name = Path(path), readable(Path(path).name)
    try:
        if path.suffix.lower() == ".npy":
            values = np.load(path, allow_pickle=False)
        else:
            with Image.open(path) as image:
                if image.mode not in ("1", "L", "P", "I", "I;16"):
                    raise ImageError(
                        name, f"a label image has one channel of whole numbers, this one is {image.mode}"
                    )
                values = np.asarray(image)
    except ImageError:
        raise
    except Exception as error:  # every decoder has errors of its own; all mean the same here
        raise ImageError(name, f"the mask cannot be read: {error}") from error
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "biu":
        raise ImageError(name, f"a mask is an array H W of whole numbers, got {values.dtype} {values.shape}")
    return check_labels(values, size, name)


def check_labels(values: np.ndarray, size: tuple[int, int], name: str) -> Int64[np.ndarray, "H W"]:
    """Labels as int64 with -1 for unknown, of the photograph's shape.

    Raises:
        ImageError: another aspect ratio than the photograph's, or labels below -1.
    """
    height, width = values.shape
    if abs((width / height) / (size[0] / size[1]) - 1) > ASPECT_TOLERANCE:
        raise ImageError(
            name,
            f"the mask is {width}x{height} px, the photograph {size[0]}x{size[1]}: another shape, so it "
            "cannot be of the whole photograph",
        )
    labels = values.astype(np.int64)
    if values.dtype == np.uint8:
        labels[labels == VOID] = -1
    if labels.min() < -1:
        raise ImageError(name, f"labels start at -1 (unknown), got {labels.min()}")
    return labels


def _labels_path(folder: Path, stem: str, photograph: Photograph) -> Path:
    for suffix in SUFFIXES:
        path = folder / path_named(f"{stem}{suffix}")
        if os.path.isfile(path):
            return path
    raise ImageError(photograph.name, f"no mask {stem}.png in {str(folder)!r}")


def _second(views: Path, stem: str) -> SecondView | None:
    image = views / "second" / "images" / path_named(f"{stem}.png")
    flow = views / "flow" / path_named(f"{stem}.npz")
    if not os.path.isfile(image) or not os.path.isfile(flow):
        return None
    try:
        with np.load(flow, allow_pickle=False) as arrays:
            moved, valid = arrays["flow"], arrays["valid"]
    except Exception as error:  # likewise
        raise ImageError(readable(flow.name), f"the flow cannot be read: {error}") from error
    return SecondView(read_photograph(image), moved, valid)

"""A label image: one channel of whole numbers, as large as the photograph or of its shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int64
from PIL import UnidentifiedImageError

from dinoscope.errors import ImageError, shortened
from dinoscope.io.arrays import read_npy
from dinoscope.io.decoding import decoding
from dinoscope.io.kinds import unread_kind
from dinoscope.io.limits import DECODED_BYTES, file_size, in_units
from dinoscope.io.png import load_whole
from dinoscope.io.upright import orientation_of, upright
from dinoscope.names import readable

SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npy")
VOID = 255
"""In 8-bit label images: unknown. Source: The PASCAL Visual Object Classes Challenge 2012, devkit."""

ENDS, GREYS, NOISE, LONELY = (16, 240), 32, 3, 0.5
"""A mask of 0 and 255 that was resized smoothly or once was a JPEG file: at least so many different greys lie
between the ends, or so many at either end, and not more than half of the pixels between are like the next one
of their row. Labels are areas."""

LABEL_BYTES = 8
"""Bytes of one label in memory."""

ASPECT_TOLERANCE = 0.02
"""A mask may have another resolution than its photograph, but not another shape."""


def read_labels(path: str | Path, size: tuple[int, int], *, binary: bool = False) -> Int64[np.ndarray, "H W"]:
    """A label image: one channel of whole numbers, palettes included; 255 in 8 bits is unknown (-1).

    Args:
        path: of an image file or of a ``.npy`` array.
        size: ``(W, H)`` of the photograph, whose aspect ratio the labels must have.
        binary: as for `check_labels`.

    Raises:
        ImageError: not a label image, or another shape.
    """
    return check_labels(read_values(path), size, readable(Path(path).name), binary=binary)


def read_values(path: str | Path) -> np.ndarray:
    """What a label image holds; turned where its EXIF says so, as photographs are.

    As it is, but for the grey edges of a mask of 0 and 255 (`without_grey_edges`).
    """
    path, name = Path(path), readable(Path(path).name)
    try:
        if path.suffix.lower() == ".npy":
            values = read_npy(path)
        else:
            file_size(path, DECODED_BYTES)
            data = path.read_bytes()
            with decoding(data, name) as (image, _):
                if image.mode not in ("1", "L", "P", "I", "I;16"):
                    raise ImageError(
                        name,
                        f"a label image has one channel of whole numbers, this one is {image.mode}: save it "
                        "in grey or with a palette, a number for each label",
                    )
                _check_room(*image.size, name)
                load_whole(image, data, name)
                values = upright(np.asarray(image), orientation_of(image, data))
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(name, f"the mask cannot be read: {unread_kind(data)}") from error
    except OSError as error:
        raise ImageError(name, f"the mask cannot be read: {error.strerror or error}") from error
    except Exception as error:  # every decoder has errors of its own; all mean the same here
        raise ImageError(name, f"the mask cannot be read: {shortened(error)}") from error
    if values.ndim != 2 or 0 in values.shape or values.dtype.kind not in "biu":
        raise ImageError(name, f"a mask is an array H W of whole numbers, got {values.dtype} {values.shape}")
    _check_room(values.shape[1], values.shape[0], name)
    return without_grey_edges(np.asarray(values))


def without_grey_edges(values: np.ndarray) -> np.ndarray:
    """A mask of 0 and 255 whose edges became grey as 0 and 255 alone, cut at half; anything else as it is."""
    if values.dtype != np.uint8:
        return values
    low, high = ENDS
    between = (values >= low) & (values < high)
    ends = np.count_nonzero(values < low), np.count_nonzero(values >= high)
    if min(ends) == 0 or sum(ends) < values.size / 2:
        return values
    is_noisy = all(len(np.unique(values[end])) >= NOISE for end in (values < low, values >= high))
    if len(np.unique(values[between])) < GREYS and not is_noisy:
        return values
    inner = between[:, :-1]
    alike = np.count_nonzero(inner & (values[:, :-1] == values[:, 1:]))
    if alike > LONELY * np.count_nonzero(inner):
        return values
    return np.where(values >= 128, np.uint8(VOID), np.uint8(0))


def _check_room(width: int, height: int, name: str) -> None:
    needed = width * height * LABEL_BYTES
    if needed > DECODED_BYTES:
        raise ImageError(
            name,
            f"a mask of {width}x{height} labels takes {in_units(needed)}, more than the "
            f"{in_units(DECODED_BYTES)} allowed: make it smaller; it need not be as large as the photograph",
        )


def check_labels(
    values: np.ndarray, size: tuple[int, int], name: str, *, binary: bool = False
) -> Int64[np.ndarray, "H W"]:
    """Labels as int64 with -1 for unknown, of the photograph's shape.

    Args:
        values: as read.
        size: ``(W, H)`` of the photograph.
        name: of the mask, for messages.
        binary: 255 in 8 bits is the object, 1; anything but 0 and 255 is refused.

    Raises:
        ImageError: another aspect ratio than the photograph's, labels below -1, or of another kind.
    """
    height, width = values.shape
    if abs((width / height) / (size[0] / size[1]) - 1) > ASPECT_TOLERANCE:
        raise ImageError(
            name,
            f"the mask is {width}x{height} px, the photograph {size[0]}x{size[1]}: another shape, so it "
            "cannot be of the whole photograph",
        )
    if values.max() > np.iinfo(np.int64).max:
        raise ImageError(name, f"labels are whole numbers of 64 bits with a sign, got {values.max()}")
    labels = values.astype(np.int64)
    if binary:
        if not np.isin(values, (0, VOID)).all():
            raise ImageError(name, "labels besides 0 and 255, the only ones in other masks beside it")
        return labels // VOID
    if values.dtype == np.uint8:
        labels[labels == VOID] = -1
    if labels.min() < -1:
        raise ImageError(name, f"labels start at -1 (unknown), got {labels.min()}")
    return labels

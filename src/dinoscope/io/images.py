"""Reading photographs: any common file in, upright 8-bit RGB out, or a clear refusal.

Colours are taken as stored: an embedded ICC profile is left alone, and said so in the notes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from dinoscope.data.photograph import Photograph
from dinoscope.data.shot import Shot
from dinoscope.errors import DinoscopeError, ImageError, ShapeError
from dinoscope.io.decoding import decoding
from dinoscope.io.endings import zeros_told
from dinoscope.io.jpeg import JPEGS, jpeg_pixels, largest_reduction, load_reduced
from dinoscope.io.kinds import unread_kind
from dinoscope.io.limits import DECODED_BYTES, LONGEST_TO_SHORTEST, file_size
from dinoscope.io.metadata import orientation_in, without_metadata
from dinoscope.io.pixel_range import ASKED, current_range
from dinoscope.io.pixels import deep_colours, pages_told, rgb_pixels
from dinoscope.io.png import load_whole
from dinoscope.io.shot import shot_of
from dinoscope.io.tiff import read_tiff
from dinoscope.io.upright import is_across, is_turned, orientation_of, upright
from dinoscope.names import readable

PREVIEW_PX = 1024
"""Longest side of the photograph as the proxies see it, and of the previews that reports show."""

MIN_SIDE_PX = 8
"""Photographs with a shorter side hold nothing a patch grid could show."""

SUFFIXES = frozenset(
    [
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".mpo",
        ".png",
        ".webp",
        ".avif",
        ".tif",
        ".tiff",
        ".gif",
        ".bmp",
        ".heic",
        ".heif",
    ]
)


Enough = Callable[[tuple[int, int]], tuple[int, int]]
"""How many pixels ``(W, H)`` are enough of an upright photograph of ``(W, H)``."""


def read_photograph(
    path: str | Path,
    *,
    background: tuple[int, int, int] = (255, 255, 255),
    enough: Enough | None = None,
) -> Photograph:
    """Decode one file.

    EXIF orientation is applied, also where other metadata are damaged. Grey, palette and CMYK become RGB;
    transparency, of a single grey too, is composited on ``background``; 16 bits and floating point become 8
    as `dinoscope.io.pixel_range.current_range` says; of an animation the first frame is taken.

    Args:
        path: of the file.
        background: behind what is transparent.
        enough: where it is given, a JPEG is decoded to the fewest pixels that are enough, by
            `dinoscope.io.jpeg.largest_reduction`; other files as ever. ``size`` stays the original's.

    Raises:
        ImageError: the file cannot be had or decoded, would take more than
            `dinoscope.io.limits.DECODED_BYTES`, is smaller than `MIN_SIDE_PX` or thinner than
            `dinoscope.io.limits.LONGEST_TO_SHORTEST`, or has values outside the range of its kind.
        MissingExtraError: a HEIC file without the extra [heif].
    """
    path = Path(path)
    source = readable(path)
    data = _read_bytes(path, source)
    return decode_photograph(
        data, name=readable(path.name), source=source, background=background, enough=enough
    )


def decode_photograph(
    data: bytes,
    *,
    name: str,
    source: str = "",
    background: tuple[int, int, int] = (255, 255, 255),
    enough: Enough | None = None,
) -> Photograph:
    """Decode the bytes of one file; see `read_photograph`."""
    source = source or name
    notes: list[str] = []
    try:
        found = _decoded(data, source, background, notes, enough)
    except DinoscopeError:
        raise
    except MemoryError as error:
        raise ImageError(source, "there is not enough memory to decode it") from error
    except Exception as error:  # noqa: BLE001 (every decoder has errors of its own; all mean the same here)
        notes = ["damaged metadata left aside"]
        found = _without_metadata(data, source, background, notes, enough, error)
    return Photograph(
        name=name,
        digest=_digest(data, notes),
        size=found.size,
        pixels=found.pixels,
        notes=tuple(notes),
        source=source,
        shot=found.shot,
        reduction=found.reduction,
    )


def photograph_from_array(pixels: UInt8[np.ndarray, "H W 3"], *, name: str) -> Photograph:
    """A photograph that is in memory already: upright RGB, 8 bits; copied.

    Raises:
        ShapeError: not ``H W 3``.
        ImageError: not 8 bits (a float image has no stated range: scale it yourself), or too small.
    """
    array = np.asarray(pixels)
    if array.dtype != np.uint8:
        raise ImageError(
            name, f"pixels are {array.dtype}, not uint8; scale them to 0..255 and convert them first"
        )
    if array.ndim != 3 or array.shape[2] != 3:
        raise ShapeError(f"photograph {name!r}", expected="H W 3", actual=array.shape)
    height, width = array.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise ImageError(name, f"{width}x{height} pixels; at least {MIN_SIDE_PX} are needed on each side")
    array = np.ascontiguousarray(array)
    digest = hashlib.sha256(f"{height}x{width}:".encode() + array.tobytes()).hexdigest()
    return Photograph(name=name, digest=digest, size=(width, height), pixels=array.copy(), source=name)


def photograph_from_image(image: Image.Image, *, name: str) -> Photograph:
    """A photograph from an image in memory, made RGB as `read_photograph` makes files; not turned.

    Raises:
        ImageError: too small, or values outside the range of their kind.
    """
    notes: list[str] = []
    pixels = rgb_pixels(image.copy(), None, (255, 255, 255), notes, name, deep=False)
    return replace(photograph_from_array(pixels, name=name), notes=tuple(notes))


def preview(photograph: Photograph, *, longest_px: int) -> Photograph:
    """A photograph with its pixels reduced to at most ``longest_px`` on the long side."""
    if max(photograph.pixels.shape[:2]) <= longest_px:
        return photograph
    image = Image.fromarray(np.asarray(photograph.pixels))
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return replace(photograph, pixels=np.asarray(image))


def _digest(data: bytes, notes: list[str]) -> str:
    """Digest of the file; and of the range, where pixels depend on one that was asked for."""
    wanted = current_range()
    deep = wanted.kind != "full" and any(note.endswith(ASKED) for note in notes)
    return hashlib.sha256(data + (f"\0range {wanted.words}".encode() if deep else b"")).hexdigest()


def _read_bytes(path: Path, source: str) -> bytes:
    try:
        file_size(path, DECODED_BYTES)
        data = path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            target = readable(path.readlink())
            raise ImageError(source, f"a link to {target!r}, which does not exist") from error
        raise ImageError(source, "no such file") from error
    except OSError as error:
        raise ImageError(source, f"cannot be read: {error.strerror}") from error
    except ValueError as error:  # a name that no file can have
        raise ImageError(source, f"cannot be read: {error}") from error
    if not data:
        raise ImageError(source, "the file is empty")
    return data


class _Decoded(NamedTuple):
    """Upright pixels; the size they have in full, when and where, and how many became one."""

    pixels: UInt8[np.ndarray, "H W 3"]
    size: tuple[int, int]
    shot: Shot
    reduction: int


def _without_metadata(
    data: bytes,
    source: str,
    background: tuple[int, int, int],
    notes: list[str],
    enough: Enough | None,
    error: Exception,
) -> _Decoded:
    """Upright pixels of a file that cannot be decoded as it is, if that was because of its metadata."""
    try:
        bare = without_metadata(data)
        if bare is not None:
            return _decoded(bare, source, background, notes, enough, orientation=orientation_in(data))
    except Exception:  # noqa: BLE001 (it was not: what is told is why the file as it is cannot be decoded)
        pass
    if isinstance(error, UnidentifiedImageError):
        tiff = read_tiff(data)
        reason = unread_kind(data) if tiff is None else tiff.unread
        raise ImageError(source, reason) from error
    raise ImageError(source, f"cannot be decoded: {str(error) or 'it is damaged'}") from error


def _decoded(
    data: bytes,
    source: str,
    background: tuple[int, int, int],
    notes: list[str],
    enough: Enough | None,
    *,
    orientation: int | None = None,
) -> _Decoded:
    """What is in a file; ``orientation`` where the metadata that would say were taken out."""
    with decoding(data, source) as (image, tiff):
        width, height = image.size
        if min(width, height) < MIN_SIDE_PX:
            raise ImageError(
                source, f"{width}x{height} pixels; a photograph needs at least {MIN_SIDE_PX} on each side"
            )
        if max(width, height) > LONGEST_TO_SHORTEST * min(width, height):
            raise ImageError(
                source,
                f"{width}x{height} pixels; a photograph may be {LONGEST_TO_SHORTEST} times as long as wide "
                "at most: cut it into pieces",
            )
        notes += pages_told(image, tiff, source)
        if image.info.get("icc_profile"):
            notes.append("embedded ICC profile left alone: colours as stored")
        deep = deep_colours(image)
        reduction, whole = 1, image.size
        if enough is not None and image.format in JPEGS:
            stored = orientation_of(image, data) if orientation is None else orientation
            whole = (height, width) if is_across(stored) else (width, height)
            reduction = largest_reduction(whole, enough(whole))
        quick = jpeg_pixels(data, image, reduction)
        if quick is None and reduction > 1:
            load_reduced(image, reduction)
        elif quick is None:
            load_whole(image, data, source)  # turns a TIFF upright, too
        if reduction > 1:
            notes.append(f"decoded at 1/{reduction} of its size")
        turned = orientation_of(image, data) if orientation is None else orientation
        if is_turned(turned):
            notes.append("EXIF orientation applied")
        shot = shot_of(image)
        pixels = rgb_pixels(image, tiff, background, notes, source, deep=deep) if quick is None else quick
        notes += zeros_told(data, image.format, source)
    pixels = upright(pixels, turned)
    size = pixels.shape[1::-1] if reduction == 1 else whole
    return _Decoded(pixels, (size[0], size[1]), shot, reduction)

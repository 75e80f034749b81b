"""Reading photographs: any common file in, upright 8-bit RGB out, or a clear refusal.

Colours are taken as stored: an embedded ICC profile is left alone, and said so in the notes.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from dinoscope.data.photograph import Photograph
from dinoscope.errors import DinoscopeError, ImageError, ShapeError
from dinoscope.io.decoding import WARNING_FILTER, decoding
from dinoscope.io.jpeg import jpeg_pixels
from dinoscope.io.limits import DECODED_BYTES, LONGEST_TO_SHORTEST, file_size
from dinoscope.io.metadata import ORIENTATION, orientation_in, without_metadata
from dinoscope.io.pixel_range import ASKED, current_range
from dinoscope.io.pixels import deep_colours, pages_told, rgb_pixels
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
_UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1),
    6: lambda p: p.swapaxes(0, 1)[:, ::-1],
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    8: lambda p: p.swapaxes(0, 1)[::-1],
}
"""Stored pixels H W made upright. Source: Exif 2.3 (CIPA DC-008), tag 0x0112."""


def read_photograph(path: str | Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Photograph:
    """Decode one file.

    EXIF orientation is applied, also where other metadata are damaged. Grey, palette and CMYK become RGB;
    transparency is composited on ``background``; 16 bits and floating point become 8 as
    `dinoscope.io.pixel_range.current_range` says; of an animation the first frame is taken.

    Raises:
        ImageError: the file cannot be had or decoded, would take more than
            `dinoscope.io.limits.DECODED_BYTES`, is smaller than `MIN_SIDE_PX` or thinner than
            `dinoscope.io.limits.LONGEST_TO_SHORTEST`, or has values outside the range of its kind.
        MissingExtraError: a HEIC file without the extra [heif].
    """
    path = Path(path)
    source = readable(path)
    data = _read_bytes(path, source)
    return decode_photograph(data, name=readable(path.name), source=source, background=background)


def decode_photograph(
    data: bytes,
    *,
    name: str,
    source: str = "",
    background: tuple[int, int, int] = (255, 255, 255),
) -> Photograph:
    """Decode the bytes of one file; see `read_photograph`."""
    source = source or name
    notes: list[str] = []
    try:
        pixels = _decoded(data, source, background, notes)
    except DinoscopeError:
        raise
    except Exception as error:  # noqa: BLE001 (every decoder has errors of its own; all mean the same here)
        notes = ["damaged metadata left aside"]
        pixels = _without_metadata(data, source, background, notes, error)
    return Photograph(
        name=name,
        digest=_digest(data, notes),
        size=(pixels.shape[1], pixels.shape[0]),
        pixels=pixels,
        notes=tuple(notes),
        source=source,
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


def preview(photograph: Photograph, *, longest_px: int) -> Photograph:
    """A photograph with its pixels reduced to at most ``longest_px`` on the long side."""
    image = Image.fromarray(np.asarray(photograph.pixels))
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return replace(photograph, pixels=np.asarray(image))


def _digest(data: bytes, notes: list[str]) -> str:
    """Of the file; and of the range, where pixels depend on one that was asked for."""
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


def _without_metadata(
    data: bytes, source: str, background: tuple[int, int, int], notes: list[str], error: Exception
) -> UInt8[np.ndarray, "H W 3"]:
    """Upright pixels of a file that cannot be decoded as it is, if that was because of its metadata."""
    try:
        bare = without_metadata(data)
        if bare is not None:
            return _decoded(bare, source, background, notes, orientation=orientation_in(data))
    except Exception:  # noqa: BLE001 (it was not: what is told is why the file as it is cannot be decoded)
        pass
    if isinstance(error, UnidentifiedImageError):
        raise ImageError(source, "not an image of a known kind") from error
    raise ImageError(source, f"cannot be decoded: {str(error) or type(error).__name__}") from error


def _decoded(
    data: bytes,
    source: str,
    background: tuple[int, int, int],
    notes: list[str],
    *,
    orientation: int | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """Upright pixels; ``orientation`` where the metadata that would say it were taken out."""
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
        quick = jpeg_pixels(data, image)
        if quick is None:
            image.load()  # turns a TIFF upright, too
        turn = _UPRIGHT.get(_orientation(image, data) if orientation is None else orientation)
        if turn is not None:
            notes.append("EXIF orientation applied")
        pixels = rgb_pixels(image, tiff, background, notes, source, deep=deep) if quick is None else quick
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _orientation(image: Image.Image, data: bytes) -> int:
    """By EXIF or XMP, 1 to 8; where those are damaged, as far as it can be made out."""
    try:
        with WARNING_FILTER, warnings.catch_warnings():
            warnings.simplefilter("error")
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (every reader of metadata has errors of its own)
        return orientation_in(data)

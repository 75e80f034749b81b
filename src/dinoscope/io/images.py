"""Reading photographs: any common file in, upright 8-bit RGB out, or a clear refusal.

Colours are taken as stored: an embedded ICC profile is left alone, and said so in the notes.
"""

from __future__ import annotations

import hashlib
import io
import stat
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from dinoscope.data.photograph import Photograph
from dinoscope.errors import DinoscopeError, ImageError, MissingExtraError, ShapeError
from dinoscope.io.metadata import ORIENTATION, orientation_in, without_metadata
from dinoscope.names import readable

MAX_PIXELS = 2 * 89_478_485
"""Largest photograph decoded (Pillow's own hard limit): 179 megapixels."""

PREVIEW_PX = 1024
"""Longest side of the photograph as the proxies see it, and of the previews that reports show."""

MIN_SIDE_PX = 8
"""Photographs with a shorter side hold nothing a patch grid could show."""

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")
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
_HEIF_BRANDS = frozenset([b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
Image.init()  # every decoder is there before threads ask for one
_warning_filter = threading.Lock()  # warnings.catch_warnings is not thread-safe


def read_photograph(path: str | Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Photograph:
    """Decode one file.

    EXIF orientation is applied, also where other metadata are damaged. Grey, palette and CMYK become RGB;
    transparency is composited on ``background``; 16 bits are scaled (not clipped) to 8; of an animation the
    first frame is taken.

    Raises:
        ImageError: the file cannot be had or decoded, is larger than `MAX_PIXELS`, smaller than
            `MIN_SIDE_PX`, or of a kind without a known range (floating point).
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
        digest=hashlib.sha256(data).hexdigest(),
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


def _read_bytes(path: Path, source: str) -> bytes:
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            raise ImageError(source, "a folder, not a photograph")
        if not stat.S_ISREG(kind):
            raise ImageError(source, "not a regular file")
        data = path.read_bytes()
    except FileNotFoundError as error:
        if path.is_symlink():
            target = readable(path.readlink())
            raise ImageError(source, f"a link to {target!r}, which does not exist") from error
        raise ImageError(source, "no such file") from error
    except OSError as error:
        raise ImageError(source, f"cannot be read: {error.strerror}") from error
    except ImageError:
        raise
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
    try:
        image = _open(data, source)
    except Image.DecompressionBombError as error:
        raise ImageError(source, f"more than {MAX_PIXELS:,} pixels; refused undecoded") from error
    with image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise ImageError(source, _too_large(width, height))
        if min(width, height) < MIN_SIDE_PX:
            raise ImageError(
                source, f"{width}x{height} pixels; a photograph needs at least {MIN_SIDE_PX} on each side"
            )
        frames = getattr(image, "n_frames", 1)
        if image.format != "MPO" and frames > 1:
            notes.append(f"first of {frames} frames")
        if image.info.get("icc_profile"):
            notes.append("embedded ICC profile left alone: colours as stored")
        image.load()  # turns a TIFF upright, too
        turn = _UPRIGHT.get(_orientation(image, data) if orientation is None else orientation)
        if turn is not None:
            notes.append("EXIF orientation applied")
        pixels = _rgb(image, background, notes, source)
    return pixels if turn is None else np.ascontiguousarray(turn(pixels))


def _orientation(image: Image.Image, data: bytes) -> int:
    """By EXIF or XMP, 1 to 8; where those are damaged, as far as it can be made out."""
    try:
        with _warning_filter, warnings.catch_warnings():
            warnings.simplefilter("error")
            return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 (every reader of metadata has errors of its own)
        return orientation_in(data)


def _open(data: bytes, source: str) -> Image.Image:
    formats: tuple[str, ...] = FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError as error:
            raise MissingExtraError(f"reading the HEIC file {source!r}", "heif") from error
        pillow_heif.register_heif_opener()
        formats = ("HEIF",)
    with _warning_filter, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of size, which is ours to check, and of odd metadata
        return Image.open(io.BytesIO(data), formats=formats)


def _too_large(width: int, height: int) -> str:
    return f"{width}x{height} is more than {MAX_PIXELS:,} pixels; refused undecoded"


def _rgb(
    image: Image.Image, background: tuple[int, int, int], notes: list[str], source: str
) -> UInt8[np.ndarray, "H W 3"]:
    if image.mode == "F":
        raise ImageError(source, "floating-point pixels have no stated range; save as 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ImageError(source, "integer pixels outside 0..65535; save as 8 or 16 bits")
        notes.append("16 bits scaled to 8")
        grey = np.round(values.astype(np.float64) / 257.0).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        notes.append(f"transparency composited on rgb{background}")
        rgba = image.convert("RGBA")
        flat = Image.new("RGBA", rgba.size, (*background, 255))
        image = Image.alpha_composite(flat, rgba)
    elif image.mode != "RGB":
        notes.append(f"converted from {image.mode}")
    return np.array(image.convert("RGB"))

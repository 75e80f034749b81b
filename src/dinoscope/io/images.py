"""Reading photographs: any common file in, upright 8-bit RGB out, or a clear refusal.

Colours are taken as stored: an embedded ICC profile is left alone, and said so in the notes.
"""

from __future__ import annotations

import hashlib
import io
import threading
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, MissingExtraError, ShapeError

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
_HEIF_BRANDS = frozenset([b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
_warning_filter = threading.Lock()  # warnings.catch_warnings is not thread-safe


def read_photograph(path: str | Path, *, background: tuple[int, int, int] = (255, 255, 255)) -> Photograph:
    """Decode one file.

    EXIF orientation is applied. Grey, palette and CMYK become RGB; transparency is composited on
    ``background``; 16 bits are scaled (not clipped) to 8; of an animation the first frame is taken.

    Raises:
        ImageError: the file cannot be had or decoded, is larger than `MAX_PIXELS`, smaller than
            `MIN_SIDE_PX`, or of a kind without a known range (floating point).
        MissingExtraError: a HEIC file without the extra [heif].
    """
    source = str(path)
    data = _read_bytes(Path(path), source)
    return decode_photograph(data, name=Path(path).name, source=source, background=background)


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
        with _open(data, source) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise ImageError(source, _too_large(width, height))
            if min(width, height) < MIN_SIDE_PX:
                raise ImageError(
                    source,
                    f"{width}x{height} pixels; a photograph needs at least {MIN_SIDE_PX} on each side",
                )
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                notes.append(f"first of {frames} frames")
            if image.info.get("icc_profile"):
                notes.append("embedded ICC profile left alone: colours as stored")
            upright = ImageOps.exif_transpose(image)
            if image.getexif().get(0x0112, 1) != 1:
                notes.append("EXIF orientation applied")
            pixels = _rgb(upright, background, notes, source)
    except Image.DecompressionBombError as error:
        raise ImageError(source, f"more than {MAX_PIXELS:,} pixels; refused undecoded") from error
    except UnidentifiedImageError as error:
        raise ImageError(source, "not an image of a known kind") from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(source, f"cannot be decoded: {error}") from error
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
    """The same photograph with its pixels reduced to at most ``longest_px`` on the long side."""
    image = Image.fromarray(np.asarray(photograph.pixels))
    if max(image.size) > longest_px:
        image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS)
    return Photograph(
        name=photograph.name,
        digest=photograph.digest,
        size=photograph.size,
        pixels=np.asarray(image),
        notes=photograph.notes,
        source=photograph.source,
    )


def _read_bytes(path: Path, source: str) -> bytes:
    if path.is_symlink() and not path.exists():
        raise ImageError(source, f"a link to {str(path.readlink())!r}, which does not exist")
    if not path.exists():
        raise ImageError(source, "no such file")
    if path.is_dir():
        raise ImageError(source, "a folder, not a photograph")
    if not path.is_file():
        raise ImageError(source, "not a regular file")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(source, f"cannot be read: {error.strerror}") from error
    if not data:
        raise ImageError(source, "the file is empty")
    return data


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
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is ours to check
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

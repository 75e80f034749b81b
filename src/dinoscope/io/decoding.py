"""Opening an image: of known formats alone, and only where decoding it stays within the stated limit."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext

from PIL import Image

from dinoscope.errors import ImageError, MissingExtraError
from dinoscope.io.libtiff import quiet_libtiff
from dinoscope.io.limits import DECODED_BYTES, SCANS, in_units
from dinoscope.io.tiff import BrokenTiffError, Tiff, read_tiff

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP")
WARNING_FILTER = threading.Lock()
"""`warnings.catch_warnings` is not thread-safe."""

_HEIF_BRANDS = frozenset([b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"])
_STORED: Mapping[str, int] = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes a pixel that Pillow holds; of all other modes 4."""

_BESIDE: Mapping[str, int] = {"GIF": 4, "BMP": 4, "TIFF": 8, "WEBP": 13, "AVIF": 16, "HEIF": 16}
"""Bytes a pixel that the decoder holds beside them, at most; tests measure that it is not more."""

OUTPUT = 3
"""Bytes a pixel of what is made: RGB of 8 bits."""

_GREY = 1
"""Bytes a pixel of deep grey scaled to 8 bits, from which RGB is made."""

Image.init()  # every decoder is there before threads ask for one
_large = threading.Lock()
_LARGE_BYTES = 256 * 2**20


@contextmanager
def decoding(data: bytes, source: str) -> Iterator[tuple[Image.Image, Tiff | None]]:
    """An image that is not decoded yet, and what its directories say where it is a TIFF.

    Of images that need much memory one is decoded at a time, whatever threads there are.

    Raises:
        ImageError: decoding would take more than `DECODED_BYTES`, or the file's structure is broken.
        MissingExtraError: a HEIC file without the extra [heif].
    """
    try:
        tiff = read_tiff(data)
    except BrokenTiffError as error:
        raise ImageError(source, f"a damaged TIFF: {error}") from error
    if tiff is not None and (reason := _undecodable(tiff)):
        raise ImageError(source, reason)
    if data.startswith(b"\xff\xd8") and data.count(b"\xff\xda") > SCANS:
        raise ImageError(
            source, f"a JPEG of more than {SCANS} scans, which takes as many times as long; refused"
        )
    if tiff is not None and tiff.broken:
        data = tiff.first_alone(data)
    try:
        image = _open(data, source)
    except Image.DecompressionBombError as error:
        raise ImageError(source, f"{str(error).partition(',')[0]}; refused undecoded") from error
    with image, nullcontext() if tiff is None else quiet_libtiff():
        needed = decoded_bytes(image, len(data))
        if needed > DECODED_BYTES:
            width, height = image.size
            raise ImageError(
                source,
                f"{width}x{height} pixels would take {in_units(needed)} to decode, more than the "
                f"{in_units(DECODED_BYTES)} that are allowed; refused undecoded: make it smaller",
            )
        if needed > _LARGE_BYTES:
            with _large:
                yield image, tiff
        else:
            yield image, tiff


def decoded_bytes(image: Image.Image, file_bytes: int) -> int:
    """Memory that decoding takes at its peak, its file and the RGB pixels that are made of it included."""
    width, height = image.size
    kept = _STORED.get(image.mode, 4)
    beside = _BESIDE.get(image.format or "", 0)
    if image.format in ("JPEG", "MPO") and image.info.get("progressive"):
        beside = 2 * len(image.getbands())  # every coefficient, before the last scan is there
    made = kept + _GREY + OUTPUT if image.mode == "F" or image.mode.startswith("I") else OUTPUT
    if kept == 2 and "transparency" in image.info:
        made += kept + 1  # where it is, and the grey without it
    return file_bytes + width * height * max(kept + max(beside, made), 2 * OUTPUT)


def _undecodable(tiff: Tiff) -> str:
    """Why Pillow would fail on it, or decode it wrong; empty where it does not."""
    from dinoscope.io import tiff as tags

    samples, kind = tiff.value(tags.SAMPLES, 1), tiff.value(tags.FORMAT, 1)
    if kind == 3 and tiff.bits == 16:
        return "a TIFF of half-precision floating point, which is not read: save it in 32 bits"
    if kind in (5, 6):
        return "a TIFF of complex numbers is no picture"
    if samples > 1 and tiff.bits > 8 and tiff.value(tags.PLANAR, 1) == 2:
        return (
            f"a TIFF of {samples} planes of {tiff.bits} bits, one after the other, which is not read: save "
            "it with its channels interleaved (planar configuration 1)"
        )
    if samples == 2 or samples > 4 or (samples == 3 and tiff.bits > 8 and kind == 3):
        return (
            f"a TIFF of {samples} bands of {tiff.bits} bits, of which nobody says what is red, green and "
            "blue: save the three to look at as RGB"
        )
    return ""


def _open(data: bytes, source: str) -> Image.Image:
    formats: tuple[str, ...] = FORMATS
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        try:
            import pillow_heif
        except ImportError as error:
            raise MissingExtraError(f"reading the HEIC file {source!r}", "heif") from error
        pillow_heif.register_heif_opener()
        formats = ("HEIF",)
    with WARNING_FILTER, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of size, which is checked in bytes, and of odd metadata
        return Image.open(io.BytesIO(data), formats=formats)

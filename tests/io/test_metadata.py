"""Metadata that are damaged cost no picture; pixels that are, cost that picture alone."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError
from dinoscope.io.images import decode_photograph
from dinoscope.io.metadata import orientation_in, without_metadata
from tests.hostile.files import colours

UPRIGHT = colours(3, (80, 56))
ROTATED = 6
STORED = np.rot90(UPRIGHT)
"""As a camera with orientation 6 stores it."""


def saved(format_: str, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(STORED)).save(out, format_, **options)
    return out.getvalue()


def exif(*entries: tuple[int, int, int, bytes], order: str = "<") -> bytes:
    """A TIFF block: (tag, type, count, four bytes of value or offset) each."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    table = b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries)
    return mark + struct.pack(f"{order}IH", 8, len(entries)) + table + bytes(4)


def orientation(order: str = "<") -> tuple[int, int, int, bytes]:
    return 0x0112, 3, 1, struct.pack(f"{order}H", ROTATED) + bytes(2)


BAD_OFFSET = (0x010F, 2, 4000, struct.pack("<I", 2**31))
BAD_RATIONAL = (0x011A, 10, 1, struct.pack("<I", 60))
BLOCKS = {
    "a text far outside": exif(BAD_OFFSET, orientation()),
    "a rational of nothing": exif(orientation(), BAD_RATIONAL) + bytes(40),
    "a type that is none": exif((0x0100, 999, 7, b"abcd"), orientation()),
    "a count without end": exif((0x010E, 2, 2**32 - 1, bytes(4)), orientation()),
    "more entries than there are": exif(orientation())[:8] + b"\xff\x7f" + exif(orientation())[10:],
    "big-endian": exif((0x010F, 2, 4000, b"\x7f\0\0\0"), orientation(">"), order=">"),
}


def in_jpeg(block: bytes) -> bytes:
    whole = saved("JPEG", quality=95, subsampling=0)
    payload = b"Exif\0\0" + block
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + whole[2:]


def chunk(kind: bytes, data: bytes, *, crc: int | None = None) -> bytes:
    found = zlib.crc32(kind + data) if crc is None else crc
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", found)


def in_png(*chunks: bytes) -> bytes:
    whole = saved("PNG")
    return whole[:33] + b"".join(chunks) + whole[33:]


def in_webp(block: bytes, kind: bytes = b"EXIF") -> bytes:
    plain = saved("WEBP", lossless=True)
    flags = 0x08 if kind == b"EXIF" else 0x04
    height, width = STORED.shape[:2]
    head = struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"VP8X" + struct.pack("<I", 10) + head + plain[12:]
    body += kind + struct.pack("<I", len(block)) + block + bytes(len(block) % 2)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def in_tiff(*entries: tuple[int, int, int, bytes]) -> bytes:
    """The picture's own directory, written anew at the end with more entries."""
    whole = saved("TIFF")
    (start,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, start)
    table = [whole[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    table += [struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries]
    table.sort(key=lambda entry: struct.unpack_from("<H", entry))
    whole += bytes(len(whole) % 2)
    place = struct.pack("<I", len(whole))
    return whole[:4] + place + whole[8:] + struct.pack("<H", len(table)) + b"".join(table) + bytes(4)


def shown(data: bytes) -> tuple[np.ndarray, tuple[str, ...]]:
    photograph = decode_photograph(data, name="x")
    return np.asarray(photograph.pixels), photograph.notes


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize(
    "put", [in_jpeg, lambda b: in_png(chunk(b"eXIf", b)), in_webp], ids=["jpeg", "png", "webp"]
)
def test_a_photograph_is_shown_upright_whatever_else_its_exif_holds(
    block: bytes, put: Callable[[bytes], bytes]
) -> None:
    pixels, notes = shown(put(block))
    assert pixels.shape == UPRIGHT.shape and "EXIF orientation applied" in notes
    np.testing.assert_allclose(pixels.astype(int), UPRIGHT.astype(int), atol=12)


BAD_CRC = 12345
DAMAGED = {
    "text with a wrong sum": in_png(chunk(b"tEXt", b"Comment\0x", crc=BAD_CRC)),
    "a bomb of text": in_png(chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2**27)))),
    "compressed text that is none": in_png(chunk(b"zTXt", b"Comment\0\0junk")),
    "international text that is none": in_png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0junk")),
    "a profile that is none": in_png(chunk(b"iCCP", b"name\0\0junk")),
    "a profile with a wrong sum": in_png(chunk(b"iCCP", b"name\0\0junk", crc=BAD_CRC)),
    "a size of nothing": in_png(chunk(b"pHYs", b"")),
    "exif that is none": in_jpeg(b"junk"),
    "no exif": in_jpeg(b""),
    "pictures in a picture that are none": saved("JPEG", quality=95, subsampling=0)[:2]
    + b"\xff\xe2\x00\x20MPF\0II*\0\x08\0\0\0\x03\0"
    + bytes(12)
    + saved("JPEG", quality=95, subsampling=0)[2:],
    "xmp that is none": in_webp(b"<x:xmpmeta", b"XMP "),
}


@pytest.mark.parametrize("data", DAMAGED.values(), ids=DAMAGED)
def test_a_photograph_with_other_damaged_metadata_is_shown(data: bytes) -> None:
    pixels, _ = shown(data)
    np.testing.assert_allclose(pixels.astype(int), STORED.astype(int), atol=12)


def test_a_tiff_with_a_damaged_tag_is_shown_upright() -> None:
    pixels, _ = shown(in_tiff(orientation(), (0x010F, 2, 4000, struct.pack("<I", 2**31))))
    np.testing.assert_array_equal(pixels, UPRIGHT)
    pixels, _ = shown(in_tiff(orientation(), (0x011A, 5, 1, struct.pack("<I", 2**31))))
    np.testing.assert_array_equal(pixels, UPRIGHT)


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientations_are_those_of_pillow(value: int, format_: str) -> None:
    from PIL import ImageOps

    tags = Image.Exif()
    tags[0x0112] = value
    data = saved(format_, exif=tags.tobytes())
    assert orientation_in(data) == value
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(shown(data)[0], expected)


@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_without_metadata_the_pixels_are_the_same(format_: str) -> None:
    tags = Image.Exif()
    tags[0x010F] = "a maker"
    data = saved(format_, exif=tags.tobytes())
    bare = without_metadata(data)
    assert bare is not None and b"a maker" in data and (b"a maker" not in bare or format_ == "TIFF")
    np.testing.assert_array_equal(shown(bare)[0], shown(data)[0])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (struct.error("x"), "cannot be decoded"),
        (RuntimeError("Failed to decode frame 0"), "cannot be decoded"),
        (TypeError("None"), "cannot be decoded"),
        (MemoryError(), "there is not enough memory to decode it"),
    ],
)
def test_whatever_a_decoder_raises_is_about_its_file(
    error: Exception, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    data = saved("PNG")
    monkeypatch.setattr(Image.Image, "load", fails)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fails)
    with pytest.raises(ImageError, match=f"'the file': {words}") as caught:
        decode_photograph(data, name="x", source="the file")
    assert caught.value.source == "the file"


def damaged_avif() -> bytes:
    data = bytearray(saved("AVIF"))
    start = data.index(b"mdat") + 12
    data[start : start + 64] = bytes(64)
    return bytes(data)


def no_second_page() -> bytes:
    """A TIFF whose first page names a second one behind the end."""
    whole = saved("TIFF")
    (start,) = struct.unpack_from("<I", whole, 4)
    (count,) = struct.unpack_from("<H", whole, start)
    behind = start + 2 + 12 * count
    return whole[:behind] + struct.pack("<I", len(whole) - 3) + whole[behind + 4 :]


def test_damaged_pixels_are_refused_by_name() -> None:
    whole = saved("PNG")
    broken = whole.replace(b"IDAT", b"IDAX", 1)
    for data in (
        damaged_avif(),
        broken,
        whole[:60],
        b"\xff\xd8\xff\xe1",
        b"RIFF\0\0\0\0WEBP",
        b"II*\0\xff\xff\xff\xff",
    ):
        with pytest.raises(ImageError, match="'the file'"):
            decode_photograph(data, name="x", source="the file")

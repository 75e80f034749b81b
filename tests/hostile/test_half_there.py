"""Pictures of which a part is missing or changed, though they can be decoded."""

from __future__ import annotations

import io
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dinoscope.errors import ImageError
from dinoscope.io.endings import zeros_told
from dinoscope.io.images import decode_photograph, read_photograph
from dinoscope.io.label_images import read_values
from tests.hostile.files import colours


def saved(kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(colours(1)).save(out, kind, **options)
    return out.getvalue()


def png_of(depth: int, *parts: tuple[bytes, bytes], change: int = 0) -> bytes:
    """16x16 pixels of one grey channel; of checksums that are ``change`` too large."""
    head = (b"IHDR", struct.pack(">IIBBBBB", 16, 16, depth, 0, 0, 0, 0))
    chunks = [
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", (zlib.crc32(kind + content) + change * (kind == b"IDAT")) % 2**32)
        for kind, content in (head, *parts, (b"IEND", b""))
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_pixels_of_another_checksum_are_refused(tmp_path: Path) -> None:
    packer = zlib.compressobj()
    # As where the end is lost, and what stands there unpacks to pixels all the same.
    body = packer.compress((b"\0" + bytes([200] * 16)) * 16) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert (decode_photograph(png_of(8, (b"IDAT", body)), name="x.png").pixels == 200).all()
    (tmp_path / "x.png").write_bytes(png_of(8, (b"IDAT", body), change=1))
    for read in (read_photograph, read_values):
        with pytest.raises(ImageError, match="checksum"):
            read(tmp_path / "x.png")


@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"quality": 90}), ("AVIF", {})])
def test_an_end_of_zeros_is_told(
    kind: str, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    data = saved(kind, **options)
    for whole in (data, data + bytes(500)):  # what is behind the end belongs to nobody
        assert not zeros_told(whole, kind, "x") and not decode_photograph(whole, name="x").notes
    cut = data[:-200] + bytes(200)
    (said,) = zeros_told(cut, kind, "x")
    assert f"of {len(data):,} bytes are zeros" in said and "get the file again" in caplog.text
    with suppress(ImageError):  # a decoder may find out by itself
        assert said in decode_photograph(cut, name="x").notes


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_transparent_grey_of_few_bits(depth: int) -> None:
    white = 2**depth - 1
    for grey in range(white + 1):
        value = sum(grey << i for i in range(0, 8, depth))
        rows = b"".join(b"\0" + bytes([value if y < 8 else 255]) * (2 * depth) for y in range(16))
        data = png_of(depth, (b"tRNS", struct.pack(">H", grey)), (b"IDAT", zlib.compress(rows)))
        found = decode_photograph(data, name="x.png", background=(9, 8, 7))
        assert (found.pixels[:8] == (9, 8, 7)).all()
        assert (found.pixels[8:] == ((9, 8, 7) if grey == white else 255)).all()

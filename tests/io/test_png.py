"""PNG files that hold fewer pixels than their headers say are refused, whatever reads them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError
from dinoscope.io import png
from dinoscope.io.images import decode_photograph
from dinoscope.io.label_images import read_values
from dinoscope.io.region_mask import read_region_mask

CHANNELS = {"1": 1, "L": 1, "LA": 2, "P": 1, "RGB": 3, "RGBA": 4}


def chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def cut(data: bytes, share: float) -> bytes:
    """The same file, whole in every chunk and checksum, with the first part of its pixels alone."""
    raw = zlib.decompress(b"".join(body for name, body in chunks(data) if name == b"IDAT"))
    body = zlib.compress(raw[: int(share * len(raw))])
    parts = [(n, b) for n, b in chunks(data) if n not in (b"IDAT", b"IEND")]
    out = data[:8]
    for name, part in [*parts, (b"IDAT", body), (b"IEND", b"")]:
        out += struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part))
    return out


def picture(mode: str, size: tuple[int, int] = (40, 30), *, low: int = 0) -> bytes:
    rng, (w, h) = np.random.default_rng(0), size
    values = rng.integers(low, 255, (h, w, CHANNELS[mode]), dtype=np.uint8)
    image = Image.fromarray(values if CHANNELS[mode] > 1 else values[..., 0])
    image = image if image.mode == mode else image.convert(mode)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("mode", CHANNELS)
def test_a_short_stream_is_refused(mode: str, share: float) -> None:
    with pytest.raises(ImageError, match=r"^'a\.png': (a damaged PNG: its pixels end early|.*truncated)"):
        decode_photograph(cut(picture(mode), share), name="a.png")


def test_some_of_them_pillow_reads_without_a_word() -> None:
    Image.open(io.BytesIO(cut(picture("RGB"), 0.5))).load()


@pytest.mark.parametrize("mode", CHANNELS)
@pytest.mark.parametrize("size", [(40, 30), (8, 8), (9, 33)])
def test_a_whole_one_is_read_also_where_it_ends_in_black(mode: str, size: tuple[int, int]) -> None:
    image = Image.open(io.BytesIO(picture(mode, size)))
    image.paste(0, (0, size[1] // 2, *size))
    out = io.BytesIO()
    image.save(out, "PNG")
    assert decode_photograph(out.getvalue(), name="a.png").size == size


@pytest.mark.parametrize(("depth", "kind"), [(1, 0), (2, 0), (4, 3), (8, 2), (16, 0), (16, 6)])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (33, 9)])
def test_the_promised_bytes_of_an_interlaced_file_are_those_of_its_pixels_counted_one_by_one(
    depth: int, kind: int, size: tuple[int, int]
) -> None:
    header = struct.pack(">IIBBBBB", *size, depth, kind, 0, 0, 1)
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    odd, even = "77777777", "56565656"
    order = ["16462646", odd, even, odd, "36463646", odd, even, odd]
    bits = depth * {0: 1, 2: 3, 3: 1, 6: 4}[kind]
    wanted = 0
    for number in "1234567":
        for y in range(size[1]):
            here = sum(order[y % 8][x % 8] == number for x in range(size[0]))
            wanted += 1 + (here * bits + 7) // 8 if here else 0
    assert png._bytes_of_pixels(data) == wanted


def test_masks_are_held_to_it_too(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    path.write_bytes(cut(picture("L", low=1), 0.5))
    for read in (read_values, lambda mask: read_region_mask(mask, (40, 30))):
        with pytest.raises(ImageError, match="pixels end early"):
            read(path)


def test_bright_ends_are_not_unpacked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(png, "_bytes_there")
    decode_photograph(picture("RGB", low=1), name="a.png")

"""PNG files: their parts, and whether all pixels are there; missing ones would be black without a word."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from dinoscope.errors import ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""How an interlaced file is cut: first column and row, and steps between them (PNG specification, 8.2)."""

_PIXELS = (b"PLTE", b"IDAT")
_BLOCK = 1 << 20


def load_whole(image: Image.Image, data: bytes, source: str) -> None:
    """Decode an image, and refuse a PNG file that holds fewer pixels than it says.

    Pillow fills what a sound but short stream leaves out with zeros. So where one of the last two rows ends
    in zeros, the stream is unpacked once more and measured. Nor does it look at the checksums of pixels: what
    an interrupted copy left as zeros may well unpack to as many pixels as are wanted.

    Args:
        image: opened from it, not decoded.
        data: the file.
        source: for messages.

    Raises:
        ImageError: pixels are missing, or have another checksum than the file says.
        OSError: Pillow cannot decode it.
    """
    image.load()
    if image.format != "PNG":
        return
    if any(_is_damaged(part) for kind, part in png_parts(data) if kind in _PIXELS):
        raise ImageError(source, "a damaged PNG: the checksum of its pixels is another; get it again")
    _scale_transparency(image, depth=data[24])
    width, height = image.size
    ends = [image.getpixel((width - 1, row)) for row in {height - 1, max(height - 2, 0)}]
    if all(any(end) if isinstance(end, tuple) else end for end in ends):
        return
    wanted, found = _bytes_of_pixels(data), _bytes_there(data)
    if found < wanted:
        raise ImageError(
            source, f"a damaged PNG: its pixels end early, with {found:,} of {wanted:,} bytes; get it again"
        )


def _is_damaged(part: bytes) -> bool:
    return zlib.crc32(memoryview(part)[4:-4]) != int.from_bytes(part[-4:])


def _scale_transparency(image: Image.Image, *, depth: int) -> None:
    """The grey that a file of 2 or 4 bits calls transparent, as Pillow scales the greys themselves."""
    named = image.info.get("transparency")
    if image.mode == "L" and depth < 8 and isinstance(named, int) and named < 2**depth:
        image.info["transparency"] = named * 255 // (2**depth - 1)


def _bytes_of_pixels(data: bytes) -> int:
    """What the header promises, with the byte in front of each row that names its filter."""
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    bits = depth * _CHANNELS[kind]
    found = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0:
            found += max(rows, 0) * (1 + -(-columns * bits // 8))
    return found


def _bytes_there(data: bytes) -> int:
    stream, found = zlib.decompressobj(), 0
    for kind, chunk in png_parts(data):
        part = chunk[8 : 8 + int.from_bytes(chunk[:4])] if kind == b"IDAT" else b""
        while part and not stream.eof:
            found += len(stream.decompress(part, _BLOCK))
            part = stream.unconsumed_tail
    return found


def png_parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Each chunk's kind, and the whole of it: length, kind, content and checksum."""
    place = len(SIGNATURE)
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        yield data[place + 4 : place + 8], data[place : place + 12 + length]
        place += 12 + length

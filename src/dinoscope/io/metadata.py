"""What a file holds beside its pixels: taken out where it is damaged, and the orientation found."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from dinoscope.io.png import SIGNATURE, png_parts

ORIENTATION = 0x0112
"""Source: Exif 2.3 (CIPA DC-008), 4.6.4."""

_PNG_NEEDED = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS")
_JPEG_METADATA = (*range(0xE1, 0xEE), 0xEF, 0xFE)
"""APP1 to APP13, APP15 and comments. APP0 and APP14 say what the colours are."""
_WEBP_METADATA = (b"EXIF", b"XMP ", b"ICCP")

_TIFF = (b"II*\0", b"MM\0*")
_TIFF_NEEDED = (*range(256, 260), 262, 266, 273, *range(277, 280), 284, 317, 320, *range(322, 326), 338, 339)
_TIFF_NEEDED += (347, *range(512, 522), *range(529, 533))
"""Size, bits, compression, colours, and where the pixels lie."""


def without_metadata(data: bytes) -> bytes | None:
    """The file with its pixels alone; None where that is not known of its format."""
    if data.startswith(b"\xff\xd8"):
        return b"\xff\xd8" + b"".join(part for kind, part in _jpeg_parts(data) if kind not in _JPEG_METADATA)
    if data.startswith(SIGNATURE):
        return SIGNATURE + b"".join(part for kind, part in png_parts(data) if kind in _PNG_NEEDED)
    if data[:4] in _TIFF:
        return _tiff_alone(data)
    if data[4:12] == b"ftypavif":
        return data.replace(b"Exif", b"skip")  # an item of a kind that nobody reads
    if _is_webp(data):
        kept = b"".join(part for kind, part in _webp_parts(data) if kind not in _WEBP_METADATA)
        return b"RIFF" + struct.pack("<I", 4 + len(kept)) + b"WEBP" + kept
    return None


def orientation_in(data: bytes) -> int:
    """What the EXIF block of a damaged file says, 1 to 8; 1 where it says nothing."""
    found = data.find(b"Exif\0\0")
    blocks = [data[found + 6 :]] if found >= 0 else []
    if data.startswith(SIGNATURE):
        blocks = [part[8:] for kind, part in png_parts(data) if kind == b"eXIf"]
    elif _is_webp(data):
        blocks = [part[8:].removeprefix(b"Exif\0\0") for kind, part in _webp_parts(data) if kind == b"EXIF"]
    elif data[:4] in _TIFF:
        blocks = [data]
    return next((value for block in blocks for value in _orientations(block)), 1)


def _tiff_alone(data: bytes) -> bytes | None:
    """The first directory with the entries alone without which there are no pixels."""
    found = _directory(data)
    if found is None:
        return None
    order, start, entries = found
    behind = start + 2 + 12 * len(entries)
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in _TIFF_NEEDED]
    table = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + data[behind : behind + 4]
    return data[:start] + table + data[start + len(table) :]


def _directory(block: bytes) -> tuple[str, int, list[bytes]] | None:
    """Byte order, place and entries of the first directory. Source: TIFF 6.0, section 2."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return None
    (start,) = struct.unpack_from(f"{order}I", block, 4)
    if start + 2 > len(block):
        return None
    (count,) = struct.unpack_from(f"{order}H", block, start)
    places = range(start + 2, min(start + 2 + 12 * count, len(block) - 11), 12)
    return order, start, [block[place : place + 12] for place in places]


def _orientations(block: bytes) -> Iterator[int]:
    order, _, entries = _directory(block) or ("<", 0, [])
    for entry in entries:
        tag, kind, _ = struct.unpack_from(f"{order}HHI", entry)
        if tag == ORIENTATION:
            (value,) = struct.unpack_from(f"{order}{'I' if kind == 4 else 'H'}", entry, 8)
            if 1 <= value <= 8:
                yield value


def _jpeg_parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker segments behind the first two bytes; the scan, and what cannot be told apart, last."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] not in (0xDA, 0xFF):
        length = int.from_bytes(data[place + 2 : place + 4])
        yield data[place + 1], data[place : place + 2 + length]
        place += 2 + max(length, 2)
    yield 0, data[place:]


def _webp_parts(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(data):
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        yield data[place : place + 4], data[place : place + 8 + length + length % 2]
        place += 8 + length + length % 2


def _is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"

"""Is the end of a file there? Packed pixels do not end in zeros: an interrupted copy left room for them."""

from __future__ import annotations

import logging

from dinoscope.names import printable

LOG = logging.getLogger(__name__)

_ZEROS = bytes(64)
"""Packed pixels hold no such run."""

_BOXED = ("AVIF", "HEIF")


def zeros_told(data: bytes, format_: str | None, source: str) -> list[str]:
    """A note, and a warning, where a WebP, AVIF or HEIC file ends in zeros: these formats have no checksums,
    and their decoders show anything in the place of what is missing.

    Zeros behind the end that the file itself states say nothing.
    """
    if format_ != "WEBP" and format_ not in _BOXED:
        return []
    stated = 8 + int.from_bytes(data[4:8], "little") if format_ == "WEBP" else _end_of_boxes(data)
    if not data[:stated].endswith(_ZEROS):
        return []
    empty = stated - len(data[:stated].rstrip(b"\0"))
    said = f"its last {empty:,} of {stated:,} bytes are zeros, so part of the picture is likely not there"
    LOG.warning("%s: %s, as after an interrupted copy: get the file again", printable(source), said)
    return [said]


def _end_of_boxes(data: bytes) -> int:
    """Source: ISO/IEC 14496-12, 4.2: each box begins with its length in 4 bytes, or in the 8 behind its name
    where they are 1; a length of 0 goes to the end of the file.
    """
    place = 0
    while place + 8 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        if length == 1:
            length = int.from_bytes(data[place + 8 : place + 16])
        if length == 0 and data[place + 4 : place + 8] == bytes(4):
            return place
        if length < 8:
            break
        place += length
    return len(data)

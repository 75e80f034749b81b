"""When, with what and where a photograph was taken, from its EXIF block.

Source: Exif 2.32 (CIPA DC-008-2019), 4.6.4 to 4.6.6.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PIL import Image

from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.io.decoding import WARNING_FILTER
from dinoscope.names import printable

MAKE, MODEL, CHANGED, EXIF, GPS = 0x010F, 0x0110, 0x0132, 0x8769, 0x8825
TAKEN = 0x9003
LATITUDE, LONGITUDE = 2, 4
"""Tags of the GPS block; the one before each says which way is positive."""

LONGEST = 100
"""Characters of a camera's name."""


def shot_of(image: Image.Image) -> Shot:
    """What an opened image says; nothing where its metadata are damaged."""
    try:
        with WARNING_FILTER, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exif = image.getexif()
            if not exif:
                return UNKNOWN
            own, place = exif.get_ifd(EXIF), exif.get_ifd(GPS)
            return Shot(_time(own.get(TAKEN) or exif.get(CHANGED)), _camera(exif), *_place(place))
    except Exception:  # noqa: BLE001 (every reader of metadata has errors of its own)
        return UNKNOWN


def _time(written: object) -> str:
    """The time of ``2024:05:31 18:20:00``; a camera whose clock was never set writes zeros or spaces."""
    try:
        return datetime.strptime(_text(written)[:19], "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        return ""


def _camera(exif: Mapping[int, object]) -> str:
    """Maker and model, the maker once."""
    make, model = _text(exif.get(MAKE)), _text(exif.get(MODEL))
    first = make.split(" ", maxsplit=1)[0].lower()
    named = model if model.lower().startswith(first) else f"{make} {model}"
    return named.strip()[:LONGEST]


def _place(gps: Mapping[int, Any]) -> tuple[float | None, float | None]:
    latitude = _degrees(gps, LATITUDE, "S", 90)
    longitude = _degrees(gps, LONGITUDE, "W", 180)
    return (None, None) if latitude is None or longitude is None else (latitude, longitude)


def _degrees(gps: Mapping[int, Any], tag: int, negative: str, most: float) -> float | None:
    """Decimal degrees from degrees, minutes and seconds; None where that is no place on Earth."""
    if tag not in gps:
        return None
    degrees, minutes, seconds = (float(part) for part in gps[tag])
    found = degrees + minutes / 60 + seconds / 3600
    if not (math.isfinite(found) and 0 <= found <= most):
        return None
    return -found if _text(gps.get(tag - 1)).upper().startswith(negative) else found


def _text(written: object) -> str:
    text = written.decode("latin-1") if isinstance(written, bytes) else str(written or "")
    return printable(" ".join(text.replace("\0", " ").split()))

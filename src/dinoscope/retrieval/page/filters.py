"""The search page's filters as one condition on a table's columns."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from dinoscope.errors import InputError
from dinoscope.store.lance import quoted

EARTH_KM = 6371.0088
"""Mean radius. Source: Moritz, Geodetic Reference System 1980 (Journal of Geodesy 74, 2000)."""

LONGEST = 500
_DAY = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


def condition_of(words: Mapping[str, str]) -> str | None:
    """All filters of an address at once; None where there is none.

    ``path`` is contained in where a photograph was found, whatever the case; ``since`` and ``until`` are
    days, months or years, both included; ``camera`` is a camera's name; ``near`` is
    ``latitude,longitude,km``; ``where`` is a condition as for `search`.

    Raises:
        InputError: words that are none of that.
    """
    given = {name: words.get(name, "").strip() for name in _CONDITIONS}
    if any(len(text) > LONGEST for text in given.values()):
        raise InputError(f"a filter has at most {LONGEST} characters")
    found = [make(given[name]) for name, make in _CONDITIONS.items() if given[name]]
    return " AND ".join(found) or None


def _day(text: str) -> str:
    if _DAY.fullmatch(text) is None:
        raise InputError(f"{text!r} is no day: write 2024, 2024-05 or 2024-05-31")
    return text


def _near(text: str) -> str:
    """Source: the haversine formula, Sinnott, Virtues of the haversine (Sky and Telescope 68, 1984)."""
    try:
        latitude, longitude, km = (float(word) for word in text.split(","))
    except ValueError as error:
        raise InputError("a place is latitude, longitude and kilometres: 48.2,16.37,10") from error
    if not (abs(latitude) <= 90 and abs(longitude) <= 180 and 0 < km <= math.pi * EARTH_KM):
        raise InputError("a place has a latitude in [-90, 90], a longitude in [-180, 180] and km above 0")
    north, east, here = f"({latitude})", f"({longitude})", math.cos(math.radians(latitude))
    return (
        f"2.0 * {EARTH_KM} * asin(least(1.0, sqrt("
        f"pow(sin(radians(latitude - {north}) / 2.0), 2.0) + cos(radians(latitude)) * {here} * "
        f"pow(sin(radians(longitude - {east}) / 2.0), 2.0)))) <= {km}"
    )


_CONDITIONS: dict[str, Callable[[str], str]] = {
    "path": lambda text: f"contains(lower(source), {quoted(text.lower())})",
    "since": lambda text: f"taken >= {quoted(_day(text))}",
    # With everything of that day, month or year: a tilde comes after all that a time is written with.
    "until": lambda text: f"taken <= {quoted(_day(text) + '~')}",
    "camera": lambda text: f"camera = {quoted(text)}",
    "near": _near,
    "where": lambda text: f"({text})",
}

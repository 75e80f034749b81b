"""Which values of a deep image are black and white."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, ParamSpec, TypeVar

import numpy as np
from jaxtyping import Shaped, UInt8

from dinoscope.errors import ImageError, InputError
from dinoscope.names import printable

P = ParamSpec("P")
T = TypeVar("T")

LOG = logging.getLogger(__name__)

LITTLE = 0.25
"""Smallest share of the whole range: an image that uses less is warned of (14 bits of a camera in 16 do)."""

ASKED = "as asked for by --range"
"""How a note ends where the pixels depend on the range that was asked for."""

_ADVICE = (
    "--range auto takes each photograph's own lowest and highest value, --range LOW,HIGH the same for all"
)


@dataclass(frozen=True, slots=True)
class PixelRange:
    """Black and white of images of more than 8 bits.

    Attributes:
        kind: ``full``: what the format can hold (0 to 65535, 0 to 1 in floating point); ``auto``: each
            photograph's own lowest and highest value; ``fixed``: ``low`` to ``high``, beyond them cut off.
        low, high: where fixed.
    """

    kind: Literal["full", "auto", "fixed"] = "full"
    low: float = 0.0
    high: float = 0.0

    @property
    def words(self) -> str:
        """As on the command line."""
        return f"{self.low:g},{self.high:g}" if self.kind == "fixed" else self.kind


FULL = PixelRange()
_current: ContextVar[PixelRange] = ContextVar("pixel_range", default=FULL)


def read_range(words: str) -> PixelRange:
    """A range from ``auto``, ``full`` or ``LOW,HIGH``.

    Raises:
        InputError: anything else, or a low that is not below the high.
    """
    if words == "full":
        return FULL
    if words == "auto":
        return PixelRange("auto")
    try:
        low, high = (float(word) for word in words.split(","))
    except ValueError:
        low = high = np.nan
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise InputError(
            f"--range is auto, full, or LOW,HIGH with LOW below HIGH, such as 0,4095; got {words!r}"
        )
    return PixelRange("fixed", low, high)


@contextmanager
def reading_range(wanted: PixelRange) -> Iterator[None]:
    """Photographs that are decoded inside, also in threads with this context, are read in this range."""
    token = _current.set(wanted)
    try:
        yield
    finally:
        _current.reset(token)


def use_range(wanted: PixelRange) -> None:
    """Photographs that are decoded from now on in this context are read in this range."""
    _current.set(wanted)


def in_this_range(decode: Callable[P, T]) -> Callable[P, T]:
    """A function for any thread: it reads in the range that is current here and now."""
    wanted = current_range()

    def decoding(*words: P.args, **more: P.kwargs) -> T:
        with reading_range(wanted):
            return decode(*words, **more)

    return decoding


def current_range() -> PixelRange:
    """The range that photographs are read in here."""
    return _current.get()


def to_8_bits(
    values: Shaped[np.ndarray, "H W"], wanted: PixelRange, source: str, notes: list[str], *, inverted: bool
) -> UInt8[np.ndarray, "H W"]:
    """Grey of 16 bits or floating point as 8 bits, linearly; warns where little of the range is used.

    Args:
        values: whole numbers from 0 to 65535, or floating point.
        wanted: black and white.
        source: of the photograph, for messages.
        notes: gets what was done.
        inverted: low is white.

    Raises:
        ImageError: NaN or infinite values, or values outside the full range.
    """
    floating = values.dtype.kind == "f"
    lowest, highest = float(values.min()), float(values.max())
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise ImageError(source, "NaN or infinite pixels have no place between black and white: replace them")
    low, high = _ends(wanted, lowest, highest, source, floating=floating)
    deep = "floating point" if floating else f"{8 * values.itemsize} bits"
    said = f"{deep} scaled to 8"
    if wanted.kind != "full" or floating:
        said += f": {low:g} to {high:g}"
    notes.append(said if wanted.kind == "full" else f"{said}, {ASKED}")
    if wanted.kind == "full" and highest - lowest < LITTLE * (high - low):
        notes.append(f"only {lowest:g} to {highest:g} of {low:g} to {high:g} is used")
        LOG.warning(
            "%s: the pixels are %g to %g, of %g to %g: little of the range, so hardly anything shows. %s",
            printable(source),
            lowest,
            highest,
            low,
            high,
            _ADVICE,
        )
    out = np.empty(values.shape, np.uint8)
    for row, stored in enumerate(values):  # row by row: in float64 the whole would take eight times as much
        share = (stored.astype(np.float64) - low) / (high - low) if high > low else np.zeros(len(stored))
        grey = np.round(np.clip(share, 0.0, 1.0) * 255.0)
        out[row] = 255 - grey if inverted else grey
    return out


def check_deep_colours(
    pixels: UInt8[np.ndarray, "H W 3"], wanted: PixelRange, source: str, notes: list[str]
) -> None:
    """Say what was done to colours of 16 bits, of which only the upper 8 are to be had.

    Raises:
        ImageError: another range than the full one was asked for.
    """
    if wanted.kind != "full":
        raise ImageError(
            source,
            "colours of 16 bits a channel are read in their full range alone: scale them before",
        )
    notes.append("16 bits a channel: the upper 8 taken")
    if int(pixels.max()) - int(pixels.min()) < LITTLE * 255:
        notes.append("little of the range is used")
        LOG.warning(
            "%s: the colours, of 16 bits a channel, use less than a quarter of their range, so hardly "
            "anything shows: scale them before; for grey of 16 bits there is --range",
            printable(source),
        )


def _ends(
    wanted: PixelRange, lowest: float, highest: float, source: str, *, floating: bool
) -> tuple[float, float]:
    if wanted.kind == "auto":
        return lowest, highest
    if wanted.kind == "fixed":
        return wanted.low, wanted.high
    full = (0.0, 1.0) if floating else (0.0, 65535.0)
    if lowest < full[0] or highest > full[1]:
        kind = "floating-point" if floating else "integer"
        raise ImageError(
            source,
            f"{kind} pixels from {lowest:g} to {highest:g}, outside {full[0]:g} to {full[1]:g}, have no "
            f"stated range: {_ADVICE}",
        )
    return full

"""What the sharpness-coherence plane says, in words, and what of it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from dinoscope.comparison import words
from dinoscope.comparison.columns import Column, columns_of
from dinoscope.comparison.mask_words import others_told
from dinoscope.data.results import FEW_IMAGES, FEWEST_TO_JUDGE, Comparison, Measurements
from dinoscope.drawing import verdicts
from dinoscope.drawing.style import plain
from dinoscope.errors import InputError
from dinoscope.metrics.registry import AXES

AxesChoice = Literal["auto", "with masks", "proxies"]
Kind = Literal["with masks", "proxies"]
_KINDS: tuple[Kind, ...] = ("with masks", "proxies")
_MOST_READINGS = 3


class Place(NamedTuple):
    """A column whose two values are known."""

    column: Column
    x: float
    y: float


def plane_axes(measured: Measurements) -> tuple[Kind, ...]:
    """The entries of `AXES` that were measured, masks first."""
    return tuple(kind for kind in _KINDS if all(key in measured.values for key in AXES[kind]))


def plane_readings(measurements: Measurements | Comparison, *, axes: AxesChoice = "auto") -> tuple[str, ...]:
    """What the plane shows: each model's paired difference to the first, then what blurring does."""
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    keys = AXES[chosen_axes(measured, axes)]
    columns = columns_of(measurements)
    told = [_reading(c, keys, columns[0].label) for c in columns[1:] if not c.beside]
    readings = [said for said in told if said][:_MOST_READINGS]
    blurred = blur_of(columns)
    if blurred is not None:
        dx, dy = (blurred.interval(key).mean - columns[0].interval(key).mean for key in keys)
        if math.isfinite(dx) and math.isfinite(dy):
            readings.append(
                f"Blurring the features of {plain(columns[0].label, 40)} moves it by "
                f"{words.number(dx, sign='+')} in sharpness and {words.number(dy, sign='+')} in coherence "
                "(dashed arrow)."
            )
    return tuple(readings)


def plane_notes(measurements: Measurements | Comparison, *, axes: AxesChoice = "auto") -> tuple[str, ...]:
    """How to read the plane: of how many photographs it is, what its marks are, what is missing."""
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    kind = chosen_axes(measured, axes)
    columns = columns_of(measurements)
    n = len(measured.images)
    notes = [f"{words.count(n, 'photograph')}. Bars: 95% intervals over photographs. Dotted: chance."]
    if any(column.control for column in columns):
        notes.append("Grey: controls, not trained models.")
    notes += [f"{plain(told, 120)}." for told in others_told(measured)]
    if kind == "with masks" and measured.people is not None:
        notes.append(f"Stars: people's segmentations, scored against {plain(measured.masks, 60)}.")
    if n == 1:
        notes.append("One photograph: no interval can be given.")
    elif n < FEW_IMAGES:
        notes.append(f"Fewer than {FEW_IMAGES} photographs: intervals of skewed values are too narrow.")
    if n < FEWEST_TO_JUDGE:
        notes.append(f"Fewer than {FEWEST_TO_JUDGE}: no direction is named.")
    if kind == "proxies":
        notes.append(
            "Proxies stand for sharpness and coherence where there are no masks: edges and regions of colour "
            "are not objects. Not to be compared with values against masks."
        )
    _, missing = known_places(columns, AXES[kind])
    if missing:
        notes.append(f"Undefined, not drawn: {', '.join(plain(c.label, 60) for c in missing)}.")
    return tuple(notes)


def blur_of(columns: Sequence[Column]) -> Column | None:
    """The blurred first model, where it was measured."""
    blurred = [c for c in columns if c.label.startswith("blur:") and c is not columns[0]]
    own = [c for c in blurred if c.label == f"blur:{columns[0].label}"]
    return own[0] if own else blurred[0] if len(blurred) == 1 else None


def chosen_axes(measured: Measurements, axes: AxesChoice) -> Kind:
    """The entry of `AXES` to draw.

    Raises:
        InputError: its two metrics were not measured.
    """
    held = plane_axes(measured)
    if axes != "auto" and axes not in AXES:
        raise InputError(f"axes must be auto, {' or '.join(AXES)}, got {axes!r}")
    there = ", ".join(measured.values) or "nothing"
    if axes == "auto":
        if not held:
            raise InputError(f"sharpness and coherence were not measured; there is {there}")
        return held[0]
    if axes not in held:
        raise InputError(f"{' and '.join(AXES[axes])} were not measured; there is {there}")
    return axes


def known_places(columns: Sequence[Column], keys: tuple[str, str]) -> tuple[list[Place], list[Column]]:
    """Where both metrics are defined, and the columns where one is not."""
    places = [Place(c, c.interval(keys[0]).mean, c.interval(keys[1]).mean) for c in columns]
    known = [p for p in places if math.isfinite(p.x) and math.isfinite(p.y)]
    asked = [p for p in places if not p.column.person or p.column.has(keys[0])]
    return known, [p.column for p in asked if p not in known]


def _reading(column: Column, keys: tuple[str, str], first: str) -> str:
    """``B against A: less sharp (−0.030 […]), more coherent (+0.120 […])``; empty where it is undefined."""
    parts = []
    for key, more, less, what in (
        (keys[0], "sharper", "less sharp", "sharpness"),
        (keys[1], "more coherent", "less coherent", "coherence"),
    ):
        difference = column.difference(key)
        if difference is None or not math.isfinite(difference.interval.mean):
            return ""
        way = verdicts.direction(difference.interval)
        if difference.interval.n < FEWEST_TO_JUDGE:
            verdict = what
        else:
            verdict = more if way > 0 else less if way < 0 else f"no clear difference in {what}"
        also = verdicts.agreement(difference)
        parts.append(
            f"{verdict} ({words.interval(difference.interval, sign='+')}; above / tied / below in "
            f"{verdicts.shares(difference)}% of photographs{'; ' + also if also else ''})"
        )
    return f"{plain(column.label, 40)} against {plain(first, 40)}: {', '.join(parts)}."

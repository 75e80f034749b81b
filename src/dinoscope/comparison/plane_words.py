"""What the plane says, in words, and what of it is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE, Kind
from dinoscope.comparison.columns import Column, columns_of
from dinoscope.comparison.mask_words import others_told
from dinoscope.comparison.plane_verdicts import changes_of, reading
from dinoscope.data.results import FEW_IMAGES, FEWEST_TO_JUDGE, Comparison, Measurements
from dinoscope.drawing.style import plain
from dinoscope.errors import InputError
from dinoscope.metrics.registry import AXES

AxesChoice = Literal["auto", "with masks", "proxies"]
_KINDS: tuple[Kind, ...] = get_args(Kind)
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
    """What the plane shows: each model's paired difference to the first, what blurring does, and whether the
    verdicts survive standardised channels.
    """
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    kind = chosen_axes(measured, axes)
    columns = columns_of(measurements)
    told = [reading(c, AXES[kind], columns[0].label, PLANE[kind]) for c in columns[1:] if not c.beside]
    readings = [said for said in told if said][:_MOST_READINGS]
    readings += _blurs(measured, columns, kind)
    readings += _robust(measured, plane_changes(measurements, axes=kind))
    return tuple(readings)


def plane_changes(measurements: Measurements | Comparison, *, axes: AxesChoice = "auto") -> tuple[str, ...]:
    """Verdicts that standardised channels change, one for each model and axis; none where none is known."""
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    kind = chosen_axes(measured, axes)
    first, *others = (c for c in columns_of(measurements) if not c.beside)
    return tuple(said for c in others for said in changes_of(c, AXES[kind], first.label, PLANE[kind]))


def _robust(measured: Measurements, changes: Sequence[str]) -> list[str]:
    """Whether verdicts survive standardised channels; nothing where too few photographs have been asked."""
    checks = measured.checks
    if checks is None or checks.n_sampled < FEWEST_TO_JUDGE:
        return []
    n, whole = checks.n_sampled, len(measured.images)
    some = f"{n} of the {whole} photographs, chosen by digest and judged alone"
    where = "all photographs" if n == whole else some
    how = f"With every channel standardised (mean 0 and variance 1 over the patches of {where})"
    if not changes:
        return [f"{how}, no verdict changes."]
    what = "a verdict changes" if len(changes) == 1 else "verdicts change"
    return [f"{how}, {what}: {'; '.join(changes)}."]


def _blurs(measured: Measurements, columns: Sequence[Column], kind: Kind) -> list[str]:
    """How far a blur of one patch, and of half a patch, moves the first model."""
    first = plain(columns[0].label, 40)

    def along(steps: Sequence[float]) -> str:
        return " and ".join(
            f"{words.number(step, sign='+')} in {axis.moved}"
            for step, axis in zip(steps, PLANE[kind].axes, strict=True)
        )

    told = []
    blurred = blur_of(columns)
    if blurred is not None:
        steps = [blurred.interval(key).mean - columns[0].interval(key).mean for key in AXES[kind]]
        if all(map(math.isfinite, steps)):
            told.append(
                f"Blurring the features of {first} by one patch moves it by {along(steps)} (dashed arrow)."
            )
    if measured.checks is not None:
        half = [measured.checks.half_blur.get(key) for key in AXES[kind]]
        steps = [step.interval.mean for step in half if step is not None]
        if len(steps) == 2 and all(map(math.isfinite, steps)):
            told.append(f"A blur of half a patch moves {first} by {along(steps)}.")
    return told


def plane_notes(measurements: Measurements | Comparison, *, axes: AxesChoice = "auto") -> tuple[str, ...]:
    """How to read the plane: of how many photographs it is, what its marks are, what is missing."""
    measured = measurements.measurements if isinstance(measurements, Comparison) else measurements
    kind = chosen_axes(measured, axes)
    columns = columns_of(measurements)
    n = len(measured.images)
    notes = [
        f"{words.count(n, 'photograph')}. Bars: 95% intervals over photographs. Dotted: "
        "features without spatial structure."
    ]
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
            "Proxies: edges and regions of like colour are not objects, and nothing here is said of objects. "
            "Not to be compared with values against masks."
        )
    _, missing = known_places(columns, AXES[kind])
    if missing:
        notes.append(f"Undefined, not drawn: {', '.join(plain(c.label, 60) for c in missing)}.")
    return tuple(notes)


def blur_of(columns: Sequence[Column]) -> Column | None:
    """The blurred first model, where it was measured."""
    blurred = [c for c in columns if c.control and c.label.startswith("blur:") and c is not columns[0]]
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

"""The first thing a reader sees: the title, the verdict, and a small plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.columns import Column, columns_of
from dinoscope.comparison.plane_words import Place, known_places, plane_axes
from dinoscope.comparison.verdict import verdict
from dinoscope.data.results import Comparison
from dinoscope.drawing.pages import fill
from dinoscope.drawing.placement import Box, Segment, place_labels
from dinoscope.metrics.registry import AXES

WIDTH, HEIGHT = 280, 190
"""The size of the small plane, in CSS pixels."""

INCH = 96
"""CSS pixels."""

LONGEST, CHARACTER, LINE = 24, 7.5, 14
"""Characters of a label at most, about the width of one, and the height of a label, in CSS pixels."""


class Spot(NamedTuple):
    """A model on the small plane, in CSS pixels: its mark, its intervals, where its label's line begins."""

    column: Column
    x: float
    y: float
    across: tuple[float, float] | None
    along: tuple[float, float] | None
    label: tuple[float, float] | None = None

    @property
    def named(self) -> str:
        """The model's label as it is drawn; empty where a spot is only marked."""
        beside = self.column.control or self.column.person
        return "" if beside else self.column.label[:LONGEST]

    @property
    def mark(self) -> Box:
        """The box around the model's mark that labels keep off, in inches."""
        reach = 5 if self.named else 4
        return Box(*(v / INCH for v in (self.x - reach, self.y - reach, self.x + reach, self.y + reach)))

    @property
    def lines(self) -> tuple[Segment, ...]:
        """The model's intervals as lines that labels keep off, in inches."""
        ends = []
        if self.across:
            ends.append((self.across[0], self.y, self.across[1], self.y))
        if self.along:
            ends.append((self.x, self.along[0], self.x, self.along[1]))
        return tuple(Segment(*(v / INCH for v in line)) for line in ends)


def opening(comparison: Comparison) -> Markup:
    """Title, verdict and plane as markup; without the plane where it was not measured."""
    held = plane_axes(comparison.measurements)
    return fill(
        "comparison/report/opening.html",
        comparison=comparison,
        verdict=verdict(comparison),
        kinds=words.kinds(comparison.models),
        plane=PLANE[held[0]] if held else None,
        spots=_spots(comparison, AXES[held[0]]) if held else [],
        width=WIDTH,
        height=HEIGHT,
    )


def _spots(comparison: Comparison, keys: tuple[str, str]) -> list[Spot]:
    places, _ = known_places(columns_of(comparison), keys)
    scales = [_scale(places, key, k) for k, key in enumerate(keys)]
    found: list[Spot] = []
    for place in sorted(places, key=lambda p: (p.column.beside, -p.y)):
        ends = []
        for k, key in enumerate(keys):
            interval = place.column.interval(key)
            known = math.isfinite(interval.low) and not place.column.control
            ends.append(
                (_at(interval.low, scales[k], k), _at(interval.high, scales[k], k)) if known else None
            )
        x, y = _at(place.x, scales[0], 0), _at(place.y, scales[1], 1)
        found.append(Spot(place.column, x, y, ends[0], ends[1]))
    return _labelled(found)


def _labelled(spots: Sequence[Spot]) -> list[Spot]:
    """With labels that keep off marks, intervals and each other."""
    named = [spot for spot in spots if spot.named]
    boxes = place_labels(
        [(spot.x / INCH, spot.y / INCH) for spot in named],
        [(CHARACTER * len(spot.named) / INCH, LINE / INCH) for spot in named],
        Box(0, 0, WIDTH / INCH, HEIGHT / INCH),
        marks=[spot.mark for spot in spots],
        segments=[line for spot in spots for line in spot.lines],
    )
    at = {id(spot): box for spot, box in zip(named, boxes, strict=True)}
    return [
        spot._replace(label=(round(at[id(spot)].left * INCH, 1), round(at[id(spot)].bottom * INCH - 3, 1)))
        if id(spot) in at
        else spot
        for spot in spots
    ]


def _scale(places: Sequence[Place], key: str, k: int) -> tuple[float, float]:
    shown = [(p.x, p.y)[k] for p in places]
    for place in places:
        interval = place.column.interval(key)
        if not place.column.control and math.isfinite(interval.low):
            shown += [interval.low, interval.high]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    room = 0.08 * (high - low) or 0.05
    return low - room, high + room


def _at(value: float, scale: tuple[float, float], k: int) -> float:
    share = (value - scale[0]) / (scale[1] - scale[0])
    return round(share * WIDTH if k == 0 else (1 - share) * HEIGHT, 1)

"""Where labels go so that nothing lies on anything else: the same place for the same picture, always.

All lengths are in inches, x to the right, y down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

REACH = (0.07, 0.13, 0.22, 0.34, 0.5, 0.7, 0.95, 1.25, 1.6)
"""How far from its point a label may lie, nearest first."""

FAR = 0.2
"""Labels beyond this need a line to their point."""

_ANGLES = (0, 180, 45, 315, 135, 225, 90, 270, 22, 338, 158, 202, 67, 292, 112, 247)
_ON_LABEL, _ON_LINE, _OUTSIDE, _AWAY, _TURNED = 400.0, 30.0, 4000.0, 1.2, 0.004


class Box(NamedTuple):
    """An upright rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Box) -> float:
        """The area in both."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(width, 0.0) * max(height, 0.0)

    @property
    def area(self) -> float:
        return (self.right - self.left) * (self.bottom - self.top)


class Segment(NamedTuple):
    """A straight line that labels keep off; the higher its weight, the more."""

    x0: float
    y0: float
    x1: float
    y1: float
    weight: float = 1.0

    def inside(self, box: Box) -> float:
        """The length of the part that lies in a box."""
        dx, dy = self.x1 - self.x0, self.y1 - self.y0
        first, last = 0.0, 1.0
        for start, step, low, high in (
            (self.x0, dx, box.left, box.right),
            (self.y0, dy, box.top, box.bottom),
        ):
            if step == 0:
                if not low < start < high:
                    return 0.0
                continue
            a, b = sorted(((low - start) / step, (high - start) / step))
            first, last = max(first, a), min(last, b)
        return max(last - first, 0.0) * math.hypot(dx, dy)


def place_labels(
    points: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    frame: Box,
    *,
    marks: Sequence[Box] = (),
    segments: Sequence[Segment] = (),
) -> tuple[Box, ...]:
    """A box for each label beside its point, the first label first.

    Each goes where it covers least of the labels before it, the marks and the segments, then nearest to
    its point. Nothing is ever left out: in a picture that is too full something is covered.

    Args:
        points: what is labelled.
        sizes: ``(width, height)`` of the labels.
        frame: no label leaves it where there is room inside.
        marks: what may not be covered.
        segments: what should not be covered.
    """
    placed: list[Box] = []
    leaders: list[Segment] = []
    for point, size in zip(points, sizes, strict=True):
        best: tuple[float, Box] | None = None
        for reach in REACH:
            for turn, angle in enumerate(_ANGLES):
                box = _beside(point, size, reach, math.radians(angle))
                cost = reach * _AWAY + turn * _TURNED
                cost += _OUTSIDE * (box.area - box.overlap(frame))
                cost += _ON_LABEL * sum(box.overlap(other) for other in (*placed, *marks))
                cost += _ON_LINE * sum(s.weight * s.inside(box) for s in (*segments, *leaders))
                if reach > FAR:
                    line = leader(point, box)
                    cost += _ON_LINE * sum(line.inside(other) for other in placed)
                if best is None or cost < best[0] - 1e-9:
                    best = cost, box
        if best is not None:
            placed.append(best[1])
            if is_far(point, best[1]):
                leaders.append(leader(point, best[1]))
    return tuple(placed)


def leader(point: tuple[float, float], box: Box) -> Segment:
    """The line from a point to the nearest place of its label's box."""
    x = min(max(point[0], box.left), box.right)
    y = min(max(point[1], box.top), box.bottom)
    return Segment(point[0], point[1], x, y)


def is_far(point: tuple[float, float], box: Box) -> bool:
    """Whether a label needs a line to its point."""
    line = leader(point, box)
    return math.hypot(line.x1 - line.x0, line.y1 - line.y0) > FAR


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> tuple[float, ...]:
    """Places on a line near those wanted, in the same order, at least a gap apart and within the limits.

    Where they do not all fit, they are as far apart as they can be.
    """
    n = len(wanted)
    if not n:
        return ()
    gap = min(gap, (high - low) / max(n - 1, 1))
    order = sorted(range(n), key=lambda k: (wanted[k], k))
    places = [min(max(wanted[k], low), high) for k in order]
    for k in range(1, n):
        places[k] = max(places[k], places[k - 1] + gap)
    places[-1] = min(places[-1], high)
    for k in range(n - 2, -1, -1):
        places[k] = min(places[k], places[k + 1] - gap)
    result = [0.0] * n
    for k, place in zip(order, places, strict=True):
        result[k] = place
    return tuple(result)


def _beside(point: tuple[float, float], size: tuple[float, float], reach: float, angle: float) -> Box:
    x = point[0] + math.cos(angle) * (reach + size[0] / 2)
    y = point[1] - math.sin(angle) * (reach + size[1] / 2)
    return Box(x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2)

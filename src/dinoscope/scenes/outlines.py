"""Outlines: the signed distances that shapes are made of, and the parts and shapes themselves.

A shape lives in the square [-1, 1]², x to the right and y down, its feet at y = 1. Distances are
negative inside; they are exact or slightly short of the Euclidean distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Field = Float[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a shape.

    Attributes:
        name: of the part.
        distance: signed, to the part's outline.
        finish: ``coat`` (the class's material), ``pale`` or ``dark`` (the same material, lighter or
            darker), or the name of a plain finish.
        grain: radians; the direction hairs or fibres run in.
        join: how softly it grows out of the parts before it, a length; 0 for a hard seam.
        round: the radius over which it curves away from the viewer.
    """

    name: str
    distance: Field
    finish: str = "coat"
    grain: float = 0.0
    join: float = 0.05
    round: float = 0.35


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Parts from the rearmost to the frontmost, and eyes as (x, y, radius)."""

    parts: tuple[Part, ...]
    eyes: tuple[tuple[float, float, float], ...] = ()
    lift: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """Where a shape lies: the coordinates of every place, and distances there."""

    x: Field
    y: Field

    def ellipse(self, cx: float, cy: float, rx: float, ry: float, turn: float = 0.0) -> Field:
        """First-order distance to an ellipse: F / |grad F|. Source: Taubin 1991, eq. 3."""
        c, s = np.cos(turn), np.sin(turn)
        px, py = (self.x - cx) * c + (self.y - cy) * s, (self.y - cy) * c - (self.x - cx) * s
        reach = np.hypot(px / rx, py / ry)
        slope = np.hypot(px / rx**2, py / ry**2)
        return np.where(slope > 1e-9, reach * (reach - 1.0) / np.maximum(slope, 1e-9), -min(rx, ry))

    def limb(self, start: tuple[float, float], end: tuple[float, float], r0: float, r1: float) -> Field:
        """A rounded bar from ``start`` to ``end`` whose radius goes from r0 to r1."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        px, py = self.x - start[0], self.y - start[1]
        along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy), 0.0, 1.0)
        return np.hypot(px - along * dx, py - along * dy) - (r0 + (r1 - r0) * along)

    def curve(self, points: list[tuple[float, float]], r0: float, r1: float) -> Field:
        """A rounded bar along a quadratic Bezier curve of three points."""
        t = np.linspace(0.0, 1.0, 7)
        (ax, ay), (bx, by), (cx, cy) = points
        xs = (1 - t) ** 2 * ax + 2 * t * (1 - t) * bx + t**2 * cx
        ys = (1 - t) ** 2 * ay + 2 * t * (1 - t) * by + t**2 * cy
        radii = r0 + (r1 - r0) * t
        pieces = [
            self.limb((xs[i], ys[i]), (xs[i + 1], ys[i + 1]), radii[i], radii[i + 1])
            for i in range(len(t) - 1)
        ]
        return np.minimum.reduce(pieces)

    def block(self, cx: float, cy: float, rx: float, ry: float, corner: float) -> Field:
        """A rectangle of half sides rx, ry with rounded corners."""
        qx, qy = np.abs(self.x - cx) - rx + corner, np.abs(self.y - cy) - ry + corner
        return np.hypot(np.maximum(qx, 0), np.maximum(qy, 0)) + np.minimum(np.maximum(qx, qy), 0.0) - corner


def blend(first: Field, second: Field, width: float) -> Field:
    """Smooth union: the minimum, rounded over ``width``."""
    if width <= 0:
        return np.minimum(first, second)
    overlap = np.maximum(width - np.abs(first - second), 0.0) / width
    return np.minimum(first, second) - overlap * overlap * width * 0.25

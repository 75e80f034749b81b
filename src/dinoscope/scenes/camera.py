"""Camera: where a view is taken from, rays through its pixels and places on its sensor.

World axes: x right, y down, z forward. The first view's camera sits at the origin, its optical axis
along z; lengths are in heights of that camera above the ground, which is the plane y = 1. Views
differ by a translation and a roll about the optical axis, so planes of constant z stay parallel to
the sensor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Field = Float[np.ndarray, "..."]


@dataclass(frozen=True, slots=True)
class Camera:
    """A pinhole camera.

    Attributes:
        size: ``(W, H)`` pixels.
        focal_px: focal length in pixels.
        axis: (x, y) pixels where the optical axis meets the sensor; y is the horizon.
        position: (x, y, z) in the world.
        roll: radians.
    """

    size: tuple[int, int]
    focal_px: float
    axis: tuple[float, float]
    position: tuple[float, float, float] = (0.0, 0.0, 0.0)
    roll: float = 0.0

    def rays(self, x: Field, y: Field) -> tuple[Field, Field]:
        """Directions (dx, dy, 1) in the world through places on the sensor, in pixels."""
        u, v = (x - self.axis[0]) / self.focal_px, (y - self.axis[1]) / self.focal_px
        c, s = np.cos(self.roll), np.sin(self.roll)
        return c * u - s * v, s * u + c * v

    def project(self, x: Field, y: Field, z: Field) -> tuple[Field, Field]:
        """Places on the sensor, in pixels, of points in front of the camera."""
        away = z - self.position[2]
        u, v = (x - self.position[0]) / away, (y - self.position[1]) / away
        c, s = np.cos(self.roll), np.sin(self.roll)
        return (c * u + s * v) * self.focal_px + self.axis[0], (c * v - s * u) * self.focal_px + self.axis[1]

"""Layout: what stands where, under which light, seen from where. No pixel is drawn here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dinoscope.scenes.backdrops import FAR
from dinoscope.scenes.camera import Camera

TIGHTEST = 0.22
"""The smallest companion's size as a share of the main subject's."""


@dataclass(frozen=True, slots=True)
class Placement:
    """An upright plane with an object on it.

    Attributes:
        class_id: from 1.
        x, y, z: of the middle of the shape's square, in the world.
        half: half a side of that square.
        turn: radians, in the plane.
        mirrored: seen from the other side.
    """

    class_id: int
    x: float
    y: float
    z: float
    half: float
    turn: float
    mirrored: bool


@dataclass(frozen=True, slots=True)
class Light:
    """The sun and the sky.

    Attributes:
        towards: unit vector to the sun.
        sun, sky: colours of their light.
        balance: of the camera, per channel, as natural logarithms.
        falloff: loss of light in the image's corners, in [0, 1].
    """

    towards: tuple[float, float, float]
    sun: tuple[float, float, float]
    sky: tuple[float, float, float]
    balance: tuple[float, float, float]
    falloff: float


@dataclass(frozen=True, slots=True)
class Layout:
    """A scene before anything is drawn.

    Attributes:
        flat: seen from straight above, objects lying on the ground; otherwise they stand on it.
        wall: z of the plane that closes the scene.
        placements: the main subject first.
        light: the same for both views.
        first, second: the cameras.
    """

    flat: bool
    wall: float
    placements: tuple[Placement, ...]
    light: Light
    first: Camera
    second: Camera


def _power_law(u: float, smallest: float, largest: float) -> float:
    """A size of density r^-3 between two bounds, from u uniform in [0, 1)."""
    return float(smallest / np.sqrt(1.0 - u * (1.0 - (smallest / largest) ** 2)))


def _lying(rng: np.random.Generator, classes: np.ndarray, camera: Camera, wall: float) -> list[Placement]:
    w, h = camera.size
    per_px = wall / camera.focal_px
    half = rng.uniform(0.27, 0.38) * min(w, h) * per_px
    turn = rng.uniform(-np.pi, np.pi)
    main = Placement(
        int(classes[0]),
        rng.uniform(-0.13, 0.13) * w * per_px,
        rng.uniform(-0.13, 0.13) * h * per_px,
        wall - rng.uniform(0.18, 0.36),
        half,
        float(turn),
        bool(rng.random() < 0.5),
    )
    placed = [main]
    for class_id in classes[1:]:
        u, x, y, rise, turn, side = rng.random(6)
        size = _power_law(u, TIGHTEST, 0.85) * half
        other = Placement(
            int(class_id),
            float((x - 0.5) * 1.1 * w * per_px),
            float((y - 0.5) * 1.1 * h * per_px),
            float(wall - 0.05 - 0.42 * rise),
            size,
            float((2.0 * turn - 1.0) * np.pi),
            bool(side < 0.5),
        )
        near = np.hypot(other.x - main.x, other.y - main.y) < 0.8 * half + 0.55 * size
        if not (near and other.z < main.z):
            placed.append(other)
    return placed


def _standing(rng: np.random.Generator, classes: np.ndarray, camera: Camera, wall: float) -> list[Placement]:
    w, h = camera.size
    z = rng.uniform(2.1, 2.8)
    half = rng.uniform(0.29, 0.40) * min(w, h) * z / camera.focal_px
    side = bool(rng.random() < 0.5)
    main = Placement(
        int(classes[0]),
        rng.uniform(-0.16, 0.16) * w * z / camera.focal_px,
        1.0 - half,
        z,
        half,
        float(rng.normal(0.0, 0.02)),
        side,
    )
    placed = [main]
    for class_id in classes[1:]:
        u, across, along, side_draw = rng.random(4)
        size = _power_law(u, TIGHTEST, 0.9) * half
        nearest = 0.70 if size < 0.42 * half else 1.08
        away = 1.0 / (1.0 / (nearest * z) + along * (1.0 / min(0.9 * wall, 3.6 * z) - 1.0 / (nearest * z)))
        other = Placement(
            int(class_id),
            float((across - 0.5) * 1.05 * w * away / camera.focal_px),
            1.0 - size,
            float(away),
            size,
            float(rng.normal(0.0, 0.03)),
            bool(side_draw < 0.5),
        )
        beside = abs(other.x / other.z - main.x / main.z) > 0.75 * half / z + 0.6 * size / other.z
        if other.z > main.z or beside:
            placed.append(other)
    return placed


def _light(rng: np.random.Generator, *, flat: bool) -> Light:
    side, high, warm, tint, falloff = rng.random(5).tolist()
    azimuth = (0.45 + 0.85 * side) * (1 if tint < 0.5 else -1)
    elevation = 0.50 + 0.55 * high
    across = float(np.sin(azimuth) * np.cos(elevation))
    up = float(np.sin(elevation))
    front = float(np.cos(azimuth) * np.cos(elevation))
    towards = (across, -front, -up) if flat else (across, -up, -front)
    sun = (1.0 + 0.12 * warm, 1.0, 1.0 - 0.20 * warm)
    sky = (0.96 - 0.10 * warm, 0.98, 1.04 + 0.12 * warm)
    shift = rng.normal(0.0, 0.05, 2)
    return Light(
        towards,
        sun,
        sky,
        (float(shift[0]), float(-0.3 * shift[1]), float(-shift[0] + 0.3 * shift[1])),
        float(0.25 + 0.3 * falloff),
    )


def _moved(rng: np.random.Generator, camera: Camera, away: float) -> Camera:
    """A second camera: things ``away`` move by 3 to 7% of the shorter side, nearer ones by more."""
    step_px, heading, forward, roll = rng.random(4)
    length = (0.03 + 0.04 * step_px) * min(camera.size) * away / camera.focal_px
    angle = (heading - 0.5) * 0.8 + (np.pi if heading * 100 % 1 < 0.5 else 0.0)
    return Camera(
        camera.size,
        camera.focal_px,
        camera.axis,
        (
            float(length * np.cos(angle)),
            float(0.5 * length * np.sin(angle)),
            float((forward - 0.3) * 0.06 * away),
        ),
        float((roll - 0.5) * 0.05),
    )


def plan(
    layout_rng: np.random.Generator,
    light_rng: np.random.Generator,
    *,
    size: tuple[int, int],
    class_id: int,
    n_classes: int,
    background: str,
) -> Layout:
    """Decide where everything is. Sizes of companions follow a power law (density r^-3)."""
    rng = layout_rng
    w, h = size
    flat = bool(rng.random() < 0.35)
    classes = rng.integers(1, n_classes + 1, 14)
    classes[0] = class_id
    if flat:
        wall = 6.0
        camera = Camera(size, 1.15 * min(w, h), (w / 2, h / 2))
        placed = _lying(rng, classes[: int(rng.integers(7, 15))], camera, wall)
    else:
        far = background in FAR
        wall = float(rng.uniform(16.0, 24.0) if far else rng.uniform(4.2, 6.0))
        horizon = h / 2 - rng.uniform(0.10, 0.20) * min(w, h)
        camera = Camera(size, 1.15 * min(w, h), (w / 2, float(horizon)))
        placed = _standing(rng, classes[: int(rng.integers(4, 11))], camera, wall)
    second = _moved(rng, camera, placed[0].z)
    return Layout(flat, wall, tuple(placed), _light(light_rng, flat=flat), camera, second)

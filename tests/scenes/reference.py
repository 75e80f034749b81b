"""An independent look at a scene: the same layout and outlines, seen through 3 x 3 matrices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

from dinoscope.scenes import generate
from dinoscope.scenes.camera import Camera
from dinoscope.scenes.layout import Layout
from dinoscope.scenes.scene import Scene
from dinoscope.scenes.sprite import EXTENT, Sprite

WALL, GROUND = -1, 0


@dataclass(frozen=True)
class Drawn:
    scene: Scene
    layout: Layout
    sprites: list[Sprite]
    background: str


@dataclass(frozen=True)
class Look:
    """What a camera sees: surfaces (-1 wall, 0 ground, objects from 1), and places in the world.

    ``clear``: one surface fills clearly more of the pixel than any other. ``alone``: by object, its
    pixels in the frame with nothing else in the world. ``whole``: by object, where it fills pixels wholly.
    """

    surfaces: np.ndarray
    parts: np.ndarray
    world: np.ndarray
    clear: np.ndarray
    alone: list[int]
    whole: dict[int, np.ndarray]


@lru_cache
def drawn(
    seed: int,
    index: int,
    size: tuple[int, int],
    move: Callable[[Layout], Layout] | None = None,
    *,
    lighting: float = 0.0,
) -> Drawn:
    """A scene without blur and noise, and what it was drawn from; ``move`` changes the layout first."""
    seen = []
    render, plan = generate.render, generate.plan

    def spy(stage, layout, sprites, camera, **settings):
        seen.append((layout, sprites, stage.kind))
        return render(stage, layout, sprites, camera, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "render", spy)
        if move:
            patch.setattr(generate, "plan", lambda *args, **kwargs: move(plan(*args, **kwargs)))
        scene = generate.scene(seed, index=index, size=size, lighting=lighting, blur=0.0, noise=0.0)
    return Drawn(scene, *seen[0])


def _matrices(camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    k = np.array([[camera.focal_px, 0, camera.axis[0]], [0, camera.focal_px, camera.axis[1]], [0, 0, 1]])
    c, s = np.cos(camera.roll), np.sin(camera.roll)
    return k, np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]), np.array(camera.position)


def project(world: np.ndarray, camera: Camera) -> np.ndarray:
    """(x, y) pixels of world points, the last axis holding their coordinates."""
    k, rotation, position = _matrices(camera)
    homogeneous = (world - position) @ rotation @ k.T
    return homogeneous[..., :2] / homogeneous[..., 2:]


def look(made: Drawn, camera: Camera) -> Look:
    """Render the labels of one view, object by object over the whole frame, front to back."""
    k, rotation, position = _matrices(camera)
    w, h = camera.size
    places = np.array([[(x + 0.5, y + 0.5, 1.0) for x in range(w)] for y in range(h)])
    rays = places @ np.linalg.inv(k).T @ rotation.T

    to_wall = np.full((h, w), made.layout.wall - position[2])
    to_ground = np.full((h, w), np.inf)
    below = rays[..., 1] > 0
    if not made.layout.flat:
        to_ground[below] = (1.0 - position[1]) / rays[below][:, 1]
    reach = np.minimum(to_wall, to_ground)
    stage = np.where(to_ground < to_wall, GROUND, WALL)

    shares, worlds, parts, alone, whole, left = {}, {}, {}, {}, {}, np.ones((h, w))
    for number in sorted(range(1, len(made.sprites) + 1), key=lambda i: made.layout.placements[i - 1].z):
        sprite, placed = made.sprites[number - 1], made.layout.placements[number - 1]
        away = placed.z - position[2]
        worlds[number] = position + rays * away
        offset = (worlds[number][..., :2] - (placed.x, placed.y)) / placed.half
        c, s = np.cos(placed.turn), np.sin(placed.turn)
        local = offset @ np.array([[c, -s], [s, c]])
        if placed.mirrored:
            local = local * (-1, 1)
        n = len(sprite.distance)
        axis = ((np.arange(n) + 0.5) / n * 2 - 1) * EXTENT
        outline = RegularGridInterpolator((axis, axis), sprite.distance, bounds_error=False, fill_value=9.0)
        covered = np.clip(0.5 - outline(local[..., ::-1]) * placed.half * camera.focal_px / away, 0, 1)
        nearest = np.clip(np.rint((local / EXTENT + 1) * n / 2 - 0.5).astype(int), 0, n - 1)
        parts[number] = sprite.parts[nearest[..., 1], nearest[..., 0]]
        shares[number], alone[number] = covered * left, int((covered > 0.5).sum())
        whole[number] = covered == 1
        left = left * (1 - covered)

    numbers = [0, *shares]
    stack = np.stack([left, *shares.values()])
    ranked = np.sort(stack, axis=0)
    most = np.array(numbers)[stack.argmax(axis=0)]
    world = position + rays * reach[..., None]
    part = np.zeros((h, w), int)
    for number in shares:
        world = np.where((most == number)[..., None], worlds[number], world)
        part = np.where(most == number, parts[number], part)
    return Look(
        np.where(most == 0, stage, most),
        part,
        world,
        ranked[-1] - ranked[-2] > 1e-6,
        [alone[number] for number in sorted(alone)],
        whole,
    )

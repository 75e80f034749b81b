"""Scene: one procedural photograph, seen twice, with everything that is known about it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypedDict

import numpy as np
from jaxtyping import Bool, Float32, Int32, UInt8

from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError

SMALLEST_PX = 32
"""The shortest side a scene may have."""

LARGEST_PX = 4096
"""The longest side a scene may have."""

Box = tuple[int, int, int, int]


def _is_whole(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and low <= value <= high


@dataclass(frozen=True, slots=True)
class SceneSettings:
    """What decides how scenes look, apart from the seed.

    Attributes:
        size: ``(W, H)`` in pixels.
        background_correlation: the chance, in [0, 1], that the background is the one tied to the
            class of the main subject; otherwise it is drawn evenly from all of them. 0: the two
            are independent; 1: the class determines the background.
        lighting: 0: even light, every surface in its own colour; 1: full directional shading, soft
            cast shadows, vignette and a shifted white balance; between them, each in proportion.
        blur: depth of field. 0: sharp throughout; 1: a point infinitely far behind the main
            subject is spread by a Gaussian of standard deviation 2% of the shorter side. The
            main subject is in focus.
        noise: of the sensor, shot and read noise on linear light. 0: none; 1: a standard deviation
            of about 11 of 255 levels at mid-grey.
        n_classes: how many classes the subjects are drawn from, 1 to 48.

    Raises:
        InputError: a value outside its range.
    """

    size: tuple[int, int] = (256, 256)
    background_correlation: float = 0.0
    lighting: float = 0.7
    blur: float = 0.3
    noise: float = 0.15
    n_classes: int = 16

    def __post_init__(self) -> None:
        if len(self.size) != 2 or not all(_is_whole(side, SMALLEST_PX, LARGEST_PX) for side in self.size):
            raise InputError(
                f"size {self.size}: a scene is (W, H) whole pixels, each from {SMALLEST_PX} to {LARGEST_PX}"
            )
        for name in ("background_correlation", "lighting", "blur", "noise"):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise InputError(f"{name} {value}: give a number from 0 to 1")
        if not _is_whole(self.n_classes, 1, 48):
            raise InputError(f"n_classes {self.n_classes}: give a whole number from 1 to 48")


class SceneKeywords(TypedDict, total=False):
    """The fields of `SceneSettings` as keywords; what is left out takes its default."""

    size: tuple[int, int]
    background_correlation: float
    lighting: float
    blur: float
    noise: float
    n_classes: int


@dataclass(frozen=True, slots=True)
class SceneLabel:
    """What a scene is of.

    Attributes:
        class_id: of the main subject, 1 to ``n_classes``: the value in the class mask.
        class_name: its material and shape, such as ``striped-fish``.
        background: the kind of background, such as ``meadow``.
    """

    class_id: int
    class_name: str
    background: str


@dataclass(frozen=True, slots=True)
class SceneObject:
    """One object of a scene.

    Attributes:
        instance: its value in the instance mask, from 1; the main subject is 1.
        class_id, class_name: as in `SceneLabel`.
        parts: names; the value in the part mask is the 1-based place in this tuple.
        depth: of its plane, along the optical axis of the first view, in heights of the camera
            above the ground.
        box: ``(x0, y0, x1, y1)`` pixels, the tightest box around what the first view shows of it,
            x1 and y1 exclusive; None where it is hidden.
        visible: how much of it the first view shows, as a share of its pixels inside the frame
            were nothing in front; 0 where it is out of the frame.
    """

    instance: int
    class_id: int
    class_name: str
    parts: tuple[str, ...]
    depth: float
    box: Box | None
    visible: float


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A photograph and its masks; read-only. A pixel belongs to the surface that fills most of it.

    Attributes:
        image: sRGB-encoded.
        instances, classes, parts: labels; 0 is the background.
        depth: along this view's optical axis, of the surface the pixel belongs to, in heights of
            the camera above the ground.
    """

    image: UInt8[np.ndarray, "H W 3"]
    instances: Int32[np.ndarray, "H W"]
    classes: Int32[np.ndarray, "H W"]
    parts: Int32[np.ndarray, "H W"]
    depth: Float32[np.ndarray, "H W"]

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, read_only(getattr(self, each.name)))


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One procedural photograph, a second view of it, and everything that is known about both.

    Attributes:
        seed, index: the scene is number ``index`` of this seed.
        settings: how it was made.
        label: the main subject's class and the kind of background.
        objects: by instance number; the main subject is the first.
        order: instance numbers from the nearest to the farthest: each hides what comes after it.
        first: the photograph.
        second: the same scene after a small move of the camera; nothing in the scene moves.
        flow: (dx, dy) pixels, from each pixel's centre in ``first`` to the place of the same
            surface point in ``second``. Known for every pixel, seen there or not.
        valid: where that place lies inside the second frame and the pixel it falls in belongs to
            the same surface: neither out of the frame nor hidden.
    """

    seed: int
    index: int
    settings: SceneSettings
    label: SceneLabel
    objects: tuple[SceneObject, ...]
    order: tuple[int, ...]
    first: View
    second: View
    flow: Float32[np.ndarray, "H W 2"]
    valid: Bool[np.ndarray, "H W"]

    def __post_init__(self) -> None:
        for name in ("flow", "valid"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

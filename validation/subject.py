"""One planted photograph as a model with a planted fault sees it: all that a metric may ask for."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float64, Int64

from dinoscope.data.grid import PatchGrid
from dinoscope.maths.discovery import Box
from dinoscope.maths.masks import PatchLabels, patch_labels
from dinoscope.maths.patches import prepared
from dinoscope.maths.position import content_free_basis
from dinoscope.metrics.subject import Regions, SecondView, Seen, Views
from dinoscope.metrics.subject import Subject as Photographed
from validation import planted
from validation.causes import Cause, Map
from validation.planted import DIM, NOISE_LENGTH, PIXELS, SIDE, Planted, World, centres

SHIFT = 3
"""Base patches that the content moves by, down and right."""

CROP = (0.125, 0.125, 0.875, 0.875)


@dataclass(eq=False)
class Subject:
    """Attributes say what is seen; everything else is made when it is first asked for.

    Attributes:
        world, planted: the backbone and the photograph.
        cause: what is wrong with the model; None: nothing.
        amount: of the cause; None for its own.
    """

    world: World
    planted: Planted
    cause: Cause | None = None
    amount: float | None = None
    _seen: dict[str, Map] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """Patches a side."""
        finer = self.cause is not None and self.cause.key == "finer"
        return round(SIDE * self._amount) if finer else SIDE

    @property
    def shift(self) -> int:
        """Of the shifted view, in patches."""
        return SHIFT * self.side // SIDE

    def see(self, view: str = "plain") -> Map:
        """Of one view: ``plain``, ``flip``, ``shift``, ``half``, ``crop``, ``second``, ``double``."""
        if view not in self._seen:
            self._seen[view] = self._changed(self._view(view), view)
        return self._seen[view]

    @cached_property
    def subject(self) -> Photographed:
        """The plain view, as metrics ask for it."""
        basis = _place_basis(self.world, self.planted, self.cause if self._turned else None)
        return Photographed(prepared(self.see()), self.seen, self.cls, self.reference, basis)

    @property
    def views(self) -> Views:
        """The changed photographs, as metrics ask for them."""
        by = float(self.shift)
        return Views(
            self.see(),
            self.see("flip"),
            (self.see("shift"), (by, by)),
            (self.see("half"), (0.5, 0.5)),
            (self.see("crop"), CROP),
            self.see("double"),
            SecondView(self.see("second"), *self.flow),
        )

    @cached_property
    def reference(self) -> Map:
        """The plain view by another model without any fault, of another noise."""
        places = centres(self.side, self.side)
        return np.asarray(planted.field(self.planted, places) + self._noise("other", places.shape[:2]))

    @cached_property
    def cls(self) -> Float64[np.ndarray, " dim"]:
        """The class token."""
        return np.asarray(self.vectors(self.planted.cls[None, None])[0, 0])

    @cached_property
    def classes(self) -> Int64[np.ndarray, "h w"]:
        """Class of the cell at each patch's centre."""
        cells = planted.cells(self.planted, centres(self.side, self.side))
        return np.asarray(self.planted.classes[cells])

    @property
    def seen(self) -> Seen:
        """What the features are features of: no cause but a finer grid changes it."""
        return _seen(self.planted, self.side)

    @cached_property
    def flow(self) -> tuple[Float64[np.ndarray, "h w 2"], Bool[np.ndarray, "h w"]]:
        """The place of each patch in the second view, and whether that is inside the frame."""
        dx, dy, scale = self.planted.motion
        there = scale * (centres(self.side, self.side) - 0.5) + 0.5 + np.array([dx, dy])
        return there, np.asarray(((there > 0) & (there < 1)).all(axis=-1))

    @property
    def _amount(self) -> float:
        assert self.cause is not None  # only asked for with a cause
        return self.cause.amount if self.amount is None else self.amount

    def _view(self, view: str) -> Map:
        n = 2 * self.side if view == "double" else self.side
        places = centres(n, n)
        if view == "flip":
            places = np.array([1.0, 0.0]) + np.array([-1.0, 1.0]) * places
        elif view == "shift":
            places = places - self.shift / n
        elif view == "half":
            places = places - 0.5 / n
        elif view == "crop":
            places = CROP[0] + (CROP[2] - CROP[0]) * places
        elif view == "second":
            dx, dy, scale = self.planted.motion
            places = (places - 0.5 - np.array([dx, dy])) / scale + 0.5
        return np.asarray(planted.field(self.planted, places) + self._noise(view, (n, n)))

    def _noise(self, view: str, shape: tuple[int, ...]) -> Map:
        drawn = self._rng(view, "view").normal(size=(*shape, DIM))
        return np.asarray(NOISE_LENGTH / np.sqrt(DIM) * drawn)

    def _changed(self, values: Map, view: str) -> Map:
        if self.cause is None:
            return values
        return self.cause.change(values, self.world, self._rng(view, self.cause.key), self._amount)

    def vectors(self, values: Map) -> Map:
        """Vectors that are no patches of the photograph."""
        return self._changed(values, "vectors") if self._turned else values

    @property
    def _turned(self) -> bool:
        return self.cause is not None and self.cause.whole

    def _rng(self, *names: str) -> np.random.Generator:
        return np.random.default_rng((*self.planted.key, *(zlib.crc32(name.encode()) for name in names)))


@lru_cache(maxsize=4)
def _seen(photographed: Planted, side: int) -> Seen:
    places = centres(PIXELS, PIXELS)
    cells = planted.cells(photographed, places)
    grid = PatchGrid(side, side, 8, (PIXELS, PIXELS))
    objects = planted.object_cells(photographed)
    at_centres = planted.cells(photographed, centres(side, side))
    regions = Regions(
        patch_labels(photographed.region[cells], grid),
        PatchLabels(objects[at_centres].astype(np.int64), np.ones((side, side))),
        tuple(_box(cells == cell) for cell in np.flatnonzero(objects)),
    )
    return Seen((side, side), planted.photograph(photographed), regions)


def _box(inside: Bool[np.ndarray, "H W"]) -> Box:
    rows, cols = np.nonzero(inside)
    return (
        float(cols.min() / PIXELS),
        float(rows.min() / PIXELS),
        float((cols.max() + 1) / PIXELS),
        float((rows.max() + 1) / PIXELS),
    )


@lru_cache(maxsize=16)
def _place_basis(world: World, photographed: Planted, cause: Cause | None) -> Float64[np.ndarray, "k dim"]:
    """Directions in which place alone moves patches: of the planted field on five constant pictures."""
    places = planted.position_field(world, centres(SIDE, SIDE))
    colours = planted.draw_vectors(np.random.default_rng((*photographed.key, 5)), world.axes, 5)
    seen = Subject(world, photographed, cause)
    return content_free_basis([seen.vectors(places + c) for c in colours])

"""What is stated about a metric: its name, its range, its chance level, and what must move it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64

from dinoscope.metrics.subject import Collection, Scenes, Subject, Views

GROUPS = (
    "smoothness",
    "with masks",
    "proxies",
    "spectrum",
    "tokens",
    "frequency",
    "between models",
    "passes",
    "scenes",
)
"""In the order they are shown; masked metrics and proxies never share a picture."""

CAUSES = (
    "blur",
    "half_blur",
    "noise",
    "shuffle",
    "collapse",
    "position",
    "outliers",
    "rotation",
    "rescale",
    "finer",
)
"""What is planted: two blurs, of one patch and of half a patch, and the rest."""

SIGHTS = ("photograph", "masks", "reference", "places")
"""What a measure may look at beside one model's patches and class token: the photograph, its masks, the first
model's patches, and where on the grid each patch is."""

Values: TypeAlias = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Revision:
    """A sign that was changed after it had been measured once."""

    cause: str
    first: str
    why: str


@dataclass(frozen=True, slots=True)
class Planted:
    """What a metric must do under every cause that is planted, written down before it is measured.

    Signs: ``+`` rises, ``-`` falls, ``0`` must not move (within a tolerance), ``=`` must not move at all (to
    rounding), ``.`` no expectation.

    Attributes:
        signs: of every one of `CAUSES`, as ``cause:sign`` in their order.
        traps: causes that move it though they must not; its `Metric.warning` says so wherever it is shown.
        reasons: causes whose signs are not obvious, and why they are what they are.
        tolerance: of ``0`` in the metric's own unit, where its spread over planted data is all but nothing.
        floor: values below say the same as this one.
        note: what a reader should know besides.
        revised: signs that were first declared otherwise.
    """

    signs: str
    traps: tuple[str, ...] = ()
    reasons: tuple[tuple[tuple[str, ...], str], ...] = ()
    tolerance: float | None = None
    floor: float = -math.inf
    note: str = ""
    revised: tuple[Revision, ...] = ()

    def __post_init__(self) -> None:
        found = self.by_cause
        if tuple(found) != CAUSES or not set(found.values()) <= set("+-0=."):
            raise ValueError(f"a sign for each of {', '.join(CAUSES)}, not {self.signs!r}")

    @property
    def by_cause(self) -> dict[str, str]:
        """The signs."""
        return {cause: sign for cause, _, sign in (word.partition(":") for word in self.signs.split())}


@dataclass(frozen=True, slots=True)
class Metric:
    """One number, of a photograph or of a collection.

    Attributes:
        key: in files and in `Measurements.values`.
        title: to show; a noun phrase without its unit.
        group: one of `GROUPS`.
        place: within its group, from the first to be shown.
        meaning: one sentence: what it is, its range, what chance gives.
        range: its least and its largest value; a share where nothing is said.
        unit: ``%`` for shares that are shown as percentages; else empty.
        chance: its value for features that know nothing; None where there is no such value.
        warning: what moves it though it should not; shown wherever it is shown.
        needs_masks: it asks for masks; where nothing is said, those of the group of masks do.
        photograph: it looks at the photograph itself; where nothing is said, proxies and passes do.
        needs: ``objects``, ``classes`` or a ``background`` in these; empty where any masks will do.
        reference: it compares with the first model, for which it is undefined.
        collection: measured once over many photographs, so that it has no interval over them.
        passes: further forward passes of every photograph that it needs.
        reported: it stands in results and reports; the rest is used for validation or by one experiment.
        planted: what it must do under planted causes; None where it cannot be asked.
        by_draw: those of `SIGHTS` that decide what it draws at random, and nothing else.
        short: its name within a sentence; where nothing is said, the title with a small letter.
    """

    key: str
    title: str
    group: str
    place: int
    meaning: str
    range: tuple[float, float] = (0.0, 1.0)
    unit: str = ""
    chance: float | None = None
    warning: str = ""
    needs_masks: bool | None = None
    photograph: bool | None = None
    needs: str = ""
    reference: bool = False
    collection: bool = False
    passes: int = 0
    reported: bool = True
    planted: Planted | None = None
    by_draw: frozenset[str] = frozenset()
    short: str = ""

    def __post_init__(self) -> None:
        if self.needs_masks is None:
            object.__setattr__(self, "needs_masks", self.group == "with masks")
        if self.photograph is None:
            object.__setattr__(self, "photograph", self.group in ("proxies", "passes") or self.passes > 0)
        if not self.short:
            object.__setattr__(self, "short", f"{self.title[0].lower()}{self.title[1:]}")

    @property
    def sentence(self) -> str:
        """The meaning with a capital letter and a full stop."""
        return f"{self.meaning[0].upper()}{self.meaning[1:]}."

    @property
    def looks_at(self) -> frozenset[str]:
        """Those of `SIGHTS` that may move it; places, unless it must not move when patches change theirs."""
        still = self.planted is not None and self.planted.by_cause["shuffle"] == "="
        seen = (self.photograph, self.needs_masks, self.reference, not still)
        return frozenset(sight for sight, is_seen in zip(SIGHTS, seen, strict=True) if is_seen)

    def is_moved_by(self, but: frozenset[str]) -> bool:
        """Whether its number may be another, but for its own draws, where these of `SIGHTS` are."""
        return bool((self.looks_at - self.by_draw) & but)


@dataclass(frozen=True, slots=True)
class OfPhotograph:
    """Metrics that one function gives of one model's features of one photograph."""

    metrics: tuple[Metric, ...]
    measure: Callable[[Subject], Values]


@dataclass(frozen=True, slots=True)
class OfViews:
    """Metrics that need further forward passes: of changed photographs, or of a second view."""

    metrics: tuple[Metric, ...]
    measure: Callable[[Subject, Views], Values]


@dataclass(frozen=True, slots=True)
class OfCollection:
    """Metrics of many photographs at once."""

    metrics: tuple[Metric, ...]
    measure: Callable[[Collection], Values]


@dataclass(frozen=True, slots=True)
class OfScenes:
    """Metrics of held-out scenes, whose every patch and main subject have a class."""

    metrics: tuple[Metric, ...]
    measure: Callable[[Scenes], Values]


Family: TypeAlias = OfPhotograph | OfViews | OfCollection | OfScenes


@dataclass(frozen=True, slots=True, eq=False)
class CurveOf:
    """A function of one variable that belongs to one model's features of one photograph.

    Attributes:
        key: in `Measurements.curves`.
        x_title, y_title: what its axes show, with units.
        x: where it is read off, ascending.
        measure: its values there; NaN where undefined.
        looks_at: those of `SIGHTS` that may move it.
    """

    key: str
    x_title: str
    y_title: str
    x: Float64[np.ndarray, " points"]
    measure: Callable[[Subject], Float64[np.ndarray, " points"]]
    looks_at: frozenset[str] = frozenset(SIGHTS)


def read_off(
    places: Float64[np.ndarray, " points"], x: np.ndarray, y: np.ndarray
) -> Float64[np.ndarray, " points"]:
    """A curve at fixed places; NaN outside of where it is defined."""
    known = ~np.isnan(y)
    if not known.any():
        return np.full(len(places), np.nan)
    return np.interp(places, x[known], y[known], left=np.nan, right=np.nan)

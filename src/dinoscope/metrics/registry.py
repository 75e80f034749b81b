"""All metrics: every module of this package is asked for its own, so that a new file is a new metric."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import dinoscope.metrics as package
from dinoscope.maths.intervals import ANYWHERE
from dinoscope.metrics.facts import (
    GROUPS,
    CurveOf,
    Family,
    Metric,
    OfCollection,
    OfPhotograph,
    OfScenes,
    OfViews,
)

_MODULES = [
    import_module(f"{package.__name__}.{found.name}")
    for found in pkgutil.iter_modules(package.__path__)
    if found.name != "registry"
]


def _order(metric: Metric) -> tuple[int, int]:
    return GROUPS.index(metric.group), metric.place


def _first(family: Family) -> tuple[int, int]:
    return min(_order(metric) for metric in family.metrics)


FAMILIES: tuple[Family, ...] = tuple(
    sorted((f for module in _MODULES for f in getattr(module, "FAMILIES", ())), key=_first)
)
"""Metrics that are measured together, in the order of their first."""

EVERY = {m.key: m for m in sorted((m for family in FAMILIES for m in family.metrics), key=_order)}
"""By key, in the order they are shown."""

METRICS = {key: metric for key, metric in EVERY.items() if metric.reported}
"""Those that `dinoscope.measure` gives."""


def range_of(key: str) -> tuple[float, float]:
    """The least and the largest that a metric can be; anything for one that is not known here."""
    return EVERY[key].range if key in EVERY else ANYWHERE


PHOTOGRAPH = tuple(f for f in FAMILIES if isinstance(f, OfPhotograph))
VIEWS = tuple(f for f in FAMILIES if isinstance(f, OfViews))
COLLECTION = tuple(f for f in FAMILIES if isinstance(f, OfCollection))
SCENES = tuple(f for f in FAMILIES if isinstance(f, OfScenes))

CURVES: dict[str, CurveOf] = {
    curve.key: curve for module in _MODULES for curve in getattr(module, "CURVES", ())
}
"""By key."""

AXES = {
    "with masks": ("boundary_auc", "matched_coherence_auc"),
    "proxies": ("proxy_sharpness", "proxy_coherence"),
}
"""Sharpness and coherence, measured against masks or against the photograph itself."""

"""What every metric must do under every cause, as its own file says it, by metric and by cause."""

from __future__ import annotations

from dinoscope.metrics.facts import Planted
from dinoscope.metrics.registry import EVERY

SMALL = 0.5
"""Tolerance of ``0``: the whole interval of the effect within so many standard deviations: Cohen's medium."""

ROUNDING = 1e-6
"""Tolerance of ``=``: of the metric's value, or absolutely where that is below 1."""

PLANTED: dict[str, Planted] = {key: m.planted for key, m in EVERY.items() if m.planted is not None}
"""The rows, in the order of the table."""

TRAPS = {key: planted.traps for key, planted in PLANTED.items() if planted.traps}
"""Causes that move a metric though they must not: its warning says so wherever it is shown."""

NATIVE = {key: p.tolerance for key, p in PLANTED.items() if p.tolerance is not None}
"""Tolerance of ``0`` in the metric's own unit, where its spread over planted data is all but nothing."""


def expected() -> dict[str, dict[str, str]]:
    """Signs by metric and cause."""
    return {key: planted.by_cause for key, planted in PLANTED.items()}


def groups() -> dict[str, list[str]]:
    """The rows by group, in the order of the table."""
    found: dict[str, list[str]] = {}
    for key in PLANTED:
        found.setdefault(EVERY[key].group, []).append(key)
    return found

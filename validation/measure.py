"""The measured matrix: the paired difference that each cause makes to each metric, with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dinoscope.maths.intervals import paired_difference
from dinoscope.metrics.facts import Family
from dinoscope.metrics.facts import Values as Found
from dinoscope.metrics.registry import COLLECTION, EVERY, PHOTOGRAPH, VIEWS
from dinoscope.metrics.subject import Collection as Many
from validation.causes import CAUSES, Cause
from validation.expectations import NATIVE, PLANTED, ROUNDING, SMALL, expected
from validation.planted import draw_planted, draw_world
from validation.subject import Subject

SEED = 7
IMAGES = 32
COLLECTIONS = 20
COLLECTION_IMAGES = 8

Values = dict[str, dict[str, list[float]]]
"""By metric and by column (a cause's key, or ``none``): one for each photograph or collection."""

Cell = dict[str, Any]


def measure(
    *,
    images: int = IMAGES,
    collections: int = COLLECTIONS,
    seed: int = SEED,
    only: Collection[str] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> dict[str, dict[str, Any]]:
    """All rows, or those that ``only`` names, with their baselines and cells. Runs on one thread."""
    with threadpool_limits(1):
        values = _values(images, collections, seed, only, report)
    return {key: row_of(key, values[key]) for key in expected() if key in values}


def _values(
    images: int,
    collections: int,
    seed: int,
    only: Collection[str] | None,
    report: Callable[[str], None],
) -> Values:
    wanted = set(expected()) if only is None else set(only)
    values: Values = {}
    world = draw_world(seed)
    for i in range(images):
        planted = draw_planted(world, i)
        for name, cause in _columns():
            seen = Subject(world, planted, cause)
            for family in _asked(PHOTOGRAPH, wanted):
                _note(values, name, wanted, family.measure(seen.subject))
            for of_views in _asked(VIEWS, wanted):
                _note(values, name, wanted, of_views.measure(seen.subject, seen.views))
        report(f"photograph {i + 1} of {images}")
    for i in range(collections):
        world = draw_world(seed + 1 + i)
        pictures = [draw_planted(world, j) for j in range(COLLECTION_IMAGES)]
        for name, cause in _columns():
            of_cause = [Subject(world, picture, cause) for picture in pictures]
            maps = [s.see() for s in of_cause]
            many = Many(maps, maps, [s.classes for s in of_cause])
            for of_collection in _asked(COLLECTION, wanted):
                _note(values, name, wanted, of_collection.measure(many))
        report(f"collection {i + 1} of {collections}")
    return values


def row_of(key: str, columns: dict[str, list[float]]) -> dict[str, Any]:
    """One metric's baseline and cells."""
    base = np.array(columns["none"])
    known = base[~np.isnan(base)]
    return {
        "baseline": float(known.mean()),
        "deviation": float(known.std(ddof=1)),
        "n": len(base),
        "collection": EVERY[key].collection,
        "cells": {
            cause: cell_of(np.array(columns[cause]), base, sign, native=NATIVE.get(key))
            for cause, sign in expected()[key].items()
        },
    }


def cell_of(changed: np.ndarray, base: np.ndarray, sign: str, *, native: float | None = None) -> Cell:
    """The paired difference in the metric's unit and in pooled standard deviations, and whether it passes.

    Source of the effect size: Cohen, Statistical Power Analysis (1988), d with the pooled deviation of the
    two conditions over photographs; the interval is divided by the same deviation.
    """
    found = paired_difference(changed, base).interval
    spread = math.sqrt((_variance(changed) + _variance(base)) / 2)
    numbers = (found.mean, found.low, found.high)
    scale = float(np.nanmax(np.abs(base)))
    tiny = max(map(abs, numbers)) <= ROUNDING * max(1.0, scale)
    effects: tuple[float | None, ...] = (0.0,) * 3 if tiny else (None,) * 3
    if not tiny and spread > ROUNDING * max(1.0, scale):
        effects = tuple(number / spread for number in numbers)
    return {
        "expected": sign,
        "difference": list(numbers),
        "effect": list(effects),
        "n": found.n,
        "pass": _passes(sign, numbers, effects, tiny=tiny, native=native),
    }


def _passes(
    sign: str,
    numbers: Sequence[float],
    effects: Sequence[float | None],
    *,
    tiny: bool,
    native: float | None,
) -> bool | None:
    """None where nothing is expected."""
    if sign == ".":
        return None
    if not all(map(math.isfinite, numbers)):
        return False
    if sign == "+":
        return numbers[1] > 0 and not tiny
    if sign == "-":
        return numbers[2] < 0 and not tiny
    if sign == "=" or tiny:
        return tiny
    if native is not None:
        return max(map(abs, numbers)) <= native
    return all(effect is not None and abs(effect) <= SMALL for effect in effects)


def _variance(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.var(ddof=1)) if len(known) > 1 else math.nan


def _columns() -> Iterable[tuple[str, Cause | None]]:
    return [("none", None), *CAUSES.items()]


F = TypeVar("F", bound=Family)


def _asked(families: Iterable[F], wanted: set[str]) -> Iterable[F]:
    return (family for family in families if not wanted.isdisjoint(m.key for m in family.metrics))


def _note(values: Values, column: str, wanted: set[str], found: Found) -> None:
    for key, value in found.items():
        if key in wanted:
            counted = max(float(value), PLANTED[key].floor)
            values.setdefault(key, {}).setdefault(column, []).append(counted)

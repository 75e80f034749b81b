"""What a metric says that it looks at is all that moves it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dinoscope.comparison.numbers import Numbers, Same, numbers_of
from dinoscope.data.features import PatchFeatures
from dinoscope.maths.masks import PatchLabels
from dinoscope.metrics.facts import SIGHTS, CurveOf, Metric, OfCollection
from dinoscope.metrics.registry import COLLECTION, CURVES, METRICS, PHOTOGRAPH, VIEWS
from dinoscope.metrics.subject import Collection, Regions, Seen, Subject

SIDE, PX = 12, 4
ROUNDING = 1e-8
"""What the square roots of a product's eigenvalues may err by; see `maths.spectrum.FEW`."""
MEASURED: dict[str, Metric | CurveOf] = {m.key: m for family in PHOTOGRAPH for m in family.metrics}
MEASURED |= CURVES
YES_OR_NO = {"tokencut_hit", "lost_hit", "whole_box_hit"}
"""They need not move where they look."""


def field(seed: int, dim: int) -> np.ndarray:
    """Smooth patches with noise, and of different lengths."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((SIDE, SIDE, dim))
    smooth = 4 * gaussian_filter(noise, (2, 2, 0)) + 0.3 * noise + 0.2
    return np.asarray(smooth * rng.uniform(0.5, 2, (SIDE, SIDE, 1)))


def regions(seed: int) -> Regions:
    rng = np.random.default_rng(seed)
    areas = gaussian_filter(rng.standard_normal((SIDE, SIDE)), 2)
    labels = PatchLabels(
        np.digitize(areas, np.quantile(areas, [0.4, 0.7])), rng.choice([0.7, 1.0], (SIDE, SIDE))
    )
    return Regions(labels, labels, ((0.1 * seed, 0.0, 0.5 + 0.1 * seed, 0.6),))


def pixels(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (SIDE // 2, SIDE // 2, 3), dtype=np.uint8)
    return np.kron(coarse, np.ones((2 * PX, 2 * PX, 1), np.uint8))


def shuffled(values: np.ndarray, seed: int = 7) -> np.ndarray:
    flat = values.reshape(-1, values.shape[-1])
    return np.asarray(flat[np.random.default_rng(seed).permutation(len(flat))].reshape(values.shape))


def subject(dim: int, *changed: str) -> Subject:
    """One photograph's, but for what is changed."""
    other = {sight: int(sight in changed) for sight in SIGHTS}
    f = field(0, dim)
    return Subject(
        shuffled(f) if other["places"] else f,
        Seen((SIDE, SIDE), pixels(other["photograph"]), regions(other["masks"])),
        np.random.default_rng(3).standard_normal(dim),
        field(5 + other["reference"], dim),
        np.eye(dim)[:2],
    )


def everything(of: Subject) -> dict[str, np.ndarray]:
    """Every metric and curve, measured afresh."""
    found = {key: np.array(value) for family in PHOTOGRAPH for key, value in family.measure(of).items()}
    return found | {key: curve.measure(of) for key, curve in CURVES.items()}


def moved(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    return {
        key
        for key, value in before.items()
        if not np.allclose(value, after[key], rtol=ROUNDING, atol=ROUNDING, equal_nan=True)
    }


def seen_by(measures: Mapping[str, Metric | CurveOf], sight: str) -> set[str]:
    return {key for key, measure in measures.items() if sight in measure.looks_at}


@pytest.mark.parametrize("dim", [5, 2 * SIDE * SIDE])
@pytest.mark.parametrize("sight", SIGHTS)
def test_what_it_does_not_look_at_moves_nothing(sight: str, dim: int) -> None:
    """And what it looks at does."""
    before = everything(subject(dim))
    assert set(before) == set(MEASURED)
    found = moved(before, everything(subject(dim, sight)))
    assert found <= seen_by(MEASURED, sight)
    assert seen_by(MEASURED, sight) - YES_OR_NO <= found


@pytest.mark.parametrize(
    ("sight", "key", "hidden"),
    [
        ("photograph", "proxy_sharpness", {"photograph": False}),
        ("masks", "boundary_auc", {"needs_masks": False}),
        ("reference", "cka", {"reference": False}),
        ("places", "neighbour", {"planted": METRICS["random_pair"].planted}),
        ("places", "distance", {"looks_at": frozenset()}),
    ],
)
def test_whoever_declares_too_little_is_found(sight: str, key: str, hidden: dict[str, Any]) -> None:
    told = seen_by({**MEASURED, key: replace(MEASURED[key], **hidden)}, sight)
    assert moved(everything(subject(5)), everything(subject(5, sight))) - told == {key}


def test_of_a_collection_too() -> None:
    maps = [field(seed, 6) for seed in range(6)]
    classes = [regions(seed).labels.labels for seed in range(6)]
    for family in COLLECTION:
        before, after = (
            family.measure(Collection(several, several, classes))
            for several in (maps, [shuffled(one) for one in maps])
        )
        still = [m.key for m in family.metrics if "places" not in m.looks_at]
        assert all(before[key] == pytest.approx(after[key], abs=ROUNDING) for key in still)


def draws(family: OfCollection, key: str) -> tuple[np.ndarray, np.ndarray]:
    """A metric of a collection by further seeds, and of the same patches in other places."""
    maps = [field(seed, 6) for seed in range(8)]
    elsewhere = [[shuffled(one, seed) for one in maps] for seed in range(24)]
    return (
        np.array([family.measure(Collection(maps, seed=seed))[key] for seed in range(24)]),
        np.array([family.measure(Collection(several))[key] for several in elsewhere]),
    )


def far_apart(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether their means differ by more than four of their standard errors."""
    errors = [part.std(ddof=1) / len(part) ** 0.5 for part in (one, other)]
    return bool(abs(one.mean() - other.mean()) > 4 * math.hypot(*errors))


def test_what_places_only_draw_is_the_same_in_law() -> None:
    """And what is read off places is not."""
    places = frozenset({"places"})
    for family in COLLECTION:
        for metric in family.metrics:
            if not metric.needs_masks:
                assert far_apart(*draws(family, metric.key)) == metric.is_moved_by(places), metric.key
    assert all(metric.by_draw <= metric.looks_at for metric in METRICS.values())


def test_what_needs_passes_looks_at_the_photograph_in_its_places() -> None:
    for family in VIEWS:
        assert all({"photograph", "places"} <= metric.looks_at for metric in family.metrics)


@pytest.mark.parametrize("sight", SIGHTS)
def test_numbers_are_taken_over_where_nothing_of_a_family_looks(sight: str) -> None:
    dim, told = 5, -7.0
    whole = subject(dim)
    f = PatchFeatures.from_array(whole.features, image_size=(SIDE * PX, SIDE * PX), patch_size=PX)
    fresh = numbers_of(f, whole.seen, reference=whole.reference, masked=True)
    known = Numbers(
        dict.fromkeys(fresh.values, told), {key: np.full_like(c.x, told) for key, c in CURVES.items()}
    )
    same = Same(known, frozenset({sight}))
    found = numbers_of(f, whole.seen, reference=whole.reference, same=same, masked=True)
    for family in PHOTOGRAPH:
        wanted = [metric for metric in family.metrics if metric.reported]
        looked = any(sight in metric.looks_at for metric in wanted)
        for metric in wanted:
            value, mine = found.values[metric.key], fresh.values[metric.key]
            assert value == (mine if looked else told) or (looked and math.isnan(value) and math.isnan(mine))
    for key, curve in CURVES.items():
        assert (found.curves[key][0] == told) == (sight not in curve.looks_at)

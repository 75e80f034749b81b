"""What the plane's differences rest on: a light blur, and standardised channels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dinoscope.comparison.axes import HALF_BLUR, half_blurred_axes, with_standardised
from dinoscope.comparison.collected import Collected
from dinoscope.comparison.numbers import axes_of, seen_on
from dinoscope.comparison.plane_words import plane_changes, plane_readings
from dinoscope.comparison.row import Job, Row, row_of
from dinoscope.comparison.sample import Sample
from dinoscope.data.annotation import REGIONS, Annotation, MaskKind
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import AxisChecks, Measurements
from dinoscope.io.images import photograph_from_array
from dinoscope.metrics.registry import AXES

SIDE, DIM, PX = 10, 3, 4
RIGHT = np.arange(SIDE) >= SIDE // 2
LABELS = np.kron(np.tile(RIGHT, (SIDE, 1)), np.ones((PX, PX))).astype(np.int64)
KIND = MaskKind(REGIONS, "stated")
RNG = np.random.default_rng(8)


def _photograph(i: int) -> Photograph:
    pixels = np.random.default_rng(i).integers(0, 256, (SIDE * PX, SIDE * PX, 3), dtype=np.uint8)
    return photograph_from_array(pixels, name=f"{i}.png")


def _features(values: np.ndarray, name: str) -> PatchFeatures:
    side = SIDE * PX
    return PatchFeatures.from_array(
        values.astype(np.float32), image_size=(side, side), name=name, patch_size=PX
    )


def _told_by_a_faint_channel(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Noise; and the same with the border in a channel that all others drown."""
    plain = rng.standard_normal((SIDE, SIDE, DIM)) * [30, 30, 1]
    bordered = plain.copy()
    bordered[..., 2] = 4 * RIGHT + 0.1 * bordered[..., 2]
    return plain, bordered


def _annotation(_: Photograph) -> Annotation:
    return Annotation(LABELS, None, KIND)


def _measured(n: int = 8, kept: int = 48, scale: np.ndarray | float = 1.0) -> tuple[Measurements, Collected]:
    rng, collected = (
        np.random.default_rng(3),
        Collected(("a", "b"), masks=("m",), kind=KIND, sample=Sample(kept)),
    )
    for i in range(n):
        first, second = _told_by_a_faint_channel(rng)
        features = (_features(first, "a"), _features(second * scale, "b"))
        photograph = _photograph(i)
        collected.sample.add(photograph, features, _annotation(photograph))
        collected.add(row_of(Job(photograph, features, _annotation(photograph)), masked=True))
    return collected.measurements(seed=0), collected


def _checks(measured: Measurements) -> AxisChecks:
    assert measured.checks is not None
    return measured.checks


def _blurred_slowly(values: np.ndarray) -> np.ndarray:
    """Gaussian weights of every patch on every other, patch by patch."""
    blurred = np.empty(values.shape)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for r in range(SIDE):
        for c in range(SIDE):
            weights = np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / (2 * 0.5**2))
            blurred[r, c] = (weights[..., None] * values).sum(axis=(0, 1)) / weights.sum()
    return blurred


def test_the_light_blur_is_one_of_half_a_patch() -> None:
    assert HALF_BLUR == 0.5
    features = _features(RNG.standard_normal((SIDE, SIDE, DIM)), "a")
    seen = seen_on(features.grid, _photograph(0), annotation=_annotation(_photograph(0)))
    expected = axes_of(_blurred_slowly(features.values), seen, masked=True)
    assert half_blurred_axes(features, seen, masked=True) == pytest.approx(expected, abs=2e-3)
    assert set(expected) == {key for keys in AXES.values() for key in keys}
    assert set(half_blurred_axes(features, seen, masked=False)) == set(AXES["proxies"])


def test_what_lies_beyond_the_blur_and_the_blur_add_up_to_the_difference() -> None:
    measured, _ = _measured()
    checks = _checks(measured)
    for key in checks.half_blur:
        whole = measured.differences[key][0].interval.mean
        parts = checks.beyond_blur[key][0].interval.mean + checks.half_blur[key].interval.mean
        assert parts == pytest.approx(whole, abs=1e-12)


def test_standardised_differences_are_those_of_all_patches_together() -> None:
    measured, collected = _measured()
    checks = _checks(with_standardised(measured, collected.sample, _annotation))
    assert checks.n_sampled == 8
    tables = []
    for j in range(2):
        photographs = collected.sample.photographs
        maps = {digest: features[j].values for digest, (features, _) in collected.sample.rows.items()}
        rows = np.concatenate([m.reshape(-1, DIM) for m in maps.values()]).astype(np.float64)
        scaled = {digest: (m - rows.mean(axis=0)) / rows.std(axis=0) for digest, m in maps.items()}
        tables.append(
            [
                axes_of(
                    scaled[digest],
                    seen_on(features[0].grid, photographs[digest], annotation=_annotation(None)),  # type: ignore[arg-type]
                    masked=True,
                )
                for digest, (features, _) in sorted(collected.sample.rows.items())
            ]
        )
    for key in checks.standardised:
        gaps = [b[key] - a[key] for a, b in zip(*tables, strict=True)]
        assert checks.standardised[key][0].interval.mean == pytest.approx(np.mean(gaps), abs=1e-9)
        as_they_are = measured.differences[key][0].interval.mean
        assert checks.sampled[key][0].interval.mean == pytest.approx(as_they_are, abs=1e-12)


def test_a_verdict_that_hangs_on_the_scale_of_channels_is_told() -> None:
    measured, collected = _measured()
    told = with_standardised(measured, collected.sample, _annotation)
    changes = plane_changes(told, axes="with masks")
    assert any(said.startswith("b against a: sharper (+") for said in changes)
    assert all("instead of no clear difference" in said for said in changes)
    (said,) = (said for said in plane_readings(told) if "standardised" in said)
    assert "over the patches of all photographs)" in said and "sharper (+" in said
    assert plane_changes(measured) == () and not any("standard" in said for said in plane_readings(measured))


def test_the_scale_of_a_models_channels_does_not_reach_the_standardised_verdict() -> None:
    scale = np.array([1, 0.1, 20.0])
    plain, other = (_measured(scale=s) for s in (1.0, scale))
    first, second = (_checks(with_standardised(m, t.sample, _annotation)) for m, t in (plain, other))
    for key in first.standardised:
        assert first.standardised[key][0].interval.mean == pytest.approx(
            second.standardised[key][0].interval.mean, abs=1e-5
        )
        assert first.half_blur[key] == second.half_blur[key], "that is of the first model alone"


def test_a_sample_is_judged_alone_and_said_to_be_one() -> None:
    measured, collected = _measured(n=9, kept=7)
    told = with_standardised(measured, collected.sample, _annotation)
    assert _checks(told).n_sampled == 7
    assert _checks(told).sampled["boundary_auc"][0].interval.n == 7
    assert "7 of the 9 photographs, chosen by digest" in " ".join(plane_readings(told))
    measured, collected = _measured(n=9, kept=5)
    told = with_standardised(measured, collected.sample, _annotation)
    assert not any("standard" in said for said in plane_readings(told)), "five are too few for a verdict"


def test_a_single_model_has_nothing_to_check() -> None:
    collected = Collected(("a",), masks=("m",), kind=KIND)
    photograph, features = _photograph(0), (_features(RNG.standard_normal((SIDE, SIDE, DIM)), "a"),)
    collected.sample.add(photograph, features, _annotation(photograph))
    collected.add(row_of(Job(photograph, features, _annotation(photograph)), masked=True))
    measured = collected.measurements(seed=0)
    assert measured.checks is None
    assert with_standardised(measured, collected.sample, _annotation).checks is None


def test_a_row_keeps_the_blurred_numbers_through_the_journal() -> None:
    photograph = _photograph(0)
    features = [_features(m, n) for m, n in zip(_told_by_a_faint_channel(RNG), "ab", strict=True)]
    row = row_of(Job(photograph, features), masked=True)
    assert np.isnan(row.half_blur["boundary_auc"]) and np.isfinite(row.half_blur["proxy_sharpness"])
    again = Row.from_json({**row.as_json(), "key": row.digest})
    assert again.half_blur == pytest.approx(row.half_blur, nan_ok=True)
    assert row_of(Job(photograph, features), n_models=1).half_blur == {}


def test_controls_are_no_models_to_be_checked() -> None:
    photograph = _photograph(0)
    features = [_features(m, n) for m, n in zip(_told_by_a_faint_channel(RNG), "ab", strict=True)]
    collected = Collected(("a", "b"), ("pixels",))
    for i in range(2):
        shown = replace(photograph, digest=f"{i}")
        collected.sample.add(shown, (*features, features[0]), None)
        collected.add(row_of(Job(shown, [*features, features[0]]), n_models=2))
    measured = with_standardised(collected.measurements(seed=0), collected.sample)
    assert len(_checks(measured).standardised["proxy_sharpness"]) == 1
    assert measured.controls is not None and measured.controls.checks is None

"""The plane's sentences: in whose words, and what they rest on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.text import Text

from dinoscope.comparison.axes import blur_checks
from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.plane_words import plane_changes, plane_notes, plane_readings
from dinoscope.comparison.report.report import report_html
from dinoscope.comparison.tables.files import measurements_json
from dinoscope.comparison.tables.terminal import measurements_text
from dinoscope.data.results import Measurements
from dinoscope.maths.intervals import column_differences
from dinoscope.metrics.registry import AXES
from tests.samples import comparison, planted, with_planted

RNG = np.random.default_rng(2)


def _resting(
    measured: Measurements,
    half: Mapping[str, float],
    standardised: Mapping[str, float],
    *,
    spread: float = 0.002,
) -> Measurements:
    """With a light blur of the first model, and standardised differences, as given; else as they are."""
    n = len(measured.images)

    def about(mean: float) -> np.ndarray:
        noise = RNG.standard_normal(n)
        return mean + spread * (noise - noise.mean())

    keys = [key for pair in AXES.values() for key in pair if key in measured.values]
    means = {key: measured.differences[key][0].interval.mean for key in keys}
    blurred = {key: measured.values[key][:, 0] + about(half.get(key, 0.0)) for key in keys}
    return replace(
        measured,
        checks=replace(
            blur_checks(blurred, measured.values),
            n_sampled=n,
            sampled={key: measured.differences[key] for key in keys},
            standardised={
                key: column_differences(about(standardised.get(key, means[key]))[:, None]) for key in keys
            },
        ),
    )


def _pair(dx: float, dy: float, *, n: int = 12, masks: str = "m", noise: float = 0.004) -> Measurements:
    return planted({"a": (0.7, 0.7), "b": (0.7 + dx, 0.7 + dy)}, n=n, masks=masks, noise=noise)


def _reading(measured: Measurements) -> str:
    return plane_readings(measured)[0]


def test_a_difference_that_a_light_blur_makes_as_well_is_told() -> None:
    clear = _resting(_pair(0.02, 0.03), {"boundary_auc": 0.004, "matched_coherence_auc": 0.01}, {})
    assert "blur of half a patch does" not in _reading(clear)
    small = _reading(_resting(_pair(0.02, 0.03), {"boundary_auc": 0.025, "matched_coherence_auc": 0.01}, {}))
    assert "sharper (+0.020" in small
    assert "no larger than what a blur of half a patch does to a (+0.025)" in small
    assert small.count("blur of half a patch does") == 1
    hardly = _resting(_pair(0.02, 0.03, noise=0.02), {"boundary_auc": 0.019}, {}, spread=0.03)
    assert "not clearly larger than what a blur of half a patch does to a (+0.019)" in _reading(hardly)
    against = _resting(_pair(0.02, 0.03), {"boundary_auc": -0.025, "matched_coherence_auc": -0.05}, {})
    assert "blur of half a patch does" not in _reading(against), "a blur the other way explains nothing"
    less = _reading(_resting(_pair(-0.02, 0.03), {"boundary_auc": -0.025}, {}))
    assert "less sharp (−0.020" in less and "no larger than what a blur" in less
    nothing = _resting(_pair(0.0, 0.0), {"boundary_auc": 0.025, "matched_coherence_auc": 0.05}, {})
    assert "blur of half a patch does" not in _reading(nothing), "nothing was claimed"


def test_how_far_the_light_blur_moves_the_first_model_is_read_out() -> None:
    measured = _resting(_pair(0.02, 0.03), {"boundary_auc": 0.004, "matched_coherence_auc": 0.01}, {})
    assert "A blur of half a patch moves a by +0.004 in sharpness and +0.010 in coherence." in plane_readings(
        measured
    )


@pytest.mark.parametrize(
    ("plain", "standardised", "told"),
    [
        (0.0, 0.02, "sharper (+0.020"),
        (0.02, 0.0, "no clear difference in sharpness (0.000"),
        (0.02, -0.02, "less sharp (−0.020"),
        (0.02, 0.05, ""),
        (0.0, 0.0, ""),
    ],
)
def test_a_verdict_that_standardised_channels_change_is_told(
    plain: float, standardised: float, told: str
) -> None:
    measured = _resting(_pair(plain, 0.0), {}, {"boundary_auc": standardised})
    changes, readings = plane_changes(measured), " ".join(plane_readings(measured))
    if not told:
        assert changes == () and "over the patches of all photographs), no verdict changes." in readings
        return
    (change,) = changes
    assert change.startswith(f"b against a: {told}") and " instead of " in change
    assert f"a verdict changes: {change}." in readings
    for shown in (
        " ".join(measurements_text(measured).replace("-", "−").split()),
        report_html(with_rests(measured)),
    ):
        assert f"a verdict changes: b against a: {told.replace('-', '−')}"[:40] in shown
    found = json.loads(measurements_json(measured))["robustness"]
    assert found["changed_verdicts"] == {"with masks": [change], "proxies": []}


def with_rests(measured: Measurements) -> object:
    """A whole comparison with these numbers."""
    made = with_planted(comparison(["a.png"] * len(measured.images), ("a", "b")), masks="m")
    return replace(made, measurements=replace(measured, digests=made.measurements.digests))


def test_files_hold_what_the_verdicts_rest_on() -> None:
    measured = _resting(_pair(0.02, 0.03), {"boundary_auc": 0.004}, {"matched_coherence_auc": 0.05})
    found = json.loads(measurements_json(measured))["robustness"]
    half = found["half_blur"]
    assert (half["model"], half["minus"]) == ("a blurred by 0.5 patch", "a")
    assert half["metrics"]["boundary_auc"]["mean"] == pytest.approx(0.004)
    (beyond,) = found["beyond_half_blur"]
    assert (beyond["model"], beyond["minus"]) == ("b", "a blurred by 0.5 patch")
    assert beyond["metrics"]["boundary_auc"]["mean"] == pytest.approx(0.016)
    (standardised,), n = found["standardised"], found["n_standardised"]
    assert n == 12 and standardised["metrics"]["matched_coherence_auc"]["mean"] == pytest.approx(0.05)
    assert found["as_they_are"][0]["metrics"]["matched_coherence_auc"]["mean"] == pytest.approx(0.03)
    assert json.loads(measurements_json(_pair(0.1, 0.1)))["robustness"] is None


def test_below_six_photographs_nothing_is_judged() -> None:
    few = _resting(_pair(0.02, 0.03, n=5), {"boundary_auc": 0.025}, {"boundary_auc": -0.02})
    said = " ".join(plane_readings(few))
    assert plane_changes(few) == () and "standard" not in said and "no larger" not in said


MASKS_WORDS = ("sharp", "coheren")


def test_proxies_are_never_spoken_of_in_the_words_of_masks() -> None:
    for dx, dy in ((0.05, 0.05), (-0.05, -0.05), (0.0, 0.0)):
        measured = _resting(_pair(dx, dy, masks=""), {"proxy_sharpness": dx}, {"proxy_coherence": -dy})
        figure = plot_plane(measured)
        page = report_html(with_rests(measured))
        section = page[page.index('<section id="plane"') :].partition("<table")[0]
        for said in (
            *plane_readings(measured),
            *plane_notes(measured),
            *(t.get_text() for t in figure.findobj(Text)),
            section,
            measurements_text(measured).partition("note:")[0],
        ):
            assert not any(word in said.lower() for word in MASKS_WORDS), said
    said = _reading(_pair(0.05, -0.05, masks=""))
    assert "follows the photograph's edges more closely (+0.050" in said
    assert "groups the photograph's colours less closely (−0.050" in said


def test_masks_keep_their_words() -> None:
    said = _reading(_resting(_pair(0.05, -0.05), {}, {}))
    assert "sharper (+0.050" in said and "less coherent (−0.050" in said


def test_a_gain_that_a_control_reaches_too_is_told_with_who_reaches_it() -> None:
    """b gains 0.1 over a in sharpness; the control x has more than b, y less."""
    models = {"a": (0.6, 0.7), "b": (0.7, 0.7)}
    measured = planted(models, masks="m", noise=0.004)
    controls = planted({"x": (0.72, 0.5), "y": (0.65, 0.5)}, masks="m", noise=0.001)
    said = " ".join(plane_readings(replace(measured, controls=controls)))
    assert "x (0.720) reaches as much" in said
    assert "y (" not in said
    behind = planted({"a": (0.7, 0.7), "b": (0.6, 0.7)}, masks="m", noise=0.004)
    assert "reaches" not in " ".join(plane_readings(replace(behind, controls=controls)))
    assert "reaches" not in " ".join(plane_readings(measured))

"""Intervals hold the truth as often as the published table says, and the table keeps its promise."""

import json
import re
from pathlib import Path

import pytest

from dinoscope.data.results import FEW_IMAGES, FEW_WARNING
from validation.coverage import LEAST, MOST_FALSE, bound, coverage, missed
from validation.coverage_page import page
from validation.exchangeable import WORLDS, false_rates
from validation.populations import KINDS, POPULATIONS, SIZES

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "validation"


@pytest.fixture(scope="module")
def committed():
    return json.loads((FOLDER / "coverage.json").read_text())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("population", POPULATIONS)
def test_coverage_is_what_the_table_says(committed, population, kind):
    told = {(r["population"], r["kind"], r["n"]): r["coverage"] for r in committed["rows"]}
    for n in (6, 50):
        found = coverage(population, kind, n, worlds=4000)
        assert found == pytest.approx(told[population, kind, n], abs=0.015)
        if bound(population, n) is not None:
            assert found >= LEAST - 0.01


def test_the_committed_table_is_complete_and_misses_no_bound(committed):
    cells = [(r["population"], r["kind"], r["n"]) for r in committed["rows"]]
    assert cells == [(p, k, n) for k in KINDS for p in POPULATIONS for n in SIZES]
    assert missed(committed) == [] and (committed["least"], committed["worlds"]) == (LEAST, 100_000)
    assert [r["bound"] for r in committed["rows"]] == [bound(p, n) for p, _, n in cells]
    assert (FOLDER / "coverage.md").read_text() == page(committed)
    worse = {
        "rows": [{**committed["rows"][0], "coverage": LEAST - 0.001}],
        "retrieval": [{**committed["retrieval"][0], "jackknife": MOST_FALSE + 0.001}],
    }
    assert missed(worse) == [
        f"normal, mean, n = 6: {LEAST - 0.001:.3f} is below {LEAST}",
        f"retrieval, noise: {MOST_FALSE + 0.001:.3f} called different is above {MOST_FALSE}",
    ]


def test_exchangeable_vectors_are_seldom_called_different(committed):
    assert [row["kind"] for row in committed["retrieval"]] == list(WORLDS)
    for kind in ("noise", "unequal"):
        rates = false_rates(kind, worlds=150, seed=3)
        assert rates["jackknife"] <= MOST_FALSE
        assert rates["queries alone"] > 0.1


def test_the_warning_quotes_the_table(committed):
    def span(populations, kinds, *, few=True):
        held = [
            r["coverage"]
            for r in committed["rows"]
            if r["population"] in populations and r["kind"] in kinds and (r["n"] < FEW_IMAGES) == few
        ]
        return (f"{100 * min(held):.0f}", f"{100 * max(held):.0f}")

    skewed = (("lognormal",), ("mean", "unlike"))
    assert re.findall(r"(\d\d) to (\d\d)%", FEW_WARNING) == [
        span(("normal", "AUC-like"), ("mean",)),
        span(("near 1",), ("mean",)),
        span(*skewed),
        span(*skewed, few=False),
    ]

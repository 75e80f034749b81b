"""One, two and five photographs, identical models, many metrics: what is said beside the numbers."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from dinoscope.comparison.collected import Collected
from dinoscope.comparison.plane_words import plane_readings
from dinoscope.comparison.row import Row
from dinoscope.comparison.tables.files import measurements_json
from dinoscope.comparison.tables.paper import metrics_markdown
from dinoscope.comparison.tables.terminal import measurements_text
from dinoscope.data.annotation import REGIONS, MaskKind
from dinoscope.data.results import FEW_WARNING, Measurements

METRICS = ("neighbour", "random_pair", "locality", "boundary_auc", "matched_coherence_auc")
DIRECTIONS = ("sharper", "less sharp", "more coherent", "less coherent", "higher", "better", "no clear")


def measured(n: int, *, gap: float = 0.1) -> Measurements:
    """Two models; the second differs by the gap, a little more or less in each photograph."""
    rng = np.random.default_rng(n)
    collected = Collected(("one", "two"), masks=("regions",), kind=MaskKind(REGIONS, "as asked for"))
    for i in range(n):
        first = {name: float(rng.uniform(0.6, 0.9)) for name in METRICS}
        values = {name: [v, v + gap * rng.uniform(0.8, 1.2)] for name, v in first.items()}
        collected.add(Row(f"{i}.png", f"{i:064x}", values, {}))
    return collected.measurements(seed=0)


def everything(found: Measurements) -> str:
    """But for the numbered notes of the metrics, which say what moves a metric and not which way it went."""
    table = "\n".join(line for line in metrics_markdown(found).splitlines() if not line[:1].isdigit())
    return "\n".join([measurements_text(found), table, *plane_readings(found)])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_below_six_photographs_no_direction_is_named(n: int) -> None:
    text = everything(measured(n))
    assert not any(word in text for word in DIRECTIONS)
    assert "nan" not in text.lower()
    if n == 1:
        assert "one photograph: no interval can be given" in text
        assert math.isnan(measured(1).summaries["neighbour"][0].low)
    else:
        assert "no direction is named" in text and "fewer than 30" in text


def test_directions_from_six_and_no_warning_from_thirty() -> None:
    six = measured(6)
    assert "sharper (+0." in plane_readings(six)[0] and "more coherent (+0." in plane_readings(six)[0]
    assert f"6 photographs: {FEW_WARNING}" in six.warnings
    assert not any("fewer than" in warning for warning in measured(30).warnings)


def test_identical_models_are_tied_everywhere() -> None:
    same = measured(8, gap=0.0)
    text = everything(same)
    assert "0 / 100 / 0" in text and "sharper" not in text.replace("no clear difference", "")
    for difference in json.loads(measurements_json(same))["differences"]:
        for numbers in difference["metrics"].values():
            assert (numbers["above"], numbers["tied"], numbers["below"]) == (0.0, 1.0, 0.0)
            assert (numbers["low"], numbers["high"]) == (0.0, 0.0)


def test_how_many_intervals_leave_out_0_by_chance_is_said_of_those_shown() -> None:
    (said,) = [warning for warning in measured(40).warnings if "leave out 0" in warning]
    assert "about 0.3 of these 5 intervals of differences leave out 0" in said

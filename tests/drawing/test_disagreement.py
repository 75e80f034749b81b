"""How much models disagree on a photograph, in the order of photographs and in what the view is fed."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np

from dinoscope.drawing.disagreement import disagreements, most_different_first
from dinoscope.drawing.view.payload import comparison_payload
from tests.samples import comparison, with_planted


def test_it_is_a_mean_over_the_trained_models_and_controls_count_where_there_are_no_others() -> None:
    row = np.array([[np.nan, 0.5, 0.1]])
    for controls, wanted in ((["pixels"], 0.5), ([], 0.7), (["second-model", "pixels"], 0.7)):
        made = with_planted(
            comparison(["a.png"], ("first-model", "second-model", "pixels"), controls=controls),
            masks="",
            extra={"gram_correlation": 0.5},
        )
        values = {**made.measurements.values, "gram_correlation": row}
        made = replace(made, measurements=replace(made.measurements, values=values))
        np.testing.assert_allclose(disagreements(made), [wanted])
    assert most_different_first(comparison(["a.png", "b.png"])) == [0, 1]


def test_photographs_carry_how_much_the_models_disagree_on_them() -> None:
    made = with_planted(comparison(["a.png", "b.png"]), masks="", extra={"gram_correlation": 0.5})
    values = {**made.measurements.values, "gram_correlation": np.array([[np.nan, 0.25], [np.nan, np.nan]])}
    known = replace(made, measurements=replace(made.measurements, values=values))
    one_only = replace(
        known, photographs=made.photographs[1:], features=made.features[1:], maps=made.maps[1:]
    )
    told = [
        [photograph["disagreement"] for photograph in json.loads(comparison_payload(c).header)["photographs"]]
        for c in (known, one_only, comparison(["a.png"]))
    ]
    assert told == [[0.75, None], [None], [None]]

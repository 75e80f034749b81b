"""Correspondence on a real pair of photographs whose disparity was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.measure import measure
from examples.stereo_pair import visible, write_pair


def test_colours_find_their_place_in_the_other_view_and_a_wrong_disparity_is_noticed(tmp_path: Path) -> None:
    images = write_pair(tmp_path)
    pixels = load_backbone("pixels")

    def found() -> float:
        result = measure(
            images / "motorcycle.png", pixels, grid=24, masks=tmp_path, controls=False, passes=True
        )
        assert np.isnan(result.values["boundary_auc"]).all()  # nothing is labelled
        return float(result.values["pck"][0, 0])

    right = found()
    with np.load(tmp_path / "flow" / "motorcycle.npz") as arrays:
        flow, valid = arrays["flow"], arrays["valid"]
    assert 0.75 < valid.mean() < 0.93  # the rest is unknown or hidden
    np.savez(tmp_path / "flow" / "motorcycle.npz", flow=-4 * flow, valid=valid)
    assert right > 0.5 > found() + 0.1


def test_what_something_nearer_covers_is_not_visible() -> None:
    disparity = np.array([[2.0, 2.0, 2.0, 2.0, 4.0, 4.0, np.inf, 2.0]])
    # the near ones land on columns 0 and 1, where those of columns 2 and 3 would be
    np.testing.assert_array_equal(visible(disparity)[0], [0, 0, 0, 0, 1, 1, 0, 1])

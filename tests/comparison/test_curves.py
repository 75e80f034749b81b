"""The curves as they were measured, with their names at their ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text

from dinoscope.comparison.figures.curves import KINDS, plot_curve, plot_distance
from dinoscope.drawing.style import CONTROL_COLOUR
from dinoscope.errors import InputError
from tests.samples import PLANTED, planted


def said(figure: Figure) -> str:
    return " ".join(t.get_text() for t in figure.findobj(Text))


def test_every_curve_is_drawn_as_measured_and_controls_are_grey() -> None:
    measured = planted()
    figure = plot_distance(measured)
    lines = figure.axes[0].lines
    assert measured.controls is not None
    expected = [*measured.curves["distance"].y, *measured.controls.curves["distance"].y]
    assert len(lines) == len(expected) == len(PLANTED)
    for k, (line, y) in enumerate(zip(lines, expected, strict=True)):
        np.testing.assert_array_equal(line.get_xdata(), measured.curves["distance"].x)
        np.testing.assert_array_equal(line.get_ydata(), y)
        assert same_color(line.get_color(), CONTROL_COLOUR) == (k >= 2)
    for words in (*PLANTED, "distance, in longer sides of the photograph", "mean cosine", "40 photographs"):
        assert words in said(figure)


def test_labels_at_the_ends_do_not_touch_even_where_lines_do() -> None:
    measured = planted(controls=False)
    curve = measured.curves["distance"]
    same = replace(measured, curves={"distance": replace(curve, y=np.repeat(curve.y[:1], 2, axis=0))})
    figure = plot_distance(same)
    heights = [t.get_position()[1] for t in figure.texts if t.get_text() in same.models]
    assert len(heights) == 2
    assert abs(heights[0] - heights[1]) * figure.get_figheight() > 0.12


def test_undefined_curves_are_named_and_gaps_stay_gaps() -> None:
    measured = planted(controls=False)
    curve = measured.curves["distance"]
    y = curve.y.copy()
    y[0, 3], y[1] = np.nan, np.nan
    figure = plot_distance(replace(measured, curves={"distance": replace(curve, y=y)}))
    (line,) = figure.axes[0].lines
    assert np.isnan(line.get_ydata()[3])
    assert "Undefined, not drawn: second-model." in said(figure)
    y[0] = np.nan
    assert "undefined for every model" in said(
        plot_distance(replace(measured, curves={"distance": replace(curve, y=y)}))
    )
    with pytest.raises(InputError, match="not measured"):
        plot_distance(planted(curves=False))


@pytest.mark.parametrize(("kind", "scales"), [("variance", ("linear", "log")), ("radial", ("log", "log"))])
def test_spectra_are_drawn_on_logarithmic_scales_with_names_at_the_ends_of_their_lines(kind, scales) -> None:
    measured = planted(controls=False)
    curve = measured.curves["distance"]
    x = np.arange(1.0, 9.0)
    y = np.stack([x**-1.0, x**-3.0])
    figure = plot_curve(replace(measured, curves={kind: replace(curve, x=x, y=y)}), kind)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == scales
    for line, values in zip(axes.lines, y, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
        assert (axes.get_ylim()[0] <= values).all() and (values <= axes.get_ylim()[1]).all()
    first, second = (next(t for t in figure.texts if t.get_text() == name) for name in measured.models)
    assert first.get_position()[1] > second.get_position()[1]
    assert KINDS[kind][0] in said(figure)


def test_an_unknown_kind_is_named_with_those_there_are() -> None:
    with pytest.raises(InputError, match="distance, variance, radial, position"):
        plot_curve(planted(), "colour")

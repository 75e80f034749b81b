"""Two models' maps in one place, and one model at several layers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from dinoscope.data.results import Comparison, FurtherLayer
from dinoscope.drawing.view.standalone import view_fragment
from tests.view.view_samples import comparison, noise_features, photographs

STATE = "structuredClone(view.session.state)"


def test_an_edge_between_two_models_follows_pointer_and_keys(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    opened.page.locator(".stage.photo").first.focus()
    opened.page.keyboard.press("o")
    assert opened.ask(STATE)["wipe"] == 0.5
    stages = (
        "[...view.shadowRoot.querySelectorAll('.stage.map')].map((s) => s.getBoundingClientRect().toJSON())"
    )
    one, two, *_ = opened.ask(stages)
    assert (one["x"], one["y"], one["width"]) == (two["x"], two["y"], two["width"])
    under = "view.shadowRoot.elementFromPoint(argument[0], argument[1]).closest('.stage').dataset.model"
    y = one["y"] + one["height"] / 4
    for share, model in ((0.3, "0"), (0.7, "1")):
        assert opened.ask(under, [one["x"] + share * one["width"], y]) == model
    edge = opened.page.get_by_role("slider", name="Edge between first and second").first
    box = edge.bounding_box()
    assert box["height"] == pytest.approx(one["height"], abs=1)
    assert box["x"] + box["width"] / 2 == pytest.approx(one["x"] + one["width"] / 2, abs=1)
    opened.page.mouse.move(box["x"] + box["width"] / 2, y)
    opened.page.mouse.down()
    opened.page.mouse.move(one["x"] + 0.8 * one["width"], y, steps=3)
    opened.page.mouse.up()
    assert opened.ask(STATE)["wipe"] == pytest.approx(0.8, abs=0.01)
    assert opened.ask(STATE)["pins"] == []
    assert opened.ask(under, [one["x"] + 0.7 * one["width"], y]) == "0"
    edge.press("ArrowLeft")
    assert opened.ask(STATE)["wipe"] == pytest.approx(0.78, abs=0.01)
    assert edge.get_attribute("aria-valuenow") == "78"
    edge.press("Home")
    drawing = ElementTree.fromstring(opened.ask("view.exportSVG()"))
    assert float(drawing.attrib["width"]) == 2 * 328 + 8
    opened.page.locator(".stage.photo").first.press("o")
    assert opened.ask(STATE)["wipe"] is None
    assert opened.page.locator(".edge").count() == 0
    assert opened.complaints == []


@pytest.fixture(scope="module")
def layered() -> Comparison:
    """Two models, of each one further layer; the second layer of the first is the second model's features."""
    photos = photographs(2)
    first, second = (noise_features(2, (12, 16), 24, seed=seed) for seed in (1, 2))
    shown = comparison(photos, [first, second], ["first", "second"])
    further = tuple(
        FurtherLayer(
            m,
            replace(shown.models[1 - m], label=shown.models[m].label, layer=3),
            tuple(row[1 - m] for row in shown.features),
            tuple(row[1 - m] for row in shown.maps),
        )
        for m in range(2)
    )
    return replace(shown, further=further)


def test_a_slider_goes_through_the_layers(open_page: Callable[..., Any], layered: Comparison) -> None:
    opened = open_page(view_fragment(layered))
    assert opened.page.locator(".stage.map").count() == 4
    slider = opened.page.get_by_label("Layer of every model")
    assert (slider.get_attribute("aria-valuetext"), slider.input_value()) == ("layer 11", "1")
    shots = "[...view.shadowRoot.querySelectorAll('.map canvas')].map((c) => c.toDataURL())"
    one, two, *_ = opened.ask(shots)
    slider.press("ArrowLeft")
    assert opened.ask(STATE)["order"] == [2, 3]
    assert slider.get_attribute("aria-valuetext") == "layer 3"
    assert opened.ask(shots)[:2] == [two, one]
    assert opened.page.locator(".column .name").all_inner_texts()[:2] == ["first", "second"]
    opened.page.wait_for_function("() => location.hash.includes('order=2,3')")
    again = open_page(view_fragment(layered), address=opened.page.evaluate("location.hash"))
    assert again.ask(STATE)["order"] == [2, 3]
    assert "layer 3" in again.ask("view.exportSVG()")
    assert opened.complaints == again.complaints == []

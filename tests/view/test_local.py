"""What a page without a server answers itself, against the public functions on the features behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dinoscope as ds
from dinoscope.data.results import Comparison
from dinoscope.drawing.view.codec import TOLERANCE
from dinoscope.matching.match import fixed_places
from dinoscope.maths.foreground import otsu
from dinoscope.view.asked.matched import N_POINTS

ASK = """view.session.asking.ask(argument)
  .then(({ models, arrays }) => ({ models, arrays: arrays.map((a) => [...a]) }))"""


def unit(f: ds.PatchFeatures) -> np.ndarray:
    flat = f.values.reshape(-1, f.dim).astype(np.float64)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


@pytest.mark.parametrize(
    "clicks", [[(0.2, 0.3, True)], [(0.2, 0.3, True), (0.9, 0.8, False), (0.5, 0.1, True)]]
)
def test_a_mask_is_the_functions_wherever_codes_can_tell(
    open_page: Callable[..., Any], pictures: Comparison, pictures_fragment: str, clicks: list[Any]
) -> None:
    opened = open_page(pictures_fragment)
    answer = opened.ask(
        f"await {ASK}", {"way": "segment", "image": 1, "models": [0, 1], "clicks": [list(c) for c in clicks]}
    )
    for m in (0, 1):
        f = pictures.features[1][m]
        found = np.array(answer["arrays"][answer["models"][m]["mask"]], bool).reshape(f.grid.shape)
        near, far = (
            [unit(f) @ unit(f)[row * f.grid.w + col] for row, col in patches]
            for patches in (
                [f.grid.patch_at(x, y) for x, y, belongs in clicks if belongs == kind]
                for kind in (True, False)
            )
        )
        inside = np.max(near, axis=0)
        limit = np.max(far, axis=0) if far else np.full_like(inside, otsu(inside))
        sure = (np.abs(inside - limit) > 2 * TOLERANCE + (0 if far else 0.01)).reshape(f.grid.shape)
        assert np.array_equal(found[sure], ds.segment(f, clicks)[sure])
        assert sure.mean() > 0.8 and 0 < found.mean() < 1
    assert (
        "no click says"
        in opened.ask(
            f"await {ASK}", {"way": "segment", "image": 1, "models": [0], "clicks": [[0.5, 0.5, False]]}
        )["models"][0]["why"]
    )


def test_matches_are_the_functions_wherever_codes_can_tell(
    open_page: Callable[..., Any], pictures: Comparison, pictures_fragment: str
) -> None:
    opened = open_page(pictures_fragment)
    answer = opened.ask(f"await {ASK}", {"way": "match", "image": 0, "other": 2, "models": [1]})
    facts, (target, cosine, mutual) = answer["models"][1], answer["arrays"]
    f, g = pictures.features[0][1], pictures.features[2][1]
    own = ds.match(f, g, mutual=False)
    np.testing.assert_allclose(cosine, own.cosine, atol=TOLERANCE)
    same = np.isclose(np.array(target).reshape(-1, 2), own.target, atol=1e-6).all(axis=1)
    assert same.mean() > 0.95
    assert ((np.array(mutual) > 0) == own.mutual).mean() > 0.95
    assert facts["points"] == sorted(
        {r * f.grid.w + c for r, c in (f.grid.patch_at(*place) for place in fixed_places(N_POINTS))}
    )


def test_the_menu_offers_what_can_be_answered_here(
    open_page: Callable[..., Any], pictures_fragment: str
) -> None:
    opened = open_page(pictures_fragment)
    opened.choose("Matches")
    opened.page.wait_for_function("() => !document.querySelector('dinoscope-view').session.asking.running")
    assert "mutual" in opened.page.locator(".column .numbers").first.inner_text()
    assert opened.page.locator("figure.original").count() == 2
    shown = opened.page.locator(".dot.match").count()
    assert opened.ask("view.exportSVG()").count("<circle") == 2 * shown > 0
    opened.choose("Segment")
    opened.hover(0, 0.5, 0.5)
    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.page.wait_for_selector(".stage.map svg.over")
    assert opened.ask("view.exportSVG()").count("<path") == 2 * opened.page.locator("svg.over").count()
    assert opened.ask("view.exportPNG().then((blob) => blob.size)") > 1000
    assert not opened.page.get_by_label("How the mask follows").is_visible()
    assert opened.complaints == []

"""The guided tour: five steps and three questions, by keys alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

STATE = "structuredClone(view.session.state)"


def test_the_tour_has_five_steps_and_three_questions_and_leaves_the_view_as_it_was(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment, address="#view?mode=rank&zoom=2,0.5,0.5")
    before = opened.ask(STATE)
    keyboard = opened.page.keyboard
    opened.page.get_by_role("button", name="Tour").focus()
    keyboard.press("Enter")
    panel = opened.page.locator(".tour")
    titles, modes = [], []
    for step in range(1, 6):
        assert panel.get_attribute("aria-label") == f"Tour, step {step} of 5"
        assert opened.ask("view.shadowRoot.activeElement.tagName") == "H2"
        titles.append(panel.locator("h2").inner_text())
        modes.append(opened.ask(STATE)["mode"])
        panel.get_by_role("button", name="Next").press("Enter")
    assert titles == [
        "What a patch is",
        "Point at one",
        "Two models",
        "PCA colours",
        "What the numbers do not say",
    ]
    assert modes == ["pca", "cosine", "difference", "pca", "pca"]
    answers = panel.locator("details p")
    assert answers.count() == 3 and not answers.first.is_visible()
    panel.locator("summary").first.press("Enter")
    assert answers.first.is_visible()
    panel.get_by_role("button", name="Done").press("Enter")
    assert panel.count() == 0
    assert opened.ask(STATE) == before
    assert opened.ask("view.shadowRoot.activeElement.textContent") == "Tour"
    assert opened.complaints == []


def test_the_tour_can_be_left_at_any_time_and_begun_by_a_link(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment, address="#tour", width=390)
    panel = opened.page.locator(".tour")
    assert "step 1 of 5" in panel.get_attribute("aria-label")
    box = panel.bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390
    opened.page.keyboard.press("Escape")
    assert panel.count() == 0
    opened.page.get_by_role("button", name="Tour").press("Enter")
    panel.get_by_role("button", name="Skip").press("Enter")
    assert panel.count() == 0
    assert opened.complaints == []

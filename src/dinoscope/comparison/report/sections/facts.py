"""What a reader must know beside the numbers: fairness, variance, limits, models, failures, settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dinoscope.comparison import colour_words, words
from dinoscope.data.results import Comparison
from dinoscope.drawing.pages import Section, fill

_ON_SCREEN = ("variance", "settings")
DINOV3_REMARK = (
    "DINOv3 weights are under the DINOv3 License "
    "(ai.meta.com/resources/models-and-libraries/dinov3-license): "
    "pass it on with the weights, acknowledge DINOv3 in publications, and mind its trade-control clauses."
)


def sections(comparison: Comparison) -> Iterator[Section]:
    """Those that have something to say."""
    dinov3 = any("dinov3" in model.spec.licence.lower() for model in comparison.models)
    parts: list[tuple[str, str, dict[str, object]]] = [
        ("fairness", "Fairness ledger", {}),
        ("variance", "Explained variance", {}),
        ("limits", "What is not shown", {"points": _limits(comparison)}),
        ("models", "Models and weights", {"remark": DINOV3_REMARK if dinov3 else ""}),
        ("failures", "Failures", {}),
        ("settings", "Settings and versions", {"value": _value}),
    ]
    short = {"fairness": "Fairness", "models": "Models", "settings": "Settings", "variance": "Variance"}
    for i, (key, title, values) in enumerate(parts):
        if key != "failures" or comparison.failures:
            template = f"comparison/report/sections/{key}.html"
            body = fill(template, comparison=comparison, words=words, **values)
            yield Section(
                key, title, body, 60 + i, short.get(key, title), folded=True, on_paper=key not in _ON_SCREEN
            )


def _limits(comparison: Comparison) -> list[str]:
    """What no picture on the page can show."""
    return [
        colour_words.note(comparison),
        words.COSINES_NOTE,
        "The reference patches are a few places, the same in every photograph: neither the best nor the "
        "worst.",
        "Smoothness is no merit by itself: a blurred or collapsed map is perfectly smooth, and a finer grid "
        "is smoother than a coarse one. Part of it may come from a patch's position rather than from what it "
        "shows; this page does not separate the two.",
        "None of the numbers measures how well a model does at a task. Photographs chosen by hand are not a "
        "benchmark.",
        "A difference between two models names no cause: they usually differ in more than one thing at once.",
    ]


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(inner) for inner in value)
    return str(value)

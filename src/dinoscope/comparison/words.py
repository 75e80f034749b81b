"""What figures and the report say about a comparison, said once, as plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dinoscope.data.results import Comparison, Interval, Measurements, ModelResult
from dinoscope.data.spec import KIND_WORDS
from dinoscope.drawing.style import plain
from dinoscope.metrics.registry import METRICS

TRIPLE = ("neighbour", "random_pair", "locality")
"""The smoothness metrics, which are shown together wherever there is room for three numbers."""

CONTROL = KIND_WORDS["control"]


def title(metric: str) -> str:
    """A metric's name for people."""
    if metric in TRIPLE:
        return METRICS[metric].short
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def number(value: float, *, sign: str = "", digits: int = 3) -> str:
    """A number with a true minus sign, none on a zero; a dash where it is undefined.

    >>> number(-0.12), number(0.12, sign="+"), number(-0.0001), number(float("nan"))
    ('−0.120', '+0.120', '0.000', '–')
    """
    if not math.isfinite(value):
        return "–"
    rounded = round(value, digits)
    return f"{rounded:{sign}.{digits}f}".replace("-", "−") if rounded else f"{0:.{digits}f}"


def interval(value: Interval, *, sign: str = "") -> str:
    """``0.731 [0.702, 0.757]``; the mean alone where there is no interval, a dash where it is undefined."""
    mean = number(value.mean, sign=sign)
    if not (math.isfinite(value.mean) and math.isfinite(value.low)):
        return mean
    return f"{mean} [{number(value.low, sign=sign)}, {number(value.high, sign=sign)}]"


def fitting(value: Interval, *, sign: str = "") -> str:
    """As `interval`, with as many decimals as its width and its ends leave sense in: of half the width two
    significant digits below 3, else one.

    >>> fitting(Interval(0.7312, 0.702, 0.757, 8)), fitting(Interval(24.72, 18.1, 31.9, 8))
    ('0.731 [0.702, 0.757]', '25 [18, 32]')
    >>> fitting(Interval(0.0432, 0.0021, 0.0843, 8), sign="+")
    '+0.043 [+0.002, +0.084]'
    """
    digits = _decimals(value)
    if digits is None:
        return interval(value, sign=sign)
    mean, low, high = (number(v, sign=sign, digits=digits) for v in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def spread(value: Interval, *, sign: str = "") -> str:
    """The mean and how far its interval reaches, where it is not cut at a bound; decimals as in `fitting`.

    >>> spread(Interval(0.7312, 0.7042, 0.7582, 8)), spread(Interval(0.5, float("nan"), float("nan"), 1))
    ('0.731 ± 0.027', '0.500')
    """
    digits = _decimals(value)
    if digits is None:
        return number(value.mean, sign=sign)
    half = max(value.high - value.mean, value.mean - value.low)
    return f"{number(value.mean, sign=sign, digits=digits)} ± {number(half, digits=digits)}"


def _decimals(value: Interval) -> int | None:
    half = (value.high - value.low) / 2
    if not (math.isfinite(half) and half > 0):
        return None
    ends = [abs(end) for end in (value.low, value.high) if end]
    digits = max(0, math.ceil(-math.log10(half / 3)), *(math.ceil(-math.log10(2 * end)) for end in ends))
    return min(digits, 4)


def percent(share: float) -> str:
    """A share as a percentage: one decimal below 10%, none above."""
    if not math.isfinite(share):
        return "–"
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def component_list(comparison: Comparison) -> str:
    """``1, 2, 3``: the components that the colours show, counted from 1."""
    return ", ".join(str(c + 1) for c in comparison.components)


def variance_shown(comparison: Comparison, model: ModelResult) -> float:
    """The share of a model's variance in the components that the colours show."""
    ratios = model.pca.explained_variance_ratio
    return float(sum(ratios[c] for c in comparison.components if c < len(ratios)))


def kind(model: ModelResult) -> str:
    """``layer 11``, that it is a toy, or that it is a control."""
    layer = f"layer {model.layer}"
    return {"": layer, "toy": f"toy model, {layer}", "control": CONTROL}[model.spec.kind]


def kinds(models: Iterable[ModelResult]) -> tuple[str, ...]:
    """What has to be said of the toys and of the controls among models, a sentence each; none without any."""
    labels: dict[str, list[str]] = {"toy": [], "control": [], "": []}
    for model in models:
        labels[model.spec.kind].append(plain(model.label, 60))
    toys, controls = labels["toy"], labels["control"]
    told = []
    if toys:
        told.append(
            f"{', '.join(toys)}: {'toy models' if len(toys) > 1 else 'a toy model'}, to show how things work "
            "and not how well; neither DINOv2 nor DINOv3."
        )
    if controls:
        what = "controls, not trained models" if len(controls) > 1 else f"a {CONTROL}"
        told.append(f"{', '.join(controls)}: {what}.")
    return tuple(told)


def input_facts(comparison: Comparison, photograph: int, model: int) -> str:
    """``32×48 patches, input 448×672 px``: rows and heights first."""
    grid = comparison.features[photograph][model].grid
    (h, w), (height, width) = grid.shape, grid.input_size
    return f"{h}×{w} patches, input {height}×{width} px"


def triple(comparison: Comparison, photograph: int, model: int) -> list[tuple[str, str]]:
    """The name of each smoothness metric and its value for one photograph in one model."""
    return [
        (title(name), number(float(comparison.measurements.values[name][photograph, model])))
        for name in smoothness(comparison.measurements)
    ]


def smoothness(measured: Measurements) -> list[str]:
    """Those of `TRIPLE` that were measured."""
    return [name for name in TRIPLE if name in measured.values]


COSINES_NOTE = (
    "Similarity maps: cosine of the outlined patch with every patch of the same photograph, on the same "
    "fixed scale for every model; the mean is printed because models differ in it."
)


def paragraph(comparison: Comparison) -> str:
    """What the whole comparison shows."""
    models, photographs = len(comparison.models), len(comparison.photographs)
    trained = [m for m in comparison.models if not m.spec.control]
    text = (
        f"{count(photographs, 'photograph')} seen by {count(models, 'vision backbone')}. Each backbone "
        "describes every small square of a photograph, a patch, by a list of numbers, its features. The "
        "colour maps show where those features change; the similarity maps show which patches are described "
        "like one chosen patch; three numbers say how alike neighbouring patches are, compared with any pair "
        "of patches."
    )
    if not trained:
        text += (
            " None of these models is trained: they are controls, and show what architecture, colour or "
            "texture alone look like."
        )
    elif len(trained) < models:
        text += " Models marked as controls are not trained models."
    return text


def count(n: int, noun: str) -> str:
    """``1 photograph``, ``2 photographs``.

    >>> count(1, "photograph"), count(1200, "photograph")
    ('1 photograph', '1,200 photographs')
    """
    return f"{n:,} {noun}{'' if n == 1 else 's'}"

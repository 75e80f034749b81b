"""What must be read beside the numbers: why some are undefined, what moves others though it should not."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import numpy as np

from dinoscope.data.annotation import REGIONS, MaskKind
from dinoscope.data.results import FEW_IMAGES, FEW_WARNING, FEWEST_TO_JUDGE, PairedDifference
from dinoscope.maths.intervals import by_chance
from dinoscope.metrics.registry import METRICS


def reasons(kind: MaskKind, n_classes: int) -> dict[str, str]:
    """Why metrics have no meaning with masks of a kind, by their keys."""
    told = {}
    if not kind.has_objects:
        told["objects"] = f"the masks are {kind.name}, and this needs masks of single objects"
    if not kind.has_background:
        zero = "the masks are regions" if kind.name == REGIONS else "no label is 0"
        told["background"] = f"{zero}, and this needs a background"
    if kind.name == REGIONS:
        told["classes"] = "the masks are regions, whose numbers mean something else in each photograph"
    elif not kind.has_classes:
        told["classes"] = "the masks are instances without class maps: which are alike is not known"
    elif n_classes < 2:
        told["classes"] = f"the masks hold {'a single class' if n_classes else 'no class'}"
    return {key: told[metric.needs] for key, metric in METRICS.items() if metric.needs in told}


def warnings_of(
    n_images: int,
    values: Mapping[str, np.ndarray],
    differences: Mapping[str, tuple[PairedDifference, ...]],
    n_sampled: int,
    told: Collection[str],
) -> tuple[str, ...]:
    """Sentences without their full stops.

    Args:
        n_images: that were measured.
        values, differences: by metric.
        n_sampled: photographs that the numbers over the collection are of.
        told: metrics that are undefined for a reason told elsewhere.
    """
    warnings = []
    if n_images == 1:
        warnings.append("one photograph: no interval can be given")
    elif n_images < FEW_IMAGES:
        warnings.append(f"{n_images} photographs: {FEW_WARNING}")
        if n_images < FEWEST_TO_JUDGE:
            warnings.append(f"fewer than {FEWEST_TO_JUDGE} photographs: no direction is named")
    shown = [d for of_metric in differences.values() for d in of_metric if math.isfinite(d.interval.low)]
    if chance := by_chance(len(shown)):
        warnings.append(chance)
    warnings.append(
        "neighbour cosine alone rewards blurred and collapsed maps and grows with a finer grid: read it "
        "with random-pair cosine and locality"
    )
    if n_sampled < n_images:
        warnings.append(
            f"numbers over the collection are of {n_sampled} of the {n_images} photographs, chosen by digest"
        )
    undefined = [name for name, table in values.items() if np.isnan(table).all() and name not in told]
    titles = [METRICS[name].title for name in undefined if not METRICS[name].reference]
    if titles:
        warnings.append(f"undefined for every photograph: {', '.join(titles)}")
    return tuple(warnings)

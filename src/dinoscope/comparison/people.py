"""How well do people agree? One person's segmentation taken as features, scored against another's masks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np

from dinoscope.data.annotation import Annotation
from dinoscope.data.grid import PatchGrid
from dinoscope.maths.masks import UNKNOWN, PatchLabels, patch_labels, region_shares
from dinoscope.maths.patches import prepared
from dinoscope.metrics.registry import PHOTOGRAPH
from dinoscope.metrics.subject import Regions, Seen, Subject

ASKED = tuple(f for f in PHOTOGRAPH if all(m.needs_masks and not m.needs for m in f.metrics))
CEILING = tuple(metric.key for family in ASKED for metric in family.metrics if metric.reported)
"""What a segmentation can be scored by: the metrics that ask which patches belong together."""

PAIRS = "people"
"""Label of the mean over all ordered pairs of different people."""


def people_labels(n_folders: int) -> tuple[str, ...]:
    """``person:2``, ``person:3`` … of so many people's masks, the first of whom is scored against; of more
    than two also `PAIRS`.
    """
    further = tuple(f"person:{k}" for k in range(2, n_folders + 1))
    return (*further, PAIRS) if n_folders > 2 else further


def people_numbers(annotations: Sequence[Annotation | None], grid: PatchGrid) -> dict[str, tuple[float, ...]]:
    """Scores of one photograph, by metric of `CEILING`: one for each of `people_labels`.

    A person's features are the shares of each of their regions in a patch, so that the cosine of two patches
    is 1 within a region and 0 between two. Nobody is scored against themselves.

    Args:
        annotations: of every person, the first of whom is scored against; None where there is no mask.
        grid: of the features.
    """
    known = {k: a for k, a in enumerate(annotations) if a is not None}
    labels = {k: patch_labels(a.regions, grid) for k, a in known.items()}
    shares = {k: region_shares(a.regions, grid) for k, a in known.items()}
    wanted = [(k, 0) for k in range(1, len(annotations))]
    everyone = list(permutations(known, 2)) if len(annotations) > 2 else []
    pairs = {*everyone, *((mine, theirs) for mine, theirs in wanted if {mine, theirs} <= known.keys())}
    scores = {(mine, theirs): _score(shares[mine], labels[theirs]) for mine, theirs in pairs}
    nothing = dict.fromkeys(CEILING, math.nan)
    columns = [scores.get(pair, nothing) for pair in wanted]
    if len(annotations) > 2:
        columns.append(_mean([scores[pair] for pair in everyone]))
    return {key: tuple(column[key] for column in columns) for key in CEILING}


def _score(shares: np.ndarray, labels: PatchLabels) -> dict[str, float]:
    """Patches where the person said nothing are left out."""
    told = PatchLabels(np.where(shares.any(axis=2), labels.labels, UNKNOWN), labels.purity)
    subject = Subject(prepared(shares), Seen(told.labels.shape, regions=Regions(told, None, ())))
    found = {key: value for family in ASKED for key, value in family.measure(subject).items()}
    return {key: float(found[key]) for key in CEILING}


def _mean(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Over the pairs where a metric is defined."""
    found = {}
    for key in CEILING:
        values = [score[key] for score in scores if not math.isnan(score[key])]
        found[key] = sum(values) / len(values) if values else math.nan
    return found

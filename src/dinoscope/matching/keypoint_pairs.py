"""Keypoints of many pairs: how often is each model right?"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.plan import unique_labels
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Failure, Interval, PairedDifference
from dinoscope.errors import InputError
from dinoscope.io.keypoints import KeypointPair
from dinoscope.io.sources import photographs_below
from dinoscope.matching.keypoints import ALPHAS, score_keypoints
from dinoscope.matching.match_pair import MatchSettings
from dinoscope.maths.intervals import SHARE, column_differences, column_intervals
from dinoscope.names import readable
from dinoscope.pipeline.extract import extract, load_photograph

HELD = 64
"""Photographs whose features are kept for pairs to come."""


@dataclass(frozen=True, slots=True, eq=False)
class KeypointScores:
    """Shares of keypoints found in many pairs, pair by pair.

    Attributes:
        models: labels.
        pairs: names of the photographs of each pair.
        values: by tolerance, one row a pair and one column a model.
        summaries: by tolerance, the mean over pairs for each model.
        differences: by tolerance, each further model minus the first.
        chance: by tolerance, the mean over pairs.
    """

    models: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    values: Mapping[float, np.ndarray]
    summaries: Mapping[float, tuple[Interval, ...]]
    differences: Mapping[float, tuple[PairedDifference, ...]]
    chance: Mapping[float, float]


def score_pairs(
    pairs: Sequence[KeypointPair],
    folder: Path,
    backbones: Sequence[Backbone],
    settings: MatchSettings,
    *,
    on_failure: Callable[[Failure], None],
    on_progress: Callable[[int], None] = lambda _: None,
) -> KeypointScores:
    """Score every pair whose photographs lie in a folder or below it.

    Raises:
        InputError: not a single pair could be scored, or two photographs of one name.
    """
    found = photographs_below(folder)
    names, rows, chances = [], [], []
    kept: OrderedDict[str, tuple[PatchFeatures, ...]] = OrderedDict()

    def features(name: str) -> tuple[PatchFeatures, ...]:
        if name not in kept:
            if name not in found:
                raise InputError(f"no photograph {readable(name)!r} in {readable(folder)!r} or below it")
            photograph = load_photograph(found[name])
            kept[name] = tuple(
                next(
                    extract([photograph], b, grid=settings.grid, layer=settings.layer, resize=settings.resize)
                )
                for b in backbones
            )
        kept.move_to_end(name)
        while len(kept) > HELD:
            kept.popitem(last=False)
        return kept[name]

    for done, pair in enumerate(pairs, 1):
        try:
            both = zip(features(pair.source_name), features(pair.target_name), strict=True)
            scores = [score_keypoints(f, g, pair, refine=settings.refine) for f, g in both]
        except InputError as error:
            on_failure(Failure(f"{pair.source_name} with {pair.target_name}", str(error)))
        else:
            names.append((pair.source_name, pair.target_name))
            rows.append([[score.pck[alpha] for score in scores] for alpha in ALPHAS])
            chances.append([scores[0].chance[alpha] for alpha in ALPHAS])
        on_progress(done)
    if not rows:
        raise InputError("not a single pair of the keypoint file could be scored")
    table, chance = np.array(rows), np.mean(chances, axis=0)
    values = {alpha: table[:, k] for k, alpha in enumerate(ALPHAS)}
    return KeypointScores(
        unique_labels(backbones),
        tuple(names),
        values,
        {alpha: column_intervals(v, SHARE) for alpha, v in values.items()},
        {alpha: column_differences(v[:, 1:] - v[:, :1], SHARE) for alpha, v in values.items()},
        {alpha: float(chance[k]) for k, alpha in enumerate(ALPHAS)},
    )

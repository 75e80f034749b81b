"""Decide: from what photographs gave to the best setting, an honest score, and what cannot be told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.choice.choice import Choice, Cost, Setting
from dinoscope.choice.gathered import Gathered
from dinoscope.data.results import FEWEST_TO_JUDGE
from dinoscope.errors import InputError
from dinoscope.maths.folds import FOLDS, fold_of
from dinoscope.maths.intervals import (
    SHARE,
    column_differences,
    column_intervals,
    mean_interval,
    paired_difference,
)
from dinoscope.maths.nested import miou_of_photographs, nested_choice, nested_readout
from dinoscope.maths.segments import knn_labels, linear_labels

READOUTS = ("place_knn_miou", "place_linear_miou")
"""Measures at places, photograph by photograph: not `knn_miou` and `linear_miou`, of all patches together."""

OF_MAPS = ("boundary_auc", "matched_coherence_auc")


def decided(
    tried: tuple[Setting, ...],
    rows: Sequence[Gathered],
    digests: Sequence[str],
    by: str,
    n_bytes: Sequence[int],
    on_readout: Callable[[int, int], None] = lambda _done, _total: None,
) -> Choice:
    """The best setting, what choosing it is worth, and what cannot be told from it.

    Args:
        tried: the settings.
        rows: what each photograph gave.
        digests: of the photographs.
        by: the metric to choose by.
        n_bytes: memory of each setting.
        on_readout: called with how many readouts of settings are done, and how many there are.

    Raises:
        InputError: too few parts to hold out, or a single class.
    """
    groups = tuple(row.group for row in rows)
    folds = _folds(groups, digests)
    every = {key: np.array([row.values[key] for row in rows]).T for key in OF_MAPS}
    n_folds = int(folds.max()) + 1
    nested = np.broadcast_to(every[by], (n_folds, *every[by].shape)) if by in OF_MAPS else None
    inner = _inner(folds, digests)
    classes = np.concatenate([row.classes for row in rows])
    owner = np.repeat(np.arange(len(rows)), [len(row.classes) for row in rows])
    readable = READOUTS if len(np.unique(classes)) > 1 else ()
    for place, key in enumerate(readable):
        tables = []
        for s in range(len(tried)):
            on_readout(place * len(tried) + s, len(readable) * len(tried))
            vectors = np.concatenate([row.vectors[s] for row in rows]).astype(np.float32)
            readout = _knn if key == READOUTS[0] else _linear
            predicted = nested_readout(
                vectors, classes, folds[owner], inner[:, owner] if key == by else None, readout
            )
            tables.append(miou_of_photographs(predicted, classes, owner))
        table = np.stack(tables, axis=1)
        every[key] = table[folds, :, np.arange(len(rows))].T
        nested = table if key == by else nested
    if nested is None:
        raise InputError("the masks hold a single class: there is nothing to tell apart")
    own = _by_group(every[by].T, groups)
    firsts = [groups.index(name) for name in sorted(set(groups))] if any(groups) else slice(None)
    without = np.stack([_by_group(table.T, groups).T for table in nested])
    chosen, told = nested_choice(without, folds[firsts])
    means = np.nanmean(own, axis=0)
    best = int(np.nanargmax(means))
    differences = column_differences(own[:, [best]] - own, SHARE)
    seconds = np.median([row.seconds for row in rows], axis=0)
    costs = tuple(Cost(float(s), b) for s, b in zip(seconds, n_bytes, strict=True))
    alike = [best]
    if len(own) >= FEWEST_TO_JUDGE:
        alike = [s for s, d in enumerate(differences) if not d.interval.low > 0]
    usual = [i for i, s in enumerate(tried) if (s.model, s.facet) == (tried[0].model, tried[0].facet)]
    last = max(usual, key=lambda i: (tried[i].grid, tried[i].layer))
    return Choice(
        tried,
        costs,
        tuple(row.image for row in rows),
        groups,
        by,
        every,
        {key: column_intervals(_by_group(v.T, groups), SHARE) for key, v in every.items()},
        best,
        mean_interval(told, SHARE),
        tuple(int(s) for s in chosen),
        differences,
        last,
        paired_difference(told, own[:, last], SHARE),
        min(alike, key=lambda s: (round(costs[s].seconds, 3), -means[s])),
    )


def _knn(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return knn_labels(x, y, z)


def _linear(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
    return linear_labels(x, y, z)[0]


def _folds(groups: Sequence[str], digests: Sequence[str]) -> Int64[np.ndarray, " photographs"]:
    """A fold for each group where there are at most `FOLDS`; photographs without groups by digest."""
    names = sorted(set(groups))
    if names == [""]:
        raw = np.array([fold_of(digest) for digest in digests])
    else:
        raw = np.array([names.index(group) % FOLDS for group in groups])
    found = np.unique(raw, return_inverse=True)[1].astype(np.int64)
    if not found.any():
        raise InputError(
            "one part alone cannot be held out: choosing needs two groups of photographs at least"
        )
    return found


def _inner(
    folds: Int64[np.ndarray, " photographs"], digests: Sequence[str]
) -> Int64[np.ndarray, "folds photographs"]:
    """What is held out in turn to choose by, while a fold is away: the other folds, or where there is only
    one, parts of its photographs by digest.
    """
    n_folds = int(folds.max()) + 1
    parts = folds if n_folds > 2 else np.array([fold_of(digest) for digest in digests])
    return np.tile(parts, (n_folds, 1))


def _by_group(
    table: Float64[np.ndarray, "photographs columns"], groups: Sequence[str]
) -> Float64[np.ndarray, "units columns"]:
    """Means over groups, each counting once; without groups every photograph is a unit."""
    if not any(groups):
        return table
    parts = [table[[g == name for g in groups]] for name in sorted(set(groups))]
    known = [(~np.isnan(part)).sum(axis=0) for part in parts]
    return np.array(
        [
            np.divide(np.nansum(part, axis=0), n, out=np.full(part.shape[1], np.nan), where=n > 0)
            for part, n in zip(parts, known, strict=True)
        ]
    )

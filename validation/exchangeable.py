"""How often are two kinds of vectors called different that are made alike? By the intervals of retrieval.

A world is a small labelled collection with two vectors of each photograph, exchangeable between the two
kinds: whatever is said of their difference is false.
"""

from __future__ import annotations

import numpy as np

from dinoscope.evaluation.protocol import Protocol
from dinoscope.evaluation.scoring import evaluate_vectors
from dinoscope.maths.intervals import column_intervals

WORLDS = {
    "noise": "24 photographs of 4 classes, vectors that know nothing of them",
    "classes": "24 photographs of 4 classes, whose directions both kinds share, and noise of each kind's own",
    "unequal": "the same, with classes of 2, 4, 6 and 12 photographs",
    "larger": "the same, with 8 classes of 12 photographs",
}
_SIZES = {"noise": [6] * 4, "classes": [6] * 4, "unequal": [2, 4, 6, 12], "larger": [12] * 8}
DIM, FOLDS = 8, 3


def false_rates(kind: str, *, worlds: int, seed: int = 0) -> dict[str, float]:
    """The share of worlds in which the 95% interval of the difference in mAP leaves out 0.

    ``jackknife`` is the interval that dinoscope prints; ``queries alone`` treats queries as independent.
    """
    outside = {"jackknife": 0, "queries alone": 0}
    for number in range(worlds):
        one, other, labels = _world(kind, np.random.default_rng([seed, list(WORLDS).index(kind), number]))
        folds, protocol = np.arange(len(one)) % FOLDS, Protocol(suppressions=(), controls=())
        scores = evaluate_vectors({"mean": one, "other": other}, labels, folds, protocol=protocol)
        row, plain = scores.row("other", "none"), scores.row("mean", "none")
        apart = row.values["ap"] - plain.values["ap"]
        intervals = {
            "jackknife": row.pooling_gains["ap"].interval,
            "queries alone": column_intervals(apart[:, None])[0],
        }
        for name, interval in intervals.items():
            outside[name] += int(interval.low > 0 or interval.high < 0)
    return {name: count / worlds for name, count in outside.items()}


def _world(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    sizes = _SIZES[kind]
    label = np.repeat(np.arange(len(sizes)), sizes)
    known = 0.0 if kind == "noise" else 1.0
    middle = known * rng.standard_normal((len(sizes), DIM))[label]
    both = middle + 0.5 * rng.standard_normal((len(label), DIM))
    one, other = (both + rng.standard_normal((len(label), DIM)) for _ in range(2))
    return one, other, [str(c) for c in label]

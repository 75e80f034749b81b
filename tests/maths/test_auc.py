import numpy as np
import pytest

from dinoscope.maths.auc import negatives_first


@pytest.mark.parametrize("levels", [1, 2, 7, 60, 10_000])
@pytest.mark.parametrize("positives", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 300])
def test_pairs_are_counted_as_one_by_one(levels, positives, n):
    rng = np.random.default_rng([levels, n])
    level, kind = rng.integers(0, levels, n), rng.random(n) < positives
    positive, negative = level[kind], level[~kind]
    below = int((negative[:, None] < positive).sum())
    tied = int((negative[:, None] == positive).sum())
    keys = np.sort((level << 1 | kind).astype(np.uint32))
    assert negatives_first(keys) == (below + tied, tied)

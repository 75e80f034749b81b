"""Rank correlations of proxies and masked metrics."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from validation.stand_ins import FEATURES, compare, spearman

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "validation"


def test_rank_correlation_is_scipys_and_leaves_out_what_is_unknown():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 9, 40).astype(float)
    b = a + rng.normal(0, 3, 40)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert spearman(np.append(a, np.nan), np.append(b, 1.0)) == pytest.approx(spearman(a, b))
    assert np.isnan(spearman(a, np.ones(40)))


def test_the_first_scenes_show_noise_as_the_committed_ones_do():
    committed = json.loads((FOLDER / "matrix.json").read_text())["stand_ins"]
    assert committed["scenes"] >= 40
    assert committed["features"] == list(FEATURES)
    fresh = compare(n=3)
    for means in (committed["means"], fresh["means"]):
        for values in means.values():
            named = dict(zip(FEATURES, values, strict=True))
            assert named["pixels"] > named["pixels, noised"]
            assert named["planted"] > named["planted, more noise"]
        assert means["coherence_auc"][FEATURES.index("planted")] > 0.95

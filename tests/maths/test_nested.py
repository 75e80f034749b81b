"""Choosing on some photographs and scoring on others."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.errors import InputError
from dinoscope.maths.nested import miou_of_photographs, nested_choice, nested_readout
from dinoscope.maths.segments import class_iou


def test_a_fold_teaches_nobody_while_it_is_away() -> None:
    rng = np.random.default_rng(0)
    folds = rng.integers(0, 4, 60)
    classes = rng.integers(-1, 3, 60)
    vectors = np.arange(60.0)[:, None]  # a vector says which one it is
    taught: list[tuple[set[int], set[int]]] = []

    def readout(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        taught.append(({int(v) for v in x[:, 0]}, {int(v) for v in z[:, 0]}))
        return np.full(len(z), len(taught))

    found = nested_readout(vectors, classes, folds, np.tile(folds, (4, 1)), readout)
    assert (found >= 1).all()
    for f in range(4):
        for i in range(60):
            teachers, asked = taught[found[f, i] - 1]
            assert i in asked
            away = {f, int(folds[i])}
            assert teachers == {j for j in range(60) if folds[j] not in away and classes[j] >= 0}
    alone = nested_readout(vectors, classes, folds, None, readout)
    for f in range(4):
        assert (alone[f, folds == f] >= 1).all() and (alone[f, folds != f] == -1).all()
        assert {int(folds[j]) for j in taught[alone[f][folds == f][0] - 1][0]} == set(range(4)) - {f}


def test_two_folds_choose_by_parts_of_the_one_that_is_left() -> None:
    folds, parts = np.repeat([0, 1], 6), np.tile([0, 1, 2], 4)

    def readout(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        return np.full(len(z), len(x))

    found = nested_readout(np.ones((12, 1)), np.zeros(12, np.int64), folds, np.tile(parts, (2, 1)), readout)
    assert found[0].tolist() == [6] * 6 + [4] * 6
    with pytest.raises(InputError, match="none left to learn from"):
        nested_readout(np.ones((12, 1)), np.full(12, -1), folds, np.tile(parts, (2, 1)), readout)


def test_a_photographs_score_is_the_mean_over_the_classes_it_holds() -> None:
    rng = np.random.default_rng(1)
    classes, predicted = rng.integers(-1, 4, 50), rng.integers(0, 4, (2, 50))
    owner = np.repeat(np.arange(5), 10)
    classes[owner == 3] = -1
    scores = miou_of_photographs(predicted, classes, owner)
    for f in range(2):
        for i in (0, 1, 2, 4):
            known = (owner == i) & (classes >= 0)
            present = np.unique(classes[known])
            expected = class_iou(predicted[f, known], classes[known], present).mean()
            assert scores[f, i] == pytest.approx(expected)
    assert np.isnan(scores[:, 3]).all()


def test_the_best_of_many_settings_alike_is_luck_and_the_honest_score_says_so() -> None:
    rng = np.random.default_rng(2)
    best, honest = [], []
    for _ in range(200):
        values = rng.normal(size=(40, 30))  # settings without any difference
        folds = np.arange(30) % 5
        _, found = nested_choice(np.broadcast_to(values, (5, 40, 30)), folds)
        best.append(values.mean(axis=1).max())
        honest.append(found.mean())
    assert np.mean(best) > 0.3
    assert abs(np.mean(honest)) < 0.05


def test_a_setting_that_is_better_is_chosen_and_scored_where_it_was_not_chosen() -> None:
    values = np.random.default_rng(3).normal(size=(6, 20)) * 0.1
    values[4] += 1
    values[2, :4] = 50  # better than all, on the first fold alone
    folds = np.repeat(np.arange(5), 4)
    chosen, honest = nested_choice(np.broadcast_to(values, (5, 6, 20)), folds)
    assert chosen.tolist() == [4, 2, 2, 2, 2]
    np.testing.assert_array_equal(honest[:4], values[4, :4])
    np.testing.assert_array_equal(honest[4:], values[2, 4:])

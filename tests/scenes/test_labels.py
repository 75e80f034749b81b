from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from dinoscope.errors import InputError
from dinoscope.scenes.classes import (
    BACKGROUNDS,
    class_names,
    class_parts,
    home_of,
    scene_label,
    scene_labels,
)
from dinoscope.scenes.generate import scene, scenes
from dinoscope.scenes.materials import MATERIALS
from dinoscope.scenes.scene import SceneSettings
from dinoscope.scenes.shapes import SHAPES

N = 2000


def labels(correlation):
    return list(scene_labels(N, 1, SceneSettings(background_correlation=correlation)))


def counts(found):
    table = np.zeros((16, len(BACKGROUNDS)))
    for label in found:
        table[label.class_id - 1, BACKGROUNDS.index(label.background)] += 1
    return table


def test_a_class_is_a_shape_in_a_material_and_no_two_are_the_same():
    parts = [class_parts(k) for k in range(1, 49)]
    assert set(parts) == {(material, shape) for material in MATERIALS for shape in SHAPES}
    assert class_names() == tuple(f"{material}-{shape}" for material, shape in parts)
    assert class_names(3) == class_names()[:3]
    # As even as it can be: any first 16 hold every shape twice and each material at least twice.
    assert np.unique([shape for _, shape in parts[:16]], return_counts=True)[1].tolist() == [2] * 8
    assert min(np.unique([material for material, _ in parts[:16]], return_counts=True)[1]) == 2


def test_at_0_the_background_says_nothing_about_the_class():
    table = counts(labels(0.0))
    assert stats.chi2_contingency(table).pvalue > 0.01
    assert stats.chisquare(table.sum(axis=0)).pvalue > 0.01
    assert stats.chisquare(table.sum(axis=1)).pvalue > 0.01


def test_at_1_the_class_determines_the_background():
    assert all(label.background == home_of(label.class_id) for label in labels(1.0))
    # Neither shape nor material alone does, and every background is some class's.
    assert {home_of(k) for k in range(1, 9)} == set(BACKGROUNDS)
    assert home_of(1) != home_of(9)


def test_at_a_half_it_is_in_between_and_even_elsewhere():
    found = labels(0.5)
    at_home = np.array([label.background == home_of(label.class_id) for label in found])
    assert at_home.mean() == pytest.approx(0.5 + 0.5 / 8, abs=0.035)
    away = [
        (BACKGROUNDS.index(label.background) - BACKGROUNDS.index(home_of(label.class_id))) % 8
        for label in found
        if label.background != home_of(label.class_id)
    ]
    assert stats.chisquare(np.bincount(away, minlength=8)[1:]).pvalue > 0.01


def test_more_correlation_moves_backgrounds_home_and_changes_nothing_else():
    by_correlation = [labels(c) for c in (0.0, 0.3, 0.7, 1.0)]
    for less, more in pairwise(by_correlation):
        for a, b in zip(less, more, strict=True):
            assert a.class_id == b.class_id
            assert b.background in (a.background, home_of(b.class_id))


def test_a_label_does_not_depend_on_the_others():
    settings = SceneSettings(n_classes=7)
    assert scene_label(1, settings, index=5) == list(scene_labels(9, 1, settings))[5]
    assert {label.class_id for label in scene_labels(200, 1, settings)} == set(range(1, 8))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"size": (31, 64)}, "size"),
        ({"size": (64, 4097)}, "size"),
        ({"background_correlation": 1.1}, "background_correlation"),
        ({"lighting": -0.1}, "lighting"),
        ({"blur": float("nan")}, "blur"),
        ({"noise": 2.0}, "noise"),
        ({"n_classes": 0}, "n_classes"),
        ({"n_classes": 49}, "n_classes"),
    ],
)
def test_settings_out_of_range_are_refused_by_name_before_anything_is_drawn(wrong, said):
    with pytest.raises(InputError, match=said):
        scene(0, **wrong)
    with pytest.raises(InputError, match=said):
        scenes(1, 0, **wrong)


def test_numbers_that_count_nothing_are_refused():
    with pytest.raises(InputError, match="seed -1"):
        scene(-1)
    with pytest.raises(InputError, match="index -2"):
        scene(0, index=-2)
    with pytest.raises(InputError, match="seed -1"):
        scenes(2, -1)
    with pytest.raises(InputError, match="n -1"):
        scenes(-1, 0)
    with pytest.raises(InputError, match="n_classes 0"):
        class_names(0)
    assert list(scenes(0, 0)) == []


@pytest.mark.usefixtures("unchecked_shapes")
def test_halves_are_refused_where_whole_numbers_are_meant():
    with pytest.raises(InputError, match="size"):
        SceneSettings(size=(64.5, 64))
    with pytest.raises(InputError, match="n_classes"):
        SceneSettings(n_classes=2.5)

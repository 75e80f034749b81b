"""Searching by backgrounds alone tells collections apart whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import EmptyIndexError, InputError, ShapeError
from dinoscope.evaluation.background_alone import background_alone, background_case
from dinoscope.evaluation.text import CASES, case_words
from dinoscope.maths.retrieval_scores import chance_average_precision
from dinoscope.pipeline.embed import new_row, table_settings
from dinoscope.pipeline.run import Run
from dinoscope.store.store import create_table, open_store
from dinoscope.store.writer import open_writer
from tests.evaluation.test_evaluate import CLASSES, PER_CLASS, SIDE, planted_store
from tests.fakes import FakeBackbone

CLASS_COUNT, EACH, DIM = 6, 20, 12


def planted(correlation: float, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Background and foreground vectors; at 1 the background is that of the class, at 0 chance draws it."""
    rng = np.random.default_rng(seed)
    label = np.arange(CLASS_COUNT * EACH) % CLASS_COUNT
    ground = np.where(rng.random(len(label)) < correlation, label, rng.integers(0, CLASS_COUNT, len(label)))
    directions = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    noise = 0.4 * rng.standard_normal((2, len(label), DIM))
    return (
        directions[CLASS_COUNT + ground] + noise[0],
        directions[label] + noise[1],
        [f"class {c}" for c in label],
    )


@pytest.mark.parametrize(("correlation", "case"), [(0.0, "independent"), (0.65, "partly"), (1.0, "carried")])
def test_the_case_is_that_of_the_planted_backgrounds(correlation: float, case: str) -> None:
    found = background_case(*planted(correlation))
    assert found.case == case
    assert CASES[case] in case_words(found)
    assert found.foreground_excess.low > 0.3
    assert (found.ahead.low > 0) == (correlation < 1)


def test_values_are_those_of_a_walk_through_every_ranking() -> None:
    background, foreground, labels = planted(0.5)
    keep = slice(0, 25)
    background, foreground, labels = background[keep], foreground[keep], labels[keep]
    found = background_case(background, foreground, labels)

    def slow(vectors: np.ndarray) -> list[float]:
        means = []
        for i, one in enumerate(vectors):
            cosines = [float(one @ v / np.sqrt((one @ one) * (v @ v))) for v in vectors]
            order = sorted((j for j in range(len(vectors)) if j != i), key=lambda j: -cosines[j])
            hits = [labels[j] == labels[i] for j in order]
            precisions = [sum(hits[: k + 1]) / (k + 1) for k in range(len(hits)) if hits[k]]
            means.append(sum(precisions) / len(precisions))
        return means

    back, front = slow(background), slow(foreground)
    chance = [chance_average_precision(labels.count(label) - 1, len(labels) - 1) for label in labels]
    assert found.background.mean == pytest.approx(np.mean(back))
    assert found.foreground.mean == pytest.approx(np.mean(front))
    assert found.ahead.mean == pytest.approx(np.mean(np.subtract(front, back)))
    assert found.chance == pytest.approx(np.mean(chance))
    shares = [(ap - c) / (1 - c) for ap, c in zip(back, chance, strict=True)]
    assert found.excess.mean == pytest.approx(np.mean(shares))


def test_a_perfect_background_has_an_excess_of_one_and_queries_can_be_fewer() -> None:
    labels = [f"{i % 3}" for i in range(30)]
    perfect = np.eye(3)[np.arange(30) % 3]
    found = background_case(perfect, perfect, labels, max_queries=12)
    assert found.excess.mean == pytest.approx(1)
    assert found.excess.n == 12
    assert (found.case, found.n_images) == ("carried", 30)


def test_too_few_photographs_leave_the_case_open() -> None:
    background, foreground, labels = planted(0.5)
    found = background_case(background[:14], foreground[:14], labels[:14])
    assert found.case == "unclear"


@pytest.mark.parametrize("knows", [False, True])
def test_a_store_says_which_case_it_is(tmp_path: Path, knows: bool) -> None:
    store = planted_store(tmp_path / "store", background_knows=knows)
    found = background_alone(store, labels="folders")
    if knows:
        assert found.case == "carried"
        assert not found.ahead.low > 0
    else:  # chance alone ties a few of so few photographs
        assert found.case in ("independent", "unclear")
        assert found.ahead.low > 0.3
    assert found.n_images + found.n_left_out == CLASSES * PER_CLASS


def test_photographs_without_a_foreground_or_label_are_counted(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "store"
    planted_store(path, background_knows=True)
    with open_writer(path, table_settings(FakeBackbone(), Run(SIDE))) as writer:
        flat = np.broadcast_to(rng.standard_normal(12), (SIDE, SIDE, 12)).copy()
        features = PatchFeatures.from_array(flat, image_size=(80, 80), name="flat.png")
        row = new_row(features, source="photos/class-0/flat.png")
        assert writer.claim(row.digest)
        writer.add(row)
    found = background_alone(open_store(path), labels="folders")
    assert found.n_images + found.n_left_out == CLASSES * PER_CLASS + 1
    assert found.n_left_out >= 1


@pytest.mark.usefixtures("unchecked_shapes")
def test_what_cannot_be_asked_is_refused(tmp_path: Path) -> None:
    background, foreground, labels = planted(0.0)
    with pytest.raises(ShapeError):
        background_case(background, foreground[:-1], labels)
    with pytest.raises(ShapeError):
        background_case(background, foreground, labels[:-1])
    with pytest.raises(InputError, match="at least two classes"):
        background_case(background, foreground, ["one"] * len(labels))
    with pytest.raises(InputError, match="no query has a relevant photograph"):
        background_case(background, foreground, [str(i) for i in range(len(labels))])
    broken = background.copy()
    broken[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        background_case(broken, foreground, labels)
    create_table(tmp_path / "empty", table_settings(FakeBackbone(), Run(SIDE)))
    with pytest.raises(EmptyIndexError):
        background_alone(open_store(tmp_path / "empty"), labels="folders")

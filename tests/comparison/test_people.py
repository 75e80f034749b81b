from __future__ import annotations

import json
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from dinoscope.comparison.measure import measure
from dinoscope.comparison.people import CEILING, people_labels, people_numbers
from dinoscope.comparison.tables.files import measurements_json, measurements_text, metrics_csv
from dinoscope.data.annotation import Annotation, MaskKind
from dinoscope.data.grid import PatchGrid
from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.maths.masks import patch_labels, region_shares
from tests.fakes import FakeBackbone

REGIONS = MaskKind("regions", "of a test")
SHAPE, GRID = (45, 60), PatchGrid(9, 12, 8, (60, 45))


def segmentation(seed: int, n: int = 4, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    field = gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 6)
    return np.digitize(field, np.quantile(field, np.linspace(0, 1, n + 1)[1:-1])) + 1


def annotation(labels: np.ndarray) -> Annotation:
    return Annotation(labels, None, REGIONS)


def slow_shares(image: np.ndarray, grid: PatchGrid) -> np.ndarray:
    regions = sorted(set(image.ravel().tolist()) - {-1})
    counts = np.zeros((grid.h, grid.w, len(regions)))
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if image[y, x] >= 0:
                row = int((y + 0.5) / image.shape[0] * grid.h)
                col = int((x + 0.5) / image.shape[1] * grid.w)
                counts[row, col, regions.index(image[y, x])] += 1
    total = counts.sum(axis=2, keepdims=True)
    return np.where(total > 0, counts / np.maximum(total, 1), 0)


def slow_coherence(shares: np.ndarray, labels: np.ndarray) -> float:
    """Over all pairs at least 4 patches apart, of patches that both people said something of."""
    known = [(y, x) for y in range(GRID.h) for x in range(GRID.w) if labels[y, x] >= 0 and shares[y, x].any()]
    alike, unlike = [], []
    for i, a in enumerate(known):
        for b in known[i + 1 :]:
            if math.dist(a, b) >= 4:
                cosine = shares[a] @ shares[b] / math.hypot(*shares[a]) / math.hypot(*shares[b])
                (alike if labels[a] == labels[b] else unlike).append(round(cosine, 12))
    wins = np.subtract.outer(alike, unlike)
    return float(((wins > 0) + 0.5 * (wins == 0)).mean())


def with_unknown(labels: np.ndarray) -> np.ndarray:
    labels = labels.copy()
    labels[:12, :20] = -1
    return labels


def test_features_are_area_shares() -> None:
    image = with_unknown(segmentation(0))
    shares = region_shares(image, GRID)
    np.testing.assert_allclose(shares, slow_shares(image, GRID), atol=1e-12)
    sums = shares.sum(axis=2)
    assert set(np.unique(sums.round(9))) == {0.0, 1.0}
    assert region_shares(np.full(SHAPE, -1), GRID).shape == (9, 12, 1)


def test_a_person_is_scored_against_the_first_as_if_a_model() -> None:
    first, second = with_unknown(segmentation(1)), segmentation(2, n=5)
    second[30:, 40:] = -1
    found = people_numbers([annotation(first), annotation(second)], GRID)
    assert people_labels(2) == ("person:2",) and set(found) == set(CEILING)
    want = slow_coherence(slow_shares(second, GRID), patch_labels(first, GRID).labels)
    assert found["coherence_auc"] == (pytest.approx(want, abs=1e-9),)


def test_one_who_agrees_reaches_all_and_the_numbering_does_not_matter() -> None:
    blocks = np.kron(np.arange(4)[None] + 1, np.ones((45, 15), int))
    same = people_numbers([annotation(blocks), annotation(9 - 2 * blocks)], GRID)
    assert all(values == (1.0,) for values in same.values())
    unrelated = people_numbers([annotation(blocks), annotation(segmentation(9))], GRID)
    assert unrelated["boundary_auc"][0] < 0.75


def test_each_is_scored_against_each_other_and_never_against_themselves() -> None:
    people = [segmentation(seed, n) for seed, n in ((1, 3), (2, 4), (3, 5))]
    found = people_numbers([annotation(p) for p in people], GRID)["coherence_auc"]
    assert people_labels(3) == ("person:2", "person:3", "people")
    pairs = {
        (mine, theirs): slow_coherence(
            slow_shares(people[mine], GRID), patch_labels(people[theirs], GRID).labels
        )
        for mine, theirs in permutations(range(3), 2)
    }
    assert found[:2] == (pytest.approx(pairs[1, 0]), pytest.approx(pairs[2, 0]))
    assert found[2] == pytest.approx(np.mean(list(pairs.values())))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    for name in ("images", "anna", "bert", "cleo"):
        (folder / name).mkdir()
    for k in range(5):
        labels = segmentation(k, shape=(48, 64))
        noise = np.random.default_rng(k).normal(0, 15, (48, 64, 3))
        pixels = (labels[..., None] * (40, 30, 50) + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{k}.png")
        for name, n in (("anna", 4), ("bert", 3), ("cleo", 6)):
            if name != "cleo" or k < 2:
                drawn = segmentation(k, n, (48, 64)).astype(np.uint8)
                Image.fromarray(drawn).save(folder / name / f"{k}.png")
    return folder


def measured_with(folder: Path, *people: str, **more: object):  # type: ignore[no-untyped-def]
    paths = sorted((folder / "images").glob("*.png"))
    return measure(paths, FakeBackbone("a"), grid=8, masks=[folder / p for p in people], **more)  # type: ignore[arg-type]


def test_people_are_neither_models_nor_controls(folder: Path) -> None:
    m = measured_with(folder, "anna", "bert")
    assert m.models == ("a",) and m.controls is not None and m.people is not None
    assert m.people.models == ("person:2",) and "person:2" not in m.controls.models
    assert set(m.people.values) == set(CEILING) and not m.people.collection
    shuffled = m.controls.summaries["coherence_auc"][m.controls.models.index("shuffled:a")]
    assert m.people.summaries["coherence_auc"][0].mean > 0.8 > shuffled.mean
    data = json.loads(measurements_json(m))
    assert data["people"]["models"] == ["person:2"] and data["people"]["masks"] == "person:2 is bert"
    assert data["masks"] == "anna" and str(folder) not in measurements_json(m)
    said = measurements_text(m)
    assert "[person:2]" in said and "person:2 is bert" in said
    rows = [line for line in metrics_csv(m).splitlines() if ",person:2," in line]
    assert len(rows) == 5 * len(CEILING) and all(row.endswith(",0") for row in rows)


def test_one_who_segmented_some_photographs_counts_for_those(folder: Path) -> None:
    m = measured_with(folder, "anna", "cleo", on_failure=lambda failure: pytest.fail(failure.reason))
    assert m.people is not None and m.people.summaries["coherence_auc"][0].n == 2
    assert np.isnan(m.people.values["coherence_auc"][2:]).all()
    assert "on 2 of 5 photographs" in " ".join(measurements_text(m).split())


def test_a_mask_that_does_not_fit_is_told(folder: Path, tmp_path: Path) -> None:
    Image.fromarray(np.ones((64, 48), np.uint8)).save(tmp_path / "0.png")
    failures: list[Failure] = []
    paths = [folder / "images" / "0.png"]
    m = measure(
        paths, FakeBackbone("a"), grid=8, masks=[folder / "anna", tmp_path], on_failure=failures.append
    )
    assert m.people is not None and m.people.summaries["coherence_auc"][0].n == 0
    assert ["another shape" in failure.reason for failure in failures] == [True]


def test_three_people_have_a_mean_of_pairs_and_go_through_a_journal(folder: Path, tmp_path: Path) -> None:
    whole = measured_with(folder, "anna", "bert", "cleo")
    journal = tmp_path / "rows.jsonl"
    measured_with(folder, "anna", "bert", "cleo", journal=journal)
    again = measured_with(folder, "anna", "bert", "cleo", journal=journal)
    assert whole.people is not None and again.people is not None
    assert again.people.models == ("person:2", "person:3", "people")
    np.testing.assert_array_equal(whole.people.values["boundary_auc"], again.people.values["boundary_auc"])
    assert "mean of the ordered pairs" in " ".join(measurements_text(whole).split())


def test_nobody_is_named_twice(folder: Path) -> None:
    with pytest.raises(InputError, match="named twice"):
        measured_with(folder, "anna", "images/../anna")

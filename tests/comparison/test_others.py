from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

import dinoscope.comparison.sample as sample_module
from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.controls import shuffled
from dinoscope.comparison.masks import open_masks
from dinoscope.comparison.measure import measure
from dinoscope.comparison.numbers import numbers_of, seen_on
from dinoscope.comparison.others import partners
from dinoscope.comparison.sample import Sample, collection_numbers
from dinoscope.comparison.tables.files import measurements_text
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Measurements
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array, read_photograph
from dinoscope.metrics.facts import Metric, OfCollection
from dinoscope.metrics.subject import Collection
from dinoscope.pipeline.extract import extract
from tests.fakes import FakeBackbone

WIDE, TALL = (48, 64), (64, 48)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four wide photographs, two tall ones and a square one, each with its own blobs."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "masks").mkdir()
    rng = np.random.default_rng(5)
    for k, (height, width) in enumerate([WIDE, TALL, WIDE, WIDE, (64, 64), TALL, WIDE]):
        field = gaussian_filter(rng.standard_normal((height, width)), 7)
        labels = np.digitize(field, np.quantile(field, [0.4, 0.7])).astype(np.uint8) + 1
        colours = rng.integers(0, 255, (4, 3))[labels] + rng.normal(0, 20, (height, width, 3))
        Image.fromarray(colours.clip(0, 255).astype(np.uint8)).save(folder / f"{k}.png")
        Image.fromarray(labels).save(folder / "masks" / f"{k}.png")
    return folder


def of_others(folder: Path, **settings: object) -> tuple[Measurements, np.ndarray]:
    paths = sorted(folder.glob("*.png"))
    measured = measure(paths, FakeBackbone("a"), grid=8, masks=folder / "masks", **settings)  # type: ignore[arg-type]
    assert measured.controls is not None
    return measured, measured.controls.values["coherence_auc"][:, measured.controls.models.index("other:a")]


def test_a_partner_is_another_photograph_of_the_same_shape() -> None:
    shapes = {f"{k:064x}": WIDE if k % 3 else TALL for k in range(30)} | {"f" * 64: (9, 9)}
    found = partners(shapes)
    assert set(found) == set(shapes) - {"f" * 64}
    assert all(shapes[a] == shapes[b] and a != b for a, b in found.items())
    assert found == partners(dict(reversed(shapes.items())))
    assert found != partners(shapes, seed=1)
    assert len(set(found.values())) > 12  # not the same few for all
    fewer = {digest: shape for digest, shape in shapes.items() if digest != f"{1:064x}"}
    moved = [a for a, b in partners(fewer).items() if b != found[a]]
    assert all(found[a] == f"{1:064x}" for a in moved)


def test_the_control_is_the_features_of_that_other_photograph(folder: Path) -> None:
    measured, values = of_others(folder)
    photographs = [read_photograph(path) for path in sorted(folder.glob("*.png"))]
    features = {f.provenance.image_digest: f for f in extract(photographs, FakeBackbone("a"), grid=8)}
    pairs = partners({digest: f.grid.shape for digest, f in features.items()})
    (masks,) = open_masks(folder / "masks")
    for photograph, value in zip(photographs, values, strict=True):
        if photograph.digest not in pairs:
            assert math.isnan(value) and photograph.size == (64, 64)
            continue
        annotation = masks.read(photograph, lambda failure: pytest.fail(failure.reason))
        own = features[photograph.digest]
        seen = seen_on(own.grid, photograph, annotation=annotation)
        scored = partial(numbers_of, seen=seen, masked=True)
        assert scored(features[pairs[photograph.digest]]).values["coherence_auc"] == value
        assert scored(own).values["coherence_auc"] != value
    assert measured.controls is not None
    at = measured.controls.models.index("other:a")
    assert measured.controls.summaries["coherence_auc"][at].n == 6
    assert "for 6 of 7 photographs" in measurements_text(measured)


def test_what_controls_take_over_is_what_measuring_them_says(folder: Path) -> None:
    """Every number of `other` and of `shuffled`, afresh from their features."""
    measured, _ = of_others(folder)
    assert measured.controls is not None
    photographs = [read_photograph(path) for path in sorted(folder.glob("*.png"))]
    features = {f.provenance.image_digest: f for f in extract(photographs, FakeBackbone("a"), grid=8)}
    pairs = partners({digest: f.grid.shape for digest, f in features.items()})
    (masks,) = open_masks(folder / "masks")
    curves: dict[str, list[dict[str, np.ndarray]]] = {"other:a": [], "shuffled:a": []}
    for i, photograph in enumerate(photographs):
        annotation = masks.read(photograph, lambda failure: pytest.fail(failure.reason))
        own = features[photograph.digest]
        seen = seen_on(own.grid, photograph, annotation=annotation)
        of = {"shuffled:a": shuffled(own)}
        if photograph.digest in pairs:
            of["other:a"] = features[pairs[photograph.digest]]
        for name, control in of.items():
            fresh, at = numbers_of(control, seen, masked=True), measured.controls.models.index(name)
            curves[name].append(fresh.curves)
            for key, value in fresh.values.items():
                assert measured.controls.values[key][i, at] == pytest.approx(value, rel=1e-8, nan_ok=True)
    for name, several in curves.items():
        for key, curve in measured.controls.curves.items():
            lines = np.array([one[key] for one in several])
            sums, known = np.nansum(lines, axis=0), (~np.isnan(lines)).sum(axis=0)
            mean = np.where(known, sums / np.maximum(known, 1), np.nan)
            found = curve.y[measured.controls.models.index(name)]
            np.testing.assert_allclose(found, mean, rtol=1e-8, atol=1e-8)


def test_of_a_collection_they_have_the_models_own_number_where_only_draws_differ(folder: Path) -> None:
    measured, _ = of_others(folder)
    beside = measured.controls
    assert beside is not None
    shuffled_at, other_at = (beside.models.index(name) for name in ("shuffled:a", "other:a"))
    (dse,), (r2,) = measured.collection["dse"], measured.collection["position_r2"]
    assert beside.collection["dse"][shuffled_at] == beside.collection["dse"][other_at] == dse
    assert beside.collection["position_r2"][other_at] == r2 != beside.collection["position_r2"][shuffled_at]
    assert beside.collection["dse"][beside.models.index("blur:a")] != dse


def test_collection_numbers_measure_what_is_moved_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, float]] = []

    def told(key: str, *, looks: bool) -> OfCollection:
        metric = Metric(key, key, "tokens", 0, "a share", collection=True, photograph=looks)

        def measure(collection: Collection) -> dict[str, float]:
            asked.append((key, value := float(np.asarray(collection.maps[0].values).max())))
            return {key: value}

        return OfCollection((metric,), measure)

    monkeypatch.setattr(sample_module, "COLLECTION", (told("sees", looks=True), told("blind", looks=False)))
    photograph = photograph_from_array(np.zeros((32, 32, 3), np.uint8), name="one")
    columns = [np.full((2, 2, 3), value) for value in (1.0, 2.0, 3.0)]
    sample = Sample()
    features = tuple(PatchFeatures.from_array(one, image_size=(32, 32)) for one in columns)
    sample.add(photograph, features, None)
    moved = frozenset({"photograph"})
    found = collection_numbers(sample, moved={2: moved})
    assert found == {"sees": (1.0, 2.0, 3.0), "blind": (1.0, 2.0, 1.0)}
    assert sorted(asked) == [("blind", 1.0), ("blind", 2.0), ("sees", 1.0), ("sees", 2.0), ("sees", 3.0)]
    assert collection_numbers(sample, lambda several: several[:1], moved={0: moved}) == {"sees": (1.0,)}


def test_seed_decides_and_order_does_not(folder: Path) -> None:
    _, values = of_others(folder)
    np.testing.assert_array_equal(values, of_others(folder)[1])
    assert not np.array_equal(values, of_others(folder, seed=3)[1], equal_nan=True)
    paths = sorted(folder.glob("*.png"), reverse=True)
    back = measure(paths, FakeBackbone("a"), grid=8, masks=folder / "masks").controls
    assert back is not None
    np.testing.assert_array_equal(values, back.values["coherence_auc"][::-1, back.models.index("other:a")])


def test_a_run_that_goes_on_gives_the_same(folder: Path, tmp_path: Path) -> None:
    paths = sorted(folder.glob("*.png"))
    journal = tmp_path / "rows.jsonl"
    measure(paths[:4], FakeBackbone("a"), grid=8, masks=folder / "masks", journal=journal)
    _, values = of_others(folder, journal=journal)
    np.testing.assert_array_equal(values, of_others(folder)[1])


@pytest.mark.parametrize("names", [["0.png"], ["0.png", "4.png"]])
def test_without_another_photograph_it_is_undefined_and_said(folder: Path, names: list[str]) -> None:
    measured = measure([folder / name for name in names], FakeBackbone("a"), grid=8)
    assert measured.controls is not None
    at = measured.controls.models.index("other:a")
    assert all(np.isnan(table[:, at]).all() for table in measured.controls.values.values())
    assert "other:a is undefined: no photograph has another one of its grid shape" in " ".join(
        measurements_text(measured).split()
    )


@pytest.mark.parametrize("name", ["other:mini", "shuffled:mini", "blur:other:mini"])
def test_it_is_no_model(name: str) -> None:
    with pytest.raises(InputError, match="measured beside the models"):
        load_backbone(name)


def test_features_keep_their_values(folder: Path) -> None:
    """The sample's own features are what they were."""
    before = [f.values.copy() for f in extract(folder / "0.png", FakeBackbone("a"), grid=8)]
    of_others(folder)
    after: list[PatchFeatures] = list(extract(folder / "0.png", FakeBackbone("a"), grid=8))
    np.testing.assert_array_equal(before[0], after[0].values)

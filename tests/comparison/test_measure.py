from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.columns import columns_of
from dinoscope.comparison.controls import blurred, shuffled
from dinoscope.comparison.measure import measure
from dinoscope.comparison.passes import numbers_of_passes
from dinoscope.comparison.sample import Sample
from dinoscope.comparison.tables.files import measurements_json, metrics_csv
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Failure, Measurements
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import ImageError, InputError, ShapeError, UnknownBackboneError
from dinoscope.io.images import read_photograph
from dinoscope.io.journal import Journal
from dinoscope.maths.smoothness import smoothness
from dinoscope.metrics.distance import DISTANCES
from dinoscope.metrics.registry import METRICS
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.run import Run
from tests.fakes import FakeBackbone

N = 6
SIDE = 64


def mask(i: int) -> np.ndarray:
    """Of classes: 1 or 2 is an object, 3 the ground, 0 the background."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inside = (x - 20 - 3 * i) ** 2 + (y - 32) ** 2 < 18**2
    return np.asarray(inside * (1 + i % 2) + (y > 48) * ~inside * 3, dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    colours = np.array([[60, 70, 80], [210, 60, 50], [60, 190, 90], [70, 90, 220]], float)
    for kind in ("class", "instance"):
        (folder / "masks" / kind).mkdir(parents=True)
    for i in range(N):
        noise = gaussian_filter(rng.standard_normal((SIDE, SIDE, 3)), (1, 1, 0)) * 25
        pixels = (colours[mask(i)] + noise).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
        Image.fromarray(mask(i)).save(folder / "masks" / "class" / f"{i}.png")
        Image.fromarray(np.minimum(mask(i), 2)).save(folder / "masks" / "instance" / f"{i}.png")
    return folder


def photographs(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


@pytest.fixture(scope="module")
def measured(folder: Path) -> Measurements:
    models = [FakeBackbone("a"), FakeBackbone("b", patch_size=4)]
    return measure(photographs(folder), models, grid=12, masks=folder / "masks")


def same(a: Measurements | None, b: Measurements | None) -> bool:
    """Equal to the last digit, NaN being NaN."""
    return repr(None if a is None else asdict(a)) == repr(None if b is None else asdict(b))


def test_every_metric_without_passes_is_there_and_named(measured: Measurements) -> None:
    wanted = {key for key, metric in METRICS.items() if not metric.collection and metric.group != "passes"}
    assert set(measured.values) == wanted - {"pck"}
    assert set(measured.collection) == {key for key, metric in METRICS.items() if metric.collection}
    assert measured.masks == "masks" and not measured.undefined
    defined = {name for name, table in measured.values.items() if np.isfinite(table[:, 1]).all()}
    assert set(measured.values) - defined <= {"boundary_auc_pure"}  # few pure patches meet at a border


def test_planted_objects_give_sharp_and_coherent_features_and_shuffling_takes_both(
    measured: Measurements,
) -> None:
    assert measured.controls is not None
    shuffled_at = measured.controls.models.index("shuffled:a")
    for name in ("boundary_auc", "coherence_auc"):
        assert measured.summaries[name][0].mean > 0.85
        low, high = (
            measured.controls.summaries[name][shuffled_at].low,
            measured.controls.summaries[name][shuffled_at].high,
        )
        assert low - 0.06 < METRICS[name].chance < high + 0.06  # type: ignore[operator]
    assert measured.collection["knn_miou"][0] > 0.5 > measured.controls.collection["knn_miou"][shuffled_at]


def test_controls_run_beside_and_can_be_left_out(folder: Path, measured: Measurements) -> None:
    assert measured.models == ("a", "b")
    assert measured.controls is not None
    assert measured.controls.models == ("pixels", "blur:a", "shuffled:a", "other:a")
    assert measured.controls.digests == measured.digests
    alone = measure(photographs(folder), FakeBackbone("a"), grid=12, controls=False)
    assert alone.controls is None
    np.testing.assert_array_equal(alone.values["locality"][:, 0], measured.values["locality"][:, 0])


def test_a_control_is_what_its_name_says(folder: Path) -> None:
    f = next(extract(folder / "0.png", FakeBackbone("a"), grid=12))
    mixed = shuffled(f, seed=1)
    rows = lambda g: sorted(map(tuple, g.values.reshape(-1, g.dim).tolist()))  # noqa: E731
    assert rows(mixed) == rows(f) and (mixed.values != f.values).any()
    np.testing.assert_array_equal(mixed.values, shuffled(f, seed=1).values)
    assert smoothness(blurred(f)).neighbour > smoothness(f).neighbour
    assert smoothness(mixed).locality == pytest.approx(0, abs=0.1)


def test_intervals_stay_within_the_range_of_their_metric(folder: Path) -> None:
    two = photographs(folder)[:2]
    measured = measure(
        two, [FakeBackbone("a"), FakeBackbone("b", patch_size=4)], grid=8, masks=folder / "masks"
    )
    cut = 0
    for key, intervals in measured.summaries.items():
        low, high = METRICS[key].range
        for one in intervals:
            assert math.isnan(one.low) or low <= one.low <= one.mean <= one.high <= high, key
            cut += one.low == low or one.high == high
        for paired in measured.differences[key]:
            assert not abs(paired.interval.low) > high - low and not abs(paired.interval.high) > high - low
    assert cut  # of two photographs some reach that far


def test_models_are_compared_with_the_first(measured: Measurements) -> None:
    for name in ("gram_distance", "gram_correlation", "cka"):
        assert np.isnan(measured.values[name][:, 0]).all()
        assert np.isfinite(measured.values[name][:, 1]).all()


def test_curves_are_means_over_photographs(folder: Path, measured: Measurements) -> None:
    curve = measured.curves["distance"]
    assert curve.y.shape == (2, len(DISTANCES))
    one = [
        measure(path, FakeBackbone("a"), grid=12, controls=False).curves["distance"].y[0]
        for path in photographs(folder)
    ]
    np.testing.assert_allclose(curve.y[0], np.mean(one, axis=0), atol=1e-6)


@pytest.mark.parametrize("after", [1, 4])
def test_an_interrupted_run_goes_on_and_ends_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    models = [FakeBackbone("a"), FakeBackbone("b", patch_size=4)]
    whole = measure(photographs(folder), models, grid=8, journal=tmp_path / "whole.jsonl")
    path = tmp_path / "cut.jsonl"
    add = Journal.add

    def add_some(self: Journal, key: str, row: Mapping[str, object]) -> None:
        if len(self) == after:
            raise KeyboardInterrupt
        add(self, key, row)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "add", add_some)
        with pytest.raises(KeyboardInterrupt):
            measure(photographs(folder), models, grid=8, journal=path)
    path.write_bytes(path.read_bytes() + b'{"key": "half a li')
    assert len(Journal(path, _settings_of(path))) == after
    again = measure(photographs(folder), models, grid=8, journal=path)
    assert same(again, whole)


def _settings_of(path: Path) -> dict[str, object]:
    settings: dict[str, object] = json.loads(path.read_text().split("\n")[0])["settings"]
    return settings


def test_what_was_measured_is_not_extracted_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sample, "__init__", _small_sample)
    first = FakeBackbone("a")
    whole = measure(photographs(folder), first, grid=8, journal=tmp_path / "rows.jsonl", controls=False)
    assert sum(first.batches) == N
    second = FakeBackbone("a")
    again = measure(photographs(folder), second, grid=8, journal=tmp_path / "rows.jsonl", controls=False)
    assert sum(second.batches) == 2  # the sample's
    assert same(again, whole)
    with pytest.raises(InputError, match="grid: 8 there, 9 now"):
        measure(photographs(folder), second, grid=9, journal=tmp_path / "rows.jsonl", controls=False)


def _small_sample(self: Sample, kept: int = 2) -> None:
    self.seen = {}
    self.kept, self.rows, self.photographs = kept, {}, {}


def test_the_sample_does_not_depend_on_the_order(folder: Path) -> None:
    features = {f.provenance.image_digest: f for f in extract(photographs(folder), FakeBackbone("a"), grid=8)}
    read = [read_photograph(path) for path in photographs(folder)]
    kept = []
    for order in (read, read[::-1]):
        sample = Sample(kept=3)
        for photograph in order:
            sample.add(photograph, (features[photograph.digest],), None)
        assert set(sample.photographs) == set(sample.rows)
        kept.append(set(sample.rows))
    assert kept[0] == kept[1] == set(sorted(features)[:3])


def test_a_missing_or_unfit_mask_costs_only_the_masked_numbers(folder: Path) -> None:
    masks = {"0.png": mask(0), "1.png": mask(1)[:, :40]}
    failures: list[Failure] = []
    m = measure(photographs(folder)[:3], FakeBackbone("a"), grid=8, masks=masks, on_failure=failures.append)
    assert [Path(f.source).name for f in failures] == ["1.png", "2.png"]
    assert "another shape" in failures[0].reason and "no mask" in failures[1].reason
    assert np.isnan(m.values["boundary_auc"][:, 0]).tolist() == [False, True, True]
    assert np.isfinite(m.values["locality"]).all()
    assert m.summaries["boundary_auc"][0].n == 1
    with pytest.raises(InputError, match="another shape"):
        measure(photographs(folder)[:3], FakeBackbone("a"), grid=8, masks=masks)


def test_features_with_nan_are_left_out_by_name_and_counted(folder: Path) -> None:
    failures: list[Failure] = []
    with pytest.raises(InputError, match="none of the photographs"):
        measure(
            photographs(folder)[:2], [FakeBackbone("a"), FakeBackbone("bad", nan=True)], grid=8,
            on_failure=failures.append,
        )  # fmt: skip
    assert len(failures) == 2
    assert all("bad" in f.reason for f in failures)


def test_a_constant_photograph_and_a_single_patch_are_undefined_not_zero(folder: Path) -> None:
    flat = np.full((64, 64, 3), 128, np.uint8)
    m = measure(flat, FakeBackbone("a"), grid=6, controls=False, masks={"array": np.zeros((64, 64), int)})
    for name in ("locality", "proxy_sharpness", "boundary_auc", "coherence_auc", "lost_hit"):
        assert math.isnan(m.values[name][0, 0]), name
    assert any("undefined for every photograph" in warning for warning in m.warnings)
    single = measure(folder / "0.png", FakeBackbone("a"), grid=1, controls=False)
    assert math.isnan(single.values["neighbour"][0, 0])
    assert math.isnan(single.collection["position_r2"][0])


def test_passes_of_patchwise_features_are_exact_where_they_must_be(folder: Path) -> None:
    """The fake's patches know their own pixels alone: flips and whole-patch shifts change nothing."""
    backbone = FakeBackbone("a")
    photograph = read_photograph(folder / "0.png")
    f = next(extract([photograph], backbone, grid=12))
    numbers = numbers_of_passes(f, photograph, backbone, Run(), None)
    assert numbers["flip"] == pytest.approx(1, abs=1e-5)
    assert numbers["shift"] == pytest.approx(1, abs=1e-5)
    assert numbers["half_shift"] < 1 - 1e-4
    assert 0.5 < numbers["resolution_cka"] < 1
    assert math.isnan(numbers["pck"])


def test_passes_reach_the_measurements(folder: Path) -> None:
    m = measure(photographs(folder)[:2], FakeBackbone("a"), grid=8, passes=True)
    assert {"flip", "shift", "half_shift", "crop", "resolution_cka", "resolution_gram"} <= set(m.values)
    assert m.controls is not None and np.isnan(m.controls.values["flip"]).all()
    assert np.isnan(m.curves["position"].y).all()  # the fake does not know where a patch is


def test_masks_named_badly_are_refused_before_any_work(folder: Path) -> None:
    backbone = FakeBackbone("a")
    with pytest.raises(InputError, match="no such folder"):
        measure(photographs(folder), backbone, masks=folder / "nowhere")
    assert backbone.batches == []


def test_foreign_features_have_a_digest_too() -> None:
    f = PatchFeatures.from_array(np.random.default_rng(0).normal(size=(4, 4, 3)), image_size=(8, 8))
    assert sorted(shuffled(f).values.ravel().tolist()) == sorted(f.values.ravel().tolist())


def test_errors_are_the_photographs_own() -> None:
    with pytest.raises((ImageError, InputError)):
        measure("missing.png", FakeBackbone("a"), grid=4)


def test_backbones_may_be_named() -> None:
    photograph = np.full((24, 32, 3), 90, np.uint8)
    photograph[:, :10] = 200
    named = measure(photograph, ["pixels", "mini"], grid=4, controls=False)
    loaded = measure(photograph, [load_backbone("pixels"), load_backbone("mini")], grid=4, controls=False)
    assert named.models == loaded.models == ("pixels", "mini")
    assert named.summaries["neighbour"][0].mean == loaded.summaries["neighbour"][0].mean
    (features,) = extract(photograph, "mini", grid=4)
    assert features.provenance.backbone == "mini"
    with pytest.raises(UnknownBackboneError, match="minni"):
        measure(photograph, "minni", grid=4)


class Trained(FakeBackbone):
    @property
    def spec(self) -> BackboneSpec:
        return replace(super().spec, control=False)


def test_what_is_a_control_is_said_by_the_backbone_and_not_by_its_name(folder: Path) -> None:
    found = measure(photographs(folder), [Trained("blur:mine"), load_backbone("pixels")], grid=8)
    assert found.is_control == (False, True)
    beside = found.controls
    assert beside is not None and all(beside.is_control) and beside.borrowed == "other:blur:mine"
    assert [c.control for c in columns_of(found)] == [False, True, *beside.is_control]
    told = {row["model"]: row["control"] for row in csv.DictReader(io.StringIO(metrics_csv(found)))}
    assert told == {label: str(int(label != "blur:mine")) for label in (*found.models, *beside.models)}
    written = json.loads(measurements_json(found))
    assert written["is_control"] == {"blur:mine": False, "pixels": True}
    assert written["controls"]["is_control"] == dict.fromkeys(beside.models, True)
    with pytest.raises(ShapeError, match="is_control"):
        replace(found, is_control=(True,))

from __future__ import annotations

import shutil
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from dinoscope.backbones import bundled
from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.compare import compare
from dinoscope.comparison.maps import POINTS
from dinoscope.comparison.measure import measure
from dinoscope.comparison.measuring import check_equal_grids
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Comparison, Failure
from dinoscope.errors import GridMismatchError, InputError, LayerError, NoUsablePhotographError
from dinoscope.maths.intervals import mean_interval
from dinoscope.maths.pca import fit_pca
from dinoscope.maths.smoothness import smoothness
from dinoscope.pipeline.extract import extract
from tests.fakes import FakeBackbone


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for i, size in enumerate([(64, 48), (48, 64), (64, 64)]):
        noise = gaussian_filter(rng.standard_normal((size[1], size[0], 3)), (5, 5, 0)) * 400 + 128
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return compare(sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("b", patch_size=4)], grid=8)


def test_numbers_are_those_of_the_features(comparison: Comparison) -> None:
    m = comparison.measurements
    for i, row in enumerate(comparison.features):
        for j, f in enumerate(row):
            triple = smoothness(f)
            for name in ("neighbour", "random_pair", "locality"):
                assert m.values[name][i, j] == getattr(triple, name)
    column = m.values["neighbour"][:, 1]
    assert m.summaries["neighbour"][1] == mean_interval(column)
    assert m.differences["neighbour"][0].interval.mean == pytest.approx(
        float((column - m.values["neighbour"][:, 0]).mean())
    )
    assert any("30" in warning for warning in m.warnings)


def test_one_basis_a_model_over_all_photographs(comparison: Comparison) -> None:
    for j, model in enumerate(comparison.models):
        expected = fit_pca([row[j] for row in comparison.features], n=6)
        np.testing.assert_allclose(model.pca.components, expected.components)
        for i, maps in enumerate(column[j] for column in comparison.maps):
            np.testing.assert_allclose(maps.scores, expected.project(comparison.features[i][j]))


def test_maps_of_the_same_places_on_equal_grids(comparison: Comparison) -> None:
    assert comparison.points == POINTS
    for row in comparison.maps:
        for places in zip(*(maps.similarity for maps in row), strict=True):
            assert len({(s.at, s.patch, s.values.shape) for s in places}) == 1
        assert all(np.all((maps.colours >= 0) & (maps.colours <= 1)) for maps in row)


def test_colours_of_a_model_against_itself_are_the_same(folder: Path) -> None:
    c = compare(sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("a")], grid=6)
    assert [m.label for m in c.models] == ["a", "a (2)"]
    assert c.models[0].alignment is None
    assert c.models[1].alignment is not None
    assert c.models[1].alignment.residual == pytest.approx(0, abs=1e-9)
    for first, second in c.maps:
        np.testing.assert_allclose(first.colours, second.colours, atol=1e-6)


def test_the_ledger_flags_what_was_not_met(folder: Path) -> None:
    fair = compare(sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("b")], grid=8)
    met = {entry.rule: entry.met for entry in fair.ledger}
    assert met["Every model sees a photograph on the same patch grid"]
    assert met["Each model's last layer is compared"]
    unfair = compare(
        sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("b")], grid=(4, 20), layers=[0, None]
    )
    unmet = {entry.rule for entry in unfair.ledger if not entry.met}
    assert "Each model's last layer is compared" in unmet
    assert "The whole photograph is used, at its own aspect ratio" in unmet


def test_a_dinov2_dinov3_difference_names_no_single_cause(folder: Path) -> None:
    class Trained(FakeBackbone):
        @property
        def spec(self):  # type: ignore[no-untyped-def]
            from dataclasses import replace

            return replace(super().spec, control=False)

    c = compare(folder / "0.png", [Trained("a", family="dinov2"), Trained("b", family="dinov3")], grid=4)
    entry = next(e for e in c.ledger if e.rule == "The models differ in one thing only")
    assert not entry.met
    assert "distilled" in entry.detail and "not trained with Gram anchoring" in entry.detail


def test_the_bundled_pair_differs_in_one_thing_and_only_the_bundled_one(folder: Path, tmp_path: Path) -> None:
    rule = "The models differ in one thing only"
    pair = [load_backbone("mini"), load_backbone("mini-gram")]
    entry = next(e for e in compare(folder / "0.png", pair, grid=4).ledger if e.rule == rule)
    assert entry.met and "nothing of DINOv2 and DINOv3" in entry.detail
    copied = shutil.copytree(bundled.folder("mini-gram"), tmp_path / "mini-gram")
    own = load_backbone("mini-gram", weights=copied)
    entry = next(e for e in compare(folder / "0.png", [pair[0], own], grid=4).ledger if e.rule == rule)
    assert not entry.met


def test_failures_are_listed_and_cost_only_themselves(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no")
    heard: list[Failure] = []
    c = compare([folder / "0.png", tmp_path / "bad.png"], [FakeBackbone()], grid=4, on_failure=heard.append)
    assert [p.name for p in c.photographs] == ["0.png"]
    assert list(c.failures) == heard
    with pytest.raises(InputError, match=r"bad\.png"):
        compare([folder / "0.png", tmp_path / "bad.png"], [FakeBackbone()], grid=4)
    with pytest.raises(NoUsablePhotographError):
        compare([tmp_path / "bad.png"], [FakeBackbone()], grid=4, on_failure=heard.append)


def test_foreground_only_colours_are_black_outside_the_mask(folder: Path) -> None:
    c = compare(sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("b")], grid=8, foreground="pc1")
    for row in c.maps:
        for maps in row:
            assert maps.foreground is not None
            assert (maps.colours[~maps.foreground] == 0).all()
    assert "Otsu" in str(c.settings["foreground"])
    kept = sum(int(row[0].foreground.sum()) for row in c.maps if row[0].foreground is not None)
    assert c.models[0].pca.n_patches == kept


@pytest.mark.parametrize(
    "bad",
    [
        {"grid": 0},
        {"grid": 10_000},
        {"at": [(2.0, 0.5)]},
        {"at": []},
        {"components": (0, 1, 99)},
        {"foreground": "magic"},
        {"resize": "nearest"},
    ],
)
def test_impossible_requests_are_refused_before_any_work(folder: Path, bad: dict[str, object]) -> None:
    model = FakeBackbone()
    with pytest.raises(InputError):
        compare(folder / "0.png", [model], **{"grid": 4, **bad})  # type: ignore[arg-type]
    assert model.batches == []


def test_more_features_than_memory_are_refused_before_any_work(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dinoscope.pipeline.memory.available_bytes", lambda: 1_000_000)
    model = FakeBackbone()
    with pytest.raises(InputError, match="measure"):
        compare([folder / "0.png"] * 2000, [model], grid=4)
    assert model.batches == []


def test_measure_is_compare_without_pictures(folder: Path, comparison: Comparison) -> None:
    m = measure(sorted(folder.iterdir()), [FakeBackbone("a"), FakeBackbone("b", patch_size=4)], grid=8)
    for name, table in comparison.measurements.values.items():
        np.testing.assert_array_equal(m.values[name], table)
    for name, intervals in comparison.measurements.summaries.items():
        np.testing.assert_array_equal(
            np.array([astuple(i) for i in m.summaries[name]]), np.array([astuple(i) for i in intervals])
        )
    with pytest.raises(InputError, match="at least one backbone"):
        measure(folder / "0.png", [])


def test_unequal_grids_are_refused_with_the_size_that_fits() -> None:
    f = PatchFeatures.from_array(np.ones((4, 4, 2)), image_size=(64, 64), patch_size=16)
    g = PatchFeatures.from_array(np.ones((5, 4, 2)), image_size=(64, 64), name="other", patch_size=14)
    with pytest.raises(GridMismatchError, match="other 56x56 px"):
        check_equal_grids([f, g])


def test_further_layers_are_those_of_the_model_and_are_not_measured(folder: Path) -> None:
    photos = sorted(folder.iterdir())[:2]
    models = [load_backbone("mini"), load_backbone("random:mini")]
    shown = compare(photos, models, grid=6, further_layers=(1, 5), controls=False)
    assert [(f.of, f.model.layer, f.model.label) for f in shown.further] == [
        (0, 1, "mini"),
        (1, 1, "random:mini"),
    ]
    assert shown.measurements.models == ("mini", "random:mini")
    for m, further in enumerate(shown.further):
        expected = extract(photos, models[m], grid=6, layer=1)
        for found, f, maps in zip(further.features, expected, further.maps, strict=True):
            np.testing.assert_allclose(found.values, f.values, rtol=1e-5, atol=1e-6)
            assert maps.colours.shape == (*f.grid.shape, 3)
    assert shown.further[0].model.alignment is not None  # turned to look like the first model's
    with pytest.raises(LayerError):
        compare(photos, models, grid=6, further_layers=(6,), controls=False)


@pytest.mark.parametrize("colours", ["spectral", "clusters"])
def test_other_colours_are_said_in_the_ledger_and_leave_numbers_alone(folder: Path, colours: str) -> None:
    photos = sorted(folder.iterdir())
    plain, other = (
        compare(photos, ["mini", "mini-gram"], grid=6, colours=kind, controls=False)
        for kind in ("pca", colours)
    )
    assert other.colours == colours and all(model.coloured_by for model in other.models)
    (basis,) = (e for e in other.ledger if e.rule.startswith("One colour basis"))
    assert {"spectral": "normalised cut", "clusters": "k-means"}[colours] in basis.detail
    np.testing.assert_array_equal(
        other.measurements.values["neighbour"], plain.measurements.values["neighbour"]
    )
    for a, b in zip(plain.maps[0], other.maps[0], strict=True):
        np.testing.assert_array_equal(a.scores, b.scores)
        assert np.abs(a.colours - b.colours).max() > 0.01

"""What a report shows only if asked is what its functions make, of the first photographs, by every model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.comparison.closer import attention as closer_attention
from dinoscope.comparison.closer import upsampled as closer_upsampled
from dinoscope.comparison.report.report import report_html
from dinoscope.data.results import Comparison
from dinoscope.data.views import CloserLook
from dinoscope.errors import BackboneError, InputError
from tests.command_line import run
from tests.pipeline.test_repair import GRID as PLANTED
from tests.pipeline.test_repair import photograph, planted

GRID = 6


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    small = [Image.fromarray(rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)) for _ in range(3)]
    return [np.asarray(one.resize((112, 80), Image.Resampling.BICUBIC)) for one in small]


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return pictures()


def look(comparison: Comparison, key: str) -> CloserLook:
    (found,) = [one for one in comparison.closer if one.key == key]
    return found


@pytest.mark.parametrize("at", ["cls", (0.3, 0.8)])
def test_attention_beside_a_comparison_is_the_functions(
    images: list[np.ndarray], at: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closer_attention, "MOST", 2)
    found = ds.compare(images, ["mini", "pixels"], grid=GRID, controls=False, attention=at)
    rows = look(found, "attention").rows
    assert len(rows) == 2
    for image, (mini, pixels) in zip(images, rows, strict=False):
        own = ds.attention(image, "mini", at=at, grid=GRID)
        np.testing.assert_allclose(mini.values, own.values * (own.values.size + 5))
        assert mini.patch == own.patch
        assert f"{own.values.sum():.0%} to patches" in mini.note
        assert pixels.values is None
        assert "no attention blocks" in pixels.note
    page = report_html(found)
    assert 'id="attention"' in page
    assert "The first 2 of 3 photographs." in page
    figure = ds.plot_closer(found, "attention")
    assert sum(bool(axes.images) for axes in figure.axes) == 4
    assert "no attention blocks" in " ".join(text.get_text() for text in figure.texts)


def test_nothing_is_looked_into_unasked(images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closer_attention, "look_inside", None)
    found = ds.compare(images, ["mini"], grid=GRID, controls=False)
    assert found.closer == ()
    assert 'id="attention"' not in report_html(found)
    with pytest.raises(InputError, match="no 'attention' in this comparison, which has nothing"):
        ds.plot_closer(found, "attention")


@pytest.mark.parametrize(
    ("models", "at", "error", "said"),
    [
        (["pixels"], "cls", BackboneError, "no attention to show: pixels has no attention blocks"),
        (["mini"], "centre", InputError, r"give \(x, y\) or 'cls'"),
        (["mini"], (0.5, 1.5), InputError, r"in \[0, 1\]"),
    ],
)
def test_what_cannot_be_asked_of_attention_is_said_before_any_work(
    images: list[np.ndarray], models: list[str], at: object, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        ds.compare(iter([None]), models, grid=GRID, attention=at)


def test_the_command_draws_it_and_writes_its_caption(images: list[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    words = ["compare", tmp_path / "a.png", "--models", "mini", "--grid", GRID, "--no-controls"]
    out = tmp_path / "out"
    assert run(*words, "--attention", "0.2,0.4", "--out", out) == 0
    assert (out / "figures" / "attention.png").is_file()
    assert "## attention\n\nWhat the patch at (0.2, 0.4)" in (out / "figures" / "captions.md").read_text()
    assert run(*words, "--attention", "here", "--out", out) == 2


@pytest.fixture(scope="module")
def healed() -> tuple[Comparison, ds.Repair]:
    """A network with planted high-norm patches, one without, and a control, repaired."""
    clean, sick = planted("dinov2")
    image = photograph(clean.spec.patch_size)
    found = ds.compare(image, [sick, clean, "pixels"], grid=PLANTED, controls=False, repair="registers")
    return found, ds.repair(sick, image, grid=PLANTED)


def test_norms_colours_and_numbers_before_and_after_are_on_one_page(
    healed: tuple[Comparison, ds.Repair],
) -> None:
    found, own = healed
    assert [model.label for model in found.models] == ["dinov2", "repaired:dinov2", "dinov2 (2)", "pixels"]
    (row,) = look(found, "repair").rows
    np.testing.assert_allclose(row[0].values, own.norms_before[0] / own.threshold)
    np.testing.assert_allclose(row[1].values, own.norms_after[0] / own.threshold)
    assert row[0].values.max() > 1 > row[1].values.max()
    assert np.array_equal(row[3].values, found.maps[0][1].colours)
    assert np.array_equal(row[4].values, row[5].values)
    assert len(found.measurements.collection["outlier_share"]) == 4
    page = report_html(found)
    assert 'id="repair"' in page
    assert "pixels cannot be given a test-time register" in page
    assert "nothing to repair" in page
    (line,) = [entry for entry in found.ledger if "as they were published" in entry.rule]
    assert line.met is False
    assert own.words in line.detail
    assert sum(bool(axes.images) for axes in ds.plot_closer(found, "repair").axes) == 9


def test_a_repaired_models_origin_says_so(healed: tuple[Comparison, ds.Repair]) -> None:
    found, own = healed
    plain, repaired, *_ = (model.origin for model in found.models)
    assert plain.register == ""
    assert repaired.register.startswith("layer ")
    assert repaired.notes[-1] == "a test-time register takes what 50 neurons write"
    assert own.backbone.origin == repaired
    assert repaired.digest == plain.digest


def test_measures_of_a_repaired_model_stand_beside_its_own(tmp_path: Path) -> None:
    _, sick = planted("dinov2")
    image = photograph(sick.spec.patch_size)
    how = {"grid": PLANTED, "controls": False, "journal": tmp_path / "rows.jsonl"}
    found = ds.measure([image], [sick], repair="registers", **how)
    assert found.models == ("dinov2", "repaired:dinov2")
    assert found.warnings[0].startswith("repair of dinov2: above ")
    with pytest.raises(InputError, match="settings"):
        ds.measure([np.flip(image, axis=1).copy(), image], [sick], repair="registers", **how)


@pytest.mark.parametrize(
    ("models", "how", "error", "said"),
    [
        (["mini"], "register", InputError, "no repair 'register'; there are none, registers"),
        (["pixels", "key:mini"], "registers", BackboneError, "DINOv2 and DINOv3 ViTs can"),
    ],
)
def test_what_cannot_be_repaired_is_said_before_any_work(
    models: list[str], how: str, error: type[Exception], said: str
) -> None:
    for ask in (ds.compare, ds.measure):
        with pytest.raises(error, match=said):
            ask(iter([None]), models, grid=GRID, repair=how)


def test_the_commands_take_it(images: list[np.ndarray], tmp_path: Path) -> None:
    Image.fromarray(images[0]).save(tmp_path / "a.png")
    words = [tmp_path / "a.png", "--models", "mini", "--grid", GRID, "--no-controls", "--repair", "registers"]
    assert run("compare", *words, "--out", tmp_path / "out") == 0
    assert "nothing to repair" in (tmp_path / "out" / "report.html").read_text()
    assert run("measure", *words) == 0


def test_the_ledger_says_what_a_finer_grid_is(images: list[np.ndarray]) -> None:
    found = ds.compare(images[:1], ["finer2:mini", "finer2:key:mini"], grid=GRID, controls=False)
    (line,) = [entry for entry in found.ledger if "equally fine" in entry.rule]
    assert line.met
    assert (
        "finer2:mini: 2 times as many places along each side, from 4 passes over inputs moved by"
        in line.detail
    )
    assert "neighbours overlap" in line.detail
    (cause,) = [entry for entry in found.ledger if "one thing only" in entry.rule]
    assert (cause.met, cause.detail) == (
        True,
        "the same weights; what of the attention is looked at differs.",
    )
    plain = ds.compare(images[:1], ["mini"], grid=GRID, controls=False)
    assert not any("equally fine" in entry.rule for entry in plain.ledger)


def test_upsampled_colours_are_those_of_upsampled_features(images: list[np.ndarray]) -> None:
    found = ds.compare(images, ["mini", "mini-gram"], grid=GRID, controls=False, upsample="joint")
    whole = look(found, "upsampled")
    assert len(whole.rows) == 3
    for i, row in enumerate(whole.rows):
        assert [view.name for view in row] == ["mini", "mini, upsampled", "mini-gram", "mini-gram, upsampled"]
        for m in (0, 1):
            np.testing.assert_allclose(row[2 * m].values, found.maps[i][m].colours, atol=1e-6)
            assert "interpolated" in row[2 * m + 1].note
        features = found.features[i][0]
        size = (4 * features.grid.h, 4 * features.grid.w)
        fine = ds.PatchFeatures.from_array(
            ds.upsample(features, size, "joint", images[i]), image_size=features.grid.image_size
        )
        pca = found.models[0].pca
        colours = ds.to_rgb(pca.project(fine), limits=pca.limits, components=(0, 1, 2))
        np.testing.assert_allclose(row[1].values, colours, atol=1e-4)
    assert "Upsampled (joint)" in whole.told
    (line,) = [entry for entry in found.ledger if "upsampled" in entry.detail]
    assert line.met and "no number is of them" in line.detail
    assert 'id="upsampled"' in report_html(found)


def test_a_function_of_features_gives_what_the_same_of_scores_gives(
    images: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = look(ds.compare(images, ["mini"], grid=GRID, controls=False, upsample="bilinear"), "upsampled")
    monkeypatch.setattr(closer_upsampled, "WAYS", ())
    monkeypatch.setattr("dinoscope.comparison.compare.check_way", lambda how: None)
    whole = look(ds.compare(images, ["mini"], grid=GRID, controls=False, upsample="bilinear"), "upsampled")
    for one, other in zip(scores.rows, whole.rows, strict=True):
        np.testing.assert_allclose(one[1].values, other[1].values, atol=1e-4)


def test_an_unknown_way_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bicubic"):
        ds.compare(tmp_path / "nothing.png", ["mini"], grid=GRID, upsample="bicubic")


def test_nobody_asks_and_nothing_is_upsampled(images: list[np.ndarray]) -> None:
    found = ds.compare(images, ["mini"], grid=GRID, controls=False)
    assert found.closer == () and all("upsampled" not in entry.detail for entry in found.ledger)

"""A family of shrunken models with random weights, from a stand-in hub: every cell, pair and page."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dinoscope as ds
from dinoscope.backbones import catalog, licences
from dinoscope.comparison.recipe import cells as cells_module
from dinoscope.comparison.recipe.cells import read_cells
from dinoscope.comparison.recipe.figures import axes_of, plot_family, plot_pairs, plot_trends
from dinoscope.comparison.recipe.numbers import difference, grids_of, of_model
from dinoscope.comparison.recipe.page import family_html
from dinoscope.comparison.recipe.recipes import RECIPES
from dinoscope.comparison.tables.reading import measurements_in, read_metrics
from dinoscope.errors import InputError, SchemaVersionError
from dinoscope.maths.intervals import mean_interval
from tests.backbones.shrunken import hub_files, shrink_catalog
from tests.backbones.stand_in_hub import StandInHub, point_at
from tests.command_line import run

FAMILY = RECIPES["v2-v3"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInHub]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(licences, "_given", set())
        shrink_catalog(patched)
        repos = {}
        for seed, name in enumerate(FAMILY.kinds):
            entry = catalog.ENTRIES[name]
            repos[entry.sources[0].repo] = hub_files(entry.architecture, seed)
        with StandInHub(repos) as served:
            point_at(patched, served.url, tmp_path_factory.mktemp("hub") / "cache")
            yield served


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    ds.write_scenes(folder, 7, seed=3, size=(64, 64))
    return folder / "images"


WORDS = ("--recipe", "v2-v3", "--grids", "6,8", "--no-controls")


@pytest.fixture(scope="module")
def family(hub: StandInHub, photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("family") / "out"
    assert run("compare", photos, *WORDS, "--masks", photos.parent, "--sizes", "S,B", "-o", out) == 0
    return out


def test_every_size_and_grid_is_measured_as_by_itself(family: Path, photos: Path, hub: StandInHub) -> None:
    cells = read_cells(family)
    assert list(cells) == ["S-6", "S-8", "B-6", "B-8"] and grids_of(cells) == (6, 8)
    names = ["dinov2-base", "dinov2-reg-base", "dinov3-vitb16"]
    assert list(cells["B-8"].models) == names
    alone = ds.measure(sorted(photos.iterdir()), names, 8, masks=photos.parent, controls=False)
    for key in ("neighbour", "boundary_auc"):
        np.testing.assert_allclose(cells["B-8"].values[key], alone.values[key], atol=1e-6)
        pair = next(p for p in FAMILY.pairs if p.before == "dinov2-reg-base")
        want = mean_interval(alone.values[key][:, 2] - alone.values[key][:, 1])
        found = difference(cells, pair, 8, key)
        assert (found.mean, found.low, found.high) == pytest.approx(
            (want.mean, want.low, want.high), abs=1e-6
        )
    assert math.isnan(difference(cells, FAMILY.pairs[-1], 8, "neighbour").mean)  # size L was not asked for
    content = read_metrics(family / "cells" / "S-6" / "metrics.json")
    assert len(content["images"]) == 7 and len(content["ledger"]) > 8
    assert content["settings"]["ledger_of_photographs"] == 4
    assert (family / "cells" / "S-6" / "report.html").is_file()


def test_the_page_tells_every_pair_and_puts_nothing_down_to_one_cause(family: Path) -> None:
    page = (family / "index.html").read_text()
    for pair in FAMILY.pairs[:4]:
        assert f"{pair.after} against {pair.before}" in page
    assert "not trained with Gram anchoring" in page and "LVD-1689M" in page
    assert "cells/B-8/report.html" in page and "effect of Gram" not in page
    assert "<script" not in page


def test_the_figures_hold_the_numbers(family: Path) -> None:
    cells = read_cells(family)
    keys = axes_of(cells)
    assert keys == ("boundary_auc", "matched_coherence_auc")
    figure = plot_family(FAMILY, cells)
    assert figure is not None
    first = figure.axes[0]
    marks = {
        tuple(np.ravel(line.get_xydata())) for line in first.lines if line.get_marker() not in ("", "None")
    }
    for model in FAMILY.models("S"):
        at = tuple(of_model(cells, model, 6, key).mean for key in keys)  # type: ignore[union-attr]
        assert any(np.allclose(at, mark) for mark in marks)
    assert len([a for a in first.texts if a.arrow_patch is not None]) == 4  # type: ignore[attr-defined]
    pairs = plot_pairs(FAMILY, cells)
    assert pairs is not None
    shown = [line.get_xdata()[0] for line in pairs.axes[0].lines if line.get_marker() == "o"]
    want = [difference(cells, pair, grid, keys[0]).mean for pair in FAMILY.pairs[:4] for grid in (6, 8)]
    np.testing.assert_allclose(shown, want)
    trends = plot_trends(FAMILY, cells, ["neighbour"])
    left = trends.axes[0].lines[0].get_ydata()
    means = [of_model(cells, f"dinov2-{size}", 6, "neighbour") for size in ("small", "base")]
    np.testing.assert_allclose(left, [mean.mean for mean in means if mean is not None])


def test_what_is_done_is_not_done_again(
    family: Path, photos: Path, hub: StandInHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(family, out)
    done: list[str] = []

    def noted(*words: object) -> None:
        done.append(words[3].name)  # type: ignore[attr-defined]

    monkeypatch.setattr(cells_module, "_run_cell", noted)
    words = ("compare", photos, *WORDS, "--masks", photos.parent, "-o", out)
    assert run(*words, "--sizes", "S,B") == 0 and done == []
    (out / "cells" / "B-6" / "metrics.json").unlink()
    assert run(*words, "--sizes", "S,B") == 0 and done == ["B-6"]
    assert run(*words, "--sizes", "S,XXL") == 2


def test_runs_of_several_people_are_one(
    photos: Path, family: Path, hub: StandInHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    halves = [tmp_path / "mine", tmp_path / "theirs"]
    files = sorted(photos.iterdir())
    words = (*WORDS, "--masks", photos.parent, "--sizes", "S", "--grids", "6")
    for half, some in zip(halves, (files[:4], files[3:]), strict=True):
        assert run("compare", *some, *words, "-o", half) == 0
    out = tmp_path / "together"
    assert run("combine", *halves, "-o", out) == 0
    assert "S-6: 7 photographs of mine, theirs" in capsys.readouterr().out
    together, whole = (read_metrics(p / "cells" / "S-6" / "metrics.json") for p in (out, family))
    assert together["runs"] == ["mine", "theirs"] and len(together["ledger"]) == len(whole["ledger"])
    ours, alone = measurements_in(together), measurements_in(whole)
    assert set(ours.digests) == set(alone.digests)
    for key in ("neighbour", "locality"):
        for a, b in zip(ours.summaries[key], alone.summaries[key], strict=True):
            assert (a.mean, a.low, a.high, a.n) == pytest.approx((b.mean, b.low, b.high, b.n), abs=1e-5)
    page = (out / "index.html").read_text()
    assert "2 runs: mine, theirs" in page and "cells/S-6/report.html" not in page
    assert together["mask_kind"] == whole["mask_kind"] and together["mask_kind"]
    assert run("combine", out, halves[0], "-o", tmp_path / "more") == 0  # on the same terms still
    capsys.readouterr()

    other = tmp_path / "other"
    shutil.copytree(halves[1], other)
    content = json.loads((other / "cells/S-6/metrics.json").read_text())
    content["settings"]["resize"] = "bicubic"
    (other / "cells/S-6/metrics.json").write_text(json.dumps(content))
    assert run("combine", *halves, other, "-o", out) == 1
    assert "left out other: resize: bicubic instead of bilinear" in capsys.readouterr().out
    content = json.loads((halves[1] / "cells/S-6/metrics.json").read_text())
    content["model_details"][2]["weights"]["digest"] = "f" * 64
    (halves[1] / "cells/S-6/metrics.json").write_text(json.dumps(content))
    assert run("combine", *halves, "-o", out) == 2
    assert "weights of dinov3-vits16: ffffffffffff instead of" in capsys.readouterr().err


def test_plain_comparisons_are_combined_and_differing_numbers_are_told(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = sorted(photos.iterdir())
    words = ("--models", "pixels,blur:pixels", "--grid", "5", "-o")
    for name, some in (("a", files[:4]), ("b", files[3:])):
        assert run("compare", *some, *words, tmp_path / name) == 0
    content = json.loads((tmp_path / "b" / "metrics.json").read_text())
    content["images"][0]["values"]["pixels"]["neighbour"] += 0.1
    (tmp_path / "b" / "metrics.json").write_text(json.dumps(content))
    capsys.readouterr()
    assert run("combine", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cells"][""]["runs"] == ["a", "b"]
    assert any("1 photograph of b with other numbers" in note for note in told["cells"][""]["notes"])
    assert run("combine", tmp_path / "a", tmp_path / "b", "-o", tmp_path / "c") == 0
    assert "7 photographs of a, b\n  1 photograph of b with other" in capsys.readouterr().out
    combined = measurements_in(read_metrics(tmp_path / "c" / "metrics.json"))
    first = measurements_in(read_metrics(tmp_path / "a" / "metrics.json"))
    assert len(combined.images) == 7
    assert combined.controls is not None and len(combined.controls.images) == 7
    np.testing.assert_array_equal(combined.values["neighbour"][:4], first.values["neighbour"])
    (tmp_path / "none").mkdir()
    assert run("combine", tmp_path / "a", tmp_path / "none", "-o", tmp_path / "d") == 2
    assert "no metrics.json of a comparison" in capsys.readouterr().err
    assert run("combine", tmp_path / "a", "-o", tmp_path / "d") == 2


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    for text, error, said in [
        ("{", InputError, "is no metrics.json"),
        ('{"schema_version": 99, "models": [], "images": []}', SchemaVersionError, "upgrade"),
        ('{"schema_version": 1, "models": [], "images": []}', InputError, "run the comparison again"),
    ]:
        path.write_text(text)
        with pytest.raises(error, match=said):
            read_metrics(path)
    with pytest.raises(InputError, match="no cells"):
        read_cells(tmp_path)
    with pytest.raises(InputError, match="do not fit together"):
        measurements_in({"schema_version": 2, "models": ["a"], "images": [{"name": "x", "digest": "y"}]})


def test_the_page_of_few_cells_leaves_out_what_is_not_there(family: Path) -> None:
    cells = read_cells(family)
    page = family_html(FAMILY, {"S-6": cells["S-6"]})
    assert "dinov3-vits16 against dinov2-small" in page and "vitb16 against" not in page


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--recipe", "v2-v3", "--attention", "cls"), "--attention: it does not go with --recipe"),
        (("--recipe", "v2-v3", "--models", "mini"), "--models: it does not go with --recipe"),
        (("--recipe", "v2-v3", "--full"), "--full: it does not go with --recipe"),
        (("--models", "mini", "--sizes", "S"), "--sizes: it does not go without --recipe"),
    ],
)
def test_no_option_goes_unheard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str
) -> None:
    assert run("compare", tmp_path, *words, "-o", tmp_path / "out") == 2
    assert told in capsys.readouterr().err and not (tmp_path / "out").exists()

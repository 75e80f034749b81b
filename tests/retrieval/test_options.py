"""Options of `dinoscope search`, `index` and `embed --index`, with the control `pixels`."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from dinoscope.errors import (
    DinoscopeError,
    EmptyIndexError,
    ImageError,
    InputError,
    ProvenanceMismatchError,
)
from dinoscope.pipeline.embed import embed
from dinoscope.retrieval.command import search_command
from dinoscope.shell.embed_command import embed_command
from dinoscope.shell.index_command import index_command
from dinoscope.store.index import read_index
from dinoscope.store.store import create_table, open_store
from tests.fakes import FakeBackbone
from tests.store.small_stores import SETTINGS, fill

N = 6

app = typer.Typer()
app.command("embed")(embed_command)
app.command("search")(search_command)
app.command("index")(index_command)


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and isinstance(result.exception, DinoscopeError):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for i in range(N):
        small = Image.fromarray(rng.integers(0, 256, (4, 6, 3), dtype=np.uint8))
        small.resize((60, 40), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def filled(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store"
    assert run("embed", photos, path, "--model", "pixels", "--grid", 4).exit_code == 0
    return path


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(filled, tmp_path / "store"))


def hits(*words: object) -> dict[str, object]:
    result = run("search", *words, "--json")
    assert result.exit_code == 0
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_the_way_is_told(store: Path, photos: Path) -> None:
    shown = run("search", store, photos / "0.png").stdout
    assert "note: exact: all 6 photographs compared" in shown
    assert hits(store, photos / "0.png")["exact"] is True


def test_a_suppression_that_was_saved_is_used_again(store: Path, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "common.safetensors"
    query = photos / "0.png"
    first = run(
        "search",
        store,
        query,
        "--suppress",
        "common",
        "--directions",
        2,
        "--save-suppression",
        file,
        "--json",
    )
    assert str(file) in first.stderr
    again = hits(store, query, "--suppress", file)
    assert again == json.loads(first.stdout)
    assert (again["suppression"], again["k_removed"]) == ("common", 2)
    assert again["hits"] != hits(store, query)["hits"]
    with pytest.raises(InputError, match="--directions is for a fit"):
        run("search", store, query, "--suppress", file, "--directions", 1)
    with pytest.raises(ProvenanceMismatchError, match="pooling"):
        run("search", store, query, "--suppress", file, "--pooling", "gem")


def test_a_suppression_of_other_settings_is_refused(store: Path, photos: Path, tmp_path: Path) -> None:
    file = tmp_path / "background.safetensors"
    query = photos / "0.png"
    run("search", store, query, "--suppress", "background", "--save-suppression", file)
    other = tmp_path / "other"
    run("embed", photos, other, "--model", "pixels", "--grid", 5)
    with pytest.raises(ProvenanceMismatchError, match="grid: 5 in the table, 4 in the suppression"):
        run("search", other, query, "--suppress", file)


def test_what_is_no_suppression_is_refused(store: Path, photos: Path, tmp_path: Path) -> None:
    query = photos / "0.png"
    with pytest.raises(InputError, match=r"no suppression 'backgrund'; there are none, centre"):
        run("search", store, query, "--suppress", "backgrund")
    with pytest.raises(InputError, match="cannot be read"):
        run("search", store, query, "--suppress", query)
    with pytest.raises(InputError, match="nothing to keep"):
        run("search", store, query, "--save-suppression", tmp_path / "x")
    create_table(tmp_path / "empty", SETTINGS)
    with pytest.raises(EmptyIndexError, match="embed some first"):
        run("search", tmp_path / "empty", query, "--suppress", "centre")


def test_a_mask_of_a_box_finds_what_the_box_finds(store: Path, photos: Path, tmp_path: Path) -> None:
    """On a grid of 4 by 6 patches, the left third are two columns of patches."""
    query, mask = photos / "2.png", np.zeros((40, 60), np.uint8)
    mask[:, :20] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    by_mask = hits(store, query, "--mask", tmp_path / "mask.png")
    by_box = hits(store, query, "--box", "0,0,0.333,1")
    assert by_mask["hits"] == by_box["hits"]
    assert str(by_mask["query"]).endswith("masked")
    assert by_mask["hits"] != hits(store, query)["hits"]


def test_a_mask_that_does_not_fit_is_refused(store: Path, photos: Path, tmp_path: Path) -> None:
    path, query = tmp_path / "mask.png", photos / "2.png"
    Image.new("L", (60, 40)).save(path)
    with pytest.raises(ImageError, match="empty"):
        run("search", store, query, "--mask", path)
    Image.new("L", (40, 60), 255).save(path)
    with pytest.raises(ImageError, match="40x60 px, the photograph 60x40"):
        run("search", store, query, "--mask", path)
    Image.new("L", (60, 40), 255).save(path)
    with pytest.raises(InputError, match="give one of them"):
        run("search", store, query, "--mask", path, "--patch", "0.5,0.5")
    with pytest.raises(InputError, match="region is of one photograph"):
        run("search", store, query, photos / "1.png", "--mask", path)


def test_pictures_of_matches_know_the_mask_and_the_suppression(
    store: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dinoscope.retrieval.why as matches

    seen = []
    real = matches.why_match

    def listen(*given: object, **options: object) -> object:
        seen.append(options)
        return real(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(matches, "why_match", listen)
    mask, file = tmp_path / "mask.png", tmp_path / "kept.safetensors"
    Image.fromarray(np.pad(np.full((40, 20), 255, np.uint8), ((0, 0), (0, 40)))).save(mask)
    query = photos / "2.png"
    run("search", store, query, "--suppress", "common", "--directions", 3, "--save-suppression", file)
    run("search", store, query, "--k", 2, "--mask", mask, "--suppress", file, "--why", tmp_path / "why")
    assert {p.name for p in (tmp_path / "why").iterdir()} == {"01.png", "02.png"}
    for options in seen:
        assert options["suppression"].k == 3  # type: ignore[attr-defined]
        assert options["region"].mask.sum() == 800  # type: ignore[attr-defined]


def test_an_index_is_built_measured_and_used(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = fill(tmp_path / "store", range(120))
    said = run("index", tmp_path / "store", "--from", 100, "--pooling", "mean,gem").stdout
    for pooling in ("mean", "gem"):
        found = read_index(table, pooling)
        assert found is not None
        assert f"{pooling}: {found.words}; nprobes {found.nprobes} of 22" in said
    assert "120 photographs in" in said
    with pytest.raises(InputError, match="recall"):
        run("index", tmp_path / "store", "--from", 100, "--recall", 2)
    lance = run("index", tmp_path / "store", "--from", 100, "--kind", "IVF_RQ").stdout
    assert "mean: IVF_RQ, recall@10 " in lance and "faiss" not in lance
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "faiss", None)
        assert "pip install 'dinoscope[index]'" in run("index", tmp_path / "store", "--from", 100).stdout


def test_with_an_index_it_can_still_be_searched_exactly(tmp_path: Path, photos: Path) -> None:
    """The query is in the store, so that no model is asked."""
    store = embed(photos, FakeBackbone(dim=16), tmp_path / "store", grid=4).path
    run("index", store, "--from", 4)
    query = photos / "1.png"
    found = hits(store, query, "--k", 3)
    assert found["exact"] is False
    assert str(found["notes"]).count("IVF_SQ8, recall@10 ") == 1
    exact = hits(store, query, "--k", 3, "--exact")
    assert exact["exact"] is True
    assert exact["hits"] == found["hits"]


def test_a_small_table_gets_no_index_and_is_told(store: Path, photos: Path) -> None:
    said = run("index", store).stdout
    assert said == "mean: no index: 6 photographs are searched exactly; one pays from 200,000 (--from)\n"
    embedded = run("embed", photos, store, "--model", "pixels", "--grid", 4, "--index")
    assert "no index: 6 photographs are searched exactly" in embedded.stdout
    assert read_index(open_store(store).table(), "mean") is None


def test_products_in_16_bits_are_a_table_of_their_own(photos: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ("embed", photos, store, "--model", "mini", "--grid", 4)
    tables = [run(*words, *more).stdout for more in ((), ("--autocast", "--dtype", "bfloat16"))]
    assert tables[0] != tables[1]
    opened = open_store(store)
    assert {opened.table(name).settings.dtype for name in opened.tables} == {"float32", "bfloat16"}


def test_ray_is_told_in_which_16_bits(photos: Path, tmp_path: Path) -> None:
    words = ("embed", photos, tmp_path / "store", "--model", "pixels", "--engine", "ray")
    with pytest.raises(InputError, match="--dtype bfloat16 or float16"):
        run(*words, "--autocast")
    with pytest.raises(InputError, match="this process alone"):
        run(*words, "--profile")

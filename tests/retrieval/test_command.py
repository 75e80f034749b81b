"""`dinoscope search` as a user runs it, with the bundled model on a store of a few tiny photographs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.pipeline.embed import embed
from dinoscope.pipeline.extract import extract
from dinoscope.retrieval.search import search
from dinoscope.store.store import open_store
from tests.command_line import run

GRID = 8
N = 6


def photograph(path: Path, seed: int, flaw: int = 0) -> Path:
    """Coloured blocks; ``flaw`` is added to one of them."""
    blocks = np.random.default_rng(seed).integers(0, 200, (4, 4, 3), dtype=np.uint8)
    blocks[0, 0] += np.uint8(flaw)
    Image.fromarray(blocks).resize((64, 64), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``photos``, ``store`` with all of them, and ``new.png``, which is not in it."""
    root = tmp_path_factory.mktemp("search")
    (root / "photos").mkdir()
    for i in range(N - 1):
        photograph(root / "photos" / f"{'sea' if i % 2 else 'hill'}-{i}.png", i)
    photograph(root / "photos" / "hill-0 again.png", 0, flaw=2)
    photograph(root / "new.png", 50)
    embed(root / "photos", load_backbone("mini"), root / "store", grid=GRID)
    return root


def printed(capsys: pytest.CaptureFixture[str]) -> Any:
    """The one object on stdout, and that nothing else is there."""
    return json.loads(capsys.readouterr().out)


def found(folder: Path, capsys: pytest.CaptureFixture[str], *words: object) -> list[tuple[str, float]]:
    """Name and cosine of each hit of a search that must succeed."""
    assert run("search", folder / "store", folder / "new.png", *words, "--json") == 0
    return [(Path(hit["source"]).name, hit["score"]) for hit in printed(capsys)["hits"]]


def expected(folder: Path, **words: Any) -> list[tuple[str, float]]:
    hits = search(open_store(folder / "store"), folder / "new.png", **words)
    return [(Path(hit.source).name, pytest.approx(hit.score, abs=1e-6)) for hit in hits.hits]


def test_json_is_one_object_with_every_hit_best_first(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("search", folder / "store", folder / "new.png", "--k", 4, "--json") == 0
    told = printed(capsys)
    assert [hit["rank"] for hit in told["hits"]] == [1, 2, 3, 4]
    scores = [hit["score"] for hit in told["hits"]]
    assert scores == sorted(scores, reverse=True) and all(-1 <= score <= 1 for score in scores)
    assert (told["pooling"], told["suppression"], told["table"].startswith("mini")) == ("mean", "none", True)


def test_text_has_a_line_for_each_hit(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("search", folder / "store", folder / "new.png", "--k", 3) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["rank", "1", "2", "3"]
    assert all(str(folder) in line for line in lines[1:4])


@pytest.mark.parametrize(
    ("words", "options"),
    [
        ((), {}),
        (("--box", "0.5,0,1,0.5"), {"box": (0.5, 0.0, 1.0, 0.5)}),
        (("--patch", "0.1,0.9"), {"patch": (0.1, 0.9)}),
        (("--pooling", "gem"), {"pooling": "gem"}),
        (("--suppress", "centre"), {"suppress": "centre"}),
        (
            ("--suppress", "common", "--directions", 2, "--pooling", "cls"),
            {"suppress": "common", "components": 2, "pooling": "cls"},
        ),
        (("--where", "source LIKE '%sea-%'"), {"where": "source LIKE '%sea-%'"}),
        (("--model", "mini", "--table", "mini", "--k", 2), {"k": 2}),
    ],
)
def test_options_are_those_of_the_library(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], options: dict[str, Any]
) -> None:
    hits = found(folder, capsys, *words)
    assert hits == expected(folder, **options)
    assert not options or hits != found(folder, capsys)


def test_a_condition_leaves_only_what_fits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [name for name, _ in found(folder, capsys, "--where", "source LIKE '%sea-%'")]
    assert sorted(names) == ["sea-1.png", "sea-3.png"]


def test_several_photographs_are_one_query(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos = folder / "photos"
    assert run("search", folder / "store", photos / "sea-1.png", photos / "hill-2.png", "--json") == 0
    names = {Path(hit["source"]).name for hit in printed(capsys)["hits"]}
    assert names == {p.name for p in photos.iterdir()} - {"sea-1.png", "hill-2.png"}


def test_a_search_against_photographs_is_that_of_the_library(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [folder / "photos" / "sea-1.png", folder / "photos" / "hill-2.png"]
    hits = found(folder, capsys, "--against", others[0], "--against", others[1])
    assert hits == expected(folder, against=others) and len(hits) == N - 2


def test_out_writes_one_page_that_asks_for_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "<b>photos"
    photos.mkdir()
    for i in range(3):
        photograph(photos / f"<i>{i}.png", i)
    embed(photos, load_backbone("mini"), tmp_path / "store", grid=GRID)
    (photos / "<i>1.png").unlink()
    assert run("search", tmp_path / "store", folder / "new.png", "--out", tmp_path / "sheet", "--json") == 0
    streams = capsys.readouterr()
    (page,) = (tmp_path / "sheet").iterdir()
    assert page.name == "hits.html" and str(page) in streams.err
    text = page.read_text(encoding="utf-8")
    assert text.count("data:image/jpeg;base64,") == 3  # the query, and two that are still there
    assert "<b>photos" not in text and "<i>0" not in text and "<script" not in text
    for hit in json.loads(streams.out)["hits"]:
        assert f"{hit['rank']} <b>{hit['score']:.3f}</b>" in text
    assert "&lt;i&gt;1.png" in text and "no file on this machine" in text
    assert "<title>new.png" in text and str(folder) not in text.partition("</h1>")[0]
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", text)


def test_why_writes_a_picture_of_every_hit_that_is_a_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = tmp_path / "photos"
    again.mkdir()
    for i in range(3):
        photograph(again / f"{i}.png", i)
    embed(again, load_backbone("mini"), tmp_path / "store", grid=GRID)
    (again / "1.png").unlink()
    out = tmp_path / "why"
    asked = (folder / "new.png", "--suppress", "centre", "--box", "0,0,0.5,1")
    assert run("search", tmp_path / "store", *asked, "--why", out, "--json") == 0
    streams = capsys.readouterr()
    ranks = {Path(hit["source"]).name: hit["rank"] for hit in json.loads(streams.out)["hits"]}
    assert {p.name for p in out.iterdir()} == {f"{ranks[name]:02}.png" for name in ("0.png", "2.png")}
    assert f"no picture of hit {ranks['1.png']}" in streams.err
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert picture.format == "PNG" and min(picture.size) > 400


def test_duplicates_are_pairs_that_are_nearly_the_same(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("search", folder / "store", "--duplicates", 0.98, "--json") == 0
    (pair,) = printed(capsys)["duplicates"]
    assert {Path(pair[side]).name for side in ("first", "second")} == {"hill-0.png", "hill-0 again.png"}
    assert pair["cosine"] >= 0.98
    assert run("search", folder / "store", "--duplicates", 1.0) == 0
    assert capsys.readouterr().out == "no pair is that much alike\n"


def test_groups_of_duplicates_are_handed_on_as_paths(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("search", folder / "store", "--duplicates", 0.98, "--paths") == 0
    lines = capsys.readouterr().out.splitlines()
    photos = folder / "photos"
    assert sorted(lines) == [str(photos / "hill-0 again.png"), str(photos / "hill-0.png")]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("photo.jpg", "--paths"), "--paths is for --duplicates"),
        ((), "nothing to search for"),
        (("{new}", "--k", 0), "k must be"),
        (("{new}", "--box", "0.5,0,0.5,1"), "area"),
        (("{new}", "--box", "0,0,1"), "--box takes 4"),
        (("{new}", "--patch", "0.5,1.5"), "a place in an image is (x, y) in [0, 1]"),
        (("{new}", "--patch", "0.5,0.5", "--box", "0,0,1,1"), "one of them"),
        (("{new}", "--pooling", "maximum"), "'maximum' is not one of 'mean'"),
        (("{new}", "--suppress", "everything"), "no suppression"),
        (("{new}", "--where", "no_such_column > 1"), "condition"),
        (("{new}", "--where", "source = 'nowhere'"), "condition"),
        (("{new}", "--model", "mini-gram"), "'mini' in the table, 'mini-gram' given"),
        (("{new}", "--model", "pixels"), "'mini' in the table, 'pixels' given"),
        (("{new}", "--model", "no-such-model"), "no-such-model"),
        (("{store}/nothing.png",), "no such file"),
        (("--duplicates", 1.5), "least"),
    ],
)
def test_what_cannot_be_searched_for_is_one_line_and_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], reason: str
) -> None:
    named = [str(word).format(new=folder / "new.png", store=folder / "store") for word in words]
    assert run("search", folder / "store", *named) == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("dinoscope: ") and reason in streams.err
    assert len(streams.err.splitlines()) == 1


def test_an_empty_store_says_how_to_fill_it(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no photograph")
    assert run("embed", tmp_path / "bad", tmp_path / "store", "--model", "mini", "--grid", GRID) == 1
    capsys.readouterr()
    for words in ([folder / "new.png"], ["--duplicates", 0.9]):
        assert run("search", tmp_path / "store", *words) == 2
        assert "embed some first" in capsys.readouterr().err
    assert run("search", tmp_path / "nothing", folder / "new.png") == 2
    assert "dinoscope embed" in capsys.readouterr().err


def test_a_store_with_two_models_asks_which(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("mini", "pixels"):
        embed(folder / "photos", load_backbone(model), tmp_path / "store", grid=GRID)
    query = folder / "new.png"
    assert run("search", tmp_path / "store", query) == 2
    assert "name one of" in capsys.readouterr().err
    assert run("search", tmp_path / "store", query, "--table", "pixels", "--json") == 0
    assert printed(capsys)["table"].startswith("pixels")


def test_the_score_is_the_cosine_of_mean_patches(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mini = load_backbone("mini")

    def mean(path: Path) -> np.ndarray:
        (features,) = extract([path], mini, grid=GRID)
        pooled = features.values.reshape(-1, features.dim).astype(np.float64).mean(axis=0)
        return np.asarray(pooled / np.linalg.norm(pooled))

    for name, score in found(folder, capsys):
        assert score == pytest.approx(
            float(mean(folder / "new.png") @ mean(folder / "photos" / name)), abs=2e-3
        )

"""What is not dinoscope's to delete stays: files beside its figures, rows of photographs that are there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dinoscope.comparison import output
from dinoscope.comparison.figures import maps
from dinoscope.comparison.figures.maps import write_figures
from dinoscope.comparison.output import write_comparison
from dinoscope.errors import InputError
from dinoscope.pipeline.embed import embed
from tests.command_line import run
from tests.fakes import FakeBackbone
from tests.hostile.files import png, write_photographs, write_tar
from tests.pipeline.test_embed import SMALL
from tests.pipeline.test_follow import content, update
from tests.samples import comparison as sample


def test_figures_of_others_stay_and_those_of_an_earlier_comparison_go(tmp_path: Path) -> None:
    out, figures = tmp_path / "out", tmp_path / "elsewhere"
    (figures / "mine").mkdir(parents=True)
    out.mkdir()
    (out / "figures").symlink_to("../elsewhere")
    for name in ("chart.pdf", "01-chart.png", "captions of mine.md", "mine/b.png", "../out/kept.png"):
        (figures / name).write_bytes(b"mine")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    (figures / "captions.md").write_text("## 01-a\n\n## overview\n\n## ../out/kept\n\n## mine/b\n")
    for name in ("01-a.png", "01-a.svg", "overview.pdf", "overview.png"):
        (figures / name).write_bytes(b"earlier")
    write_comparison(sample(), out)
    left = {path.name for path in figures.iterdir()}
    assert all(path.read_bytes() == b"mine" for path in before)
    assert left == {"mine", "chart.pdf", "01-chart.png", "captions of mine.md", "overview.png", "captions.md"}
    assert (figures / "overview.png").read_bytes() != b"earlier"


def test_captions_name_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "FORMATS", {"png": lambda figure: b"", "svg": lambda figure: b""})
    compared = sample()
    written = write_figures(compared, tmp_path, ("png", "svg"))
    names = set(output._earlier_figures(tmp_path))
    assert len(written) > 3 and {path.name for path in written} - names == {"captions.md"}


def test_a_folder_in_the_place_of_a_result_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_all(_: object, folder: Path, formats: object) -> None:
        (folder / "metrics.json").write_text("{}")
        (folder / "figures").mkdir()

    monkeypatch.setattr(output, "_write_all", write_all)
    (tmp_path / "metrics.json").mkdir()
    (tmp_path / "metrics.json" / "a").write_bytes(b"mine")
    with pytest.raises(InputError, match="cannot write to the folder"):
        write_comparison(sample(), tmp_path)
    assert (tmp_path / "metrics.json" / "a").read_bytes() == b"mine"


def odd_places(folder: Path) -> list[Path]:
    """Photographs in a folder that no walk through it comes by."""
    places = [folder / ".hidden" / "a.png", folder / ".b.png", folder / "c.scan", folder / "linked" / "d.png"]
    (folder.parent / "behind").mkdir()
    folder.mkdir()
    (folder / "linked").symlink_to(folder.parent / "behind")
    for i, place in enumerate(places):
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(png(20 + i))
    return places


def test_rows_of_photographs_that_a_walk_does_not_come_by_stay_until_these_are_gone(tmp_path: Path) -> None:
    folder, store = tmp_path / "photos", tmp_path / "store"
    places = odd_places(folder)
    write_photographs(folder, ("e.png", "f.png"))
    (tmp_path / "list.csv").write_text("path\n" + "\n".join(map(str, places)) + "\n")
    before = content(embed(tmp_path / "list.csv", FakeBackbone(), store, **SMALL).table())
    table, told = update(folder, store)
    assert (told.n_new, told.n_deleted) == (2, 0) and before.items() <= content(table).items()
    for place in places[:3]:
        place.unlink()
    table, told = update(folder, store)
    assert told.n_deleted == 3 and len(content(table)) == 3


def test_a_data_set_that_comes_to_lie_beside_photographs_deletes_none(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder, store = tmp_path / "photos", tmp_path / "store"
    write_photographs(folder, ("a.png", "b.png"))
    before = content(update(folder, store)[0])
    pq.write_table(pa.table({"image": [{"bytes": png(9), "path": "9.png"}]}), folder / "train.parquet")
    table, told = update(folder, store)
    assert told.n_deleted == 0 and before.items() <= content(table).items()


def test_members_that_left_an_archive_are_gone_and_an_archive_out_of_sight_is_not(tmp_path: Path) -> None:
    folder, store = tmp_path / "photos", tmp_path / "store"
    (folder / ".old").mkdir(parents=True)
    write_tar(folder / "a.tar", ("x.png", "y.png", "z::z.png"))
    Image.new("RGB", (64, 48), "red").save(folder / ".old" / "0.png")
    write_tar(folder / ".old" / "b.tar", ("1.png", "2.png", "3.png", "4.png"))
    embed(folder / ".old" / "b.tar", FakeBackbone(), store, **SMALL)
    assert len(content(update(folder, store)[0])) == 4  # the first three are the same photographs
    (folder / ".old" / "b.tar").rename(folder / "b.tar")
    write_tar(folder / "b.tar", ("1.png",))
    write_tar(folder / "a.tar", ("x.png", "y.png"))
    table, told = update(folder, store)
    assert told.n_deleted == 2 and len(content(table)) == 2


def test_a_closed_folder_with_two_colons_in_its_name_keeps_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, store = tmp_path / "photos", tmp_path / "store"
    write_photographs(folder, ("a.png",))
    write_photographs(folder / "b::c", ("d.png", "e::f.png"))
    before = content(update(folder, store)[0])
    walk = os.walk

    def closed(root: Path, onerror: Any = None) -> Iterator[Any]:
        for place, folders, names in walk(root):
            if Path(place) == folder / "b::c":
                onerror(PermissionError(13, "Permission denied", place))
            else:
                yield place, folders, names

    monkeypatch.setattr(os, "walk", closed)
    monkeypatch.setattr(os.path, "lexists", lambda path: False)  # nor can anybody look into it
    table, told = update(folder, store)
    assert told.n_deleted == 0 and content(table) == before


@pytest.mark.parametrize(
    "words",
    [
        ("measure", "{photos}", "--models", "pixels", "--out", "{photos}"),
        ("compare", "{photos}", "--models", "pixels", "--out", "{photos}/../photos"),
        ("compare", "{photos}", "--recursive", "--models", "pixels", "--out", "{photos}/results/new"),
        ("choose", "{photos}", "--masks", "{photos}", "--models", "pixels", "--out", "{photos}"),
        ("normal", "{photos}", "{photos}/a.png", "--models", "pixels", "--out", "{photos}"),
        ("normal", "{other}", "{photos}", "--models", "pixels", "--out", "{photos}"),
        ("certify", "pixels", "{photos}/a.png", "{photos}", "--out", "{photos}"),
        ("view", "{photos}", "--models", "pixels", "--export", "{photos}"),
    ],
    ids=lambda words: f"{words[0]} {words[-1]}",
)
def test_results_are_not_written_among_the_photographs_that_are_read(
    tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    photos, other = tmp_path / "photos", tmp_path / "other"
    for folder in (photos, other):
        folder.mkdir()
        for seed, name in enumerate(("a.png", "b.png")):
            (folder / name).write_bytes(png(seed))
    before = sorted(tmp_path.rglob("*"))
    assert run(*(word.format(photos=photos, other=other) for word in words)) == 2
    assert "name another folder" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_search_writes_over_no_photograph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, store, kept = tmp_path / "photos", tmp_path / "store", tmp_path / "common.safetensors"
    photos.mkdir()
    for seed in range(4):
        (photos / f"{seed:02}.png").write_bytes(png(seed))
    query = tmp_path / "query.png"
    query.write_bytes(png(9))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    assert run("embed", photos, store, "--model", "pixels", "--grid", 4) == 0
    fit = ("--suppress", "common", "--directions", 1)
    for option, place in (
        ("--why", photos),
        ("--why", tmp_path),
        ("--save-suppression", photos / "01.png"),
        ("--save-suppression", photos),
    ):
        assert run("search", store, query, *fit, option, place) == 2
        assert "name another f" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before
    for _ in range(2):  # an earlier suppression is replaced
        assert run("search", store, query, *fit, "--save-suppression", kept) == 0


def test_words_that_mean_nothing_to_a_store_are_not_left_unheard(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    assert run("embed", tmp_path / "a.png", tmp_path / "store", "--model", "pixels", "--grid", 4) == 0
    assert run("search", tmp_path / "store", tmp_path / "a.png", "--directions", 9) == 2
    assert "--suppress" in capsys.readouterr().err
    for pooling in ("MEAN", "", "mean,none"):
        assert run("index", tmp_path / "store", "--pooling", pooling) == 2
        assert "there are cls, mean" in capsys.readouterr().err

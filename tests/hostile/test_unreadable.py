"""What cannot be read is listed, costs itself alone, and ends with 1."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dinoscope.io.collections.collection import each_item
from dinoscope.io.images import read_photograph
from dinoscope.names import readable
from dinoscope.store.reading import each_row, read_failures
from dinoscope.store.store import open_store
from tests.command_line import run
from tests.hostile.files import LONG, png, write_photographs

GOOD = ("a.png", "b.png", "c.png")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photos", GOOD)


def unreadable(folder: Path) -> list[str]:
    """Names in a folder that no photograph can be read from, of every kind."""
    (folder / "dangling.png").symlink_to(folder / "gone.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "empty.png").touch()
    os.mkfifo(folder / "pipe.png")
    return ["dangling.png", "loop.png", "empty.png", "pipe.png", "missing.png", "a.png/inside.png", LONG]


def embedded(store: Path) -> tuple[set[str], set[str]]:
    table = open_store(store).table()
    return {row.source for row in each_row(table)}, {f.source for f in read_failures(table)}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_list_with_unreadable_lines(photos: Path, tmp_path: Path, suffix: str) -> None:
    bad = [*unreadable(photos), "nul\0inside.png"]
    if suffix == "csv":
        bad = [name for name in bad if "\0" not in name]
    names = [GOOD[0], *bad, *GOOD[1:]]
    source = photos / f"list.{suffix}"
    if suffix == "csv":
        source.write_text("path\n" + "\n".join(names))
    else:
        pq.write_table(pa.table({"path": names}), source)
    assert run("embed", source, tmp_path / "store", "--model", "mini", "--grid", 6) == 1
    found, failed = embedded(tmp_path / "store")
    assert found == {str(photos / name) for name in GOOD}
    assert failed == {readable(photos / name) for name in bad}


def test_a_line_that_is_too_long_for_csv(photos: Path, tmp_path: Path) -> None:
    (photos / "list.csv").write_text(f"path\na.png\n{'x' * 200_000}\nb.png\n")
    assert run("embed", photos / "list.csv", tmp_path / "store", "--model", "mini", "--grid", 6) == 1
    found, failed = embedded(tmp_path / "store")
    assert len(found) == 2 and failed == {f"{photos / 'list.csv'}, line 3"}


def test_a_folder_and_a_pattern_with_unreadable_files(photos: Path, tmp_path: Path) -> None:
    bad = [name for name in unreadable(photos) if "/" not in name and name not in ("missing.png", LONG)]
    with tarfile.open(photos / "cut.tar.gz", "w:gz") as archive:
        archive.add(photos / "a.png", "inside.png")
    whole = (photos / "cut.tar.gz").read_bytes()
    (photos / "cut.tar.gz").write_bytes(whole[:60] + bytes(20) + whole[80:])
    (photos / "junk.parquet").write_bytes(b"PAR1 no more")
    (photos / "junk.csv").write_text("nothing,of,use\n1,2,3\n")
    bad = [name for name in bad if name not in ("missing.png", LONG)]
    for source, extra in (
        (photos, ["cut.tar.gz"]),
        (photos / "*", ["cut.tar.gz", "junk.parquet", "junk.csv"]),
    ):
        store = tmp_path / f"store-{len(extra)}"
        assert run("embed", source, store, "--model", "mini", "--grid", 6) == 1
        found, failed = embedded(store)
        assert found == {str(photos / name) for name in GOOD}
        assert failed == {str(photos / name) for name in [*bad, *extra]}


def test_a_folder_that_may_not_be_looked_into(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = photos / "closed"
    write_photographs(closed, ("d.png",))
    scandir = os.scandir

    def refuse(path: object = ".") -> object:
        if str(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    items = list(each_item(photos))
    assert [Path(item.source).name for item in items] == [*GOOD, "closed"]
    with pytest.raises(ValueError, match="the folder cannot be read: Permission denied"):
        items[-1].load()


@pytest.mark.parametrize("command", ["compare", "measure", "extract"])
def test_arguments_that_cannot_be_read(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    bad = unreadable(photos)
    paths = [photos / GOOD[0], *(photos / name for name in bad), photos / GOOD[1]]
    models = "--model" if command == "extract" else "--models"
    assert run(command, *paths, models, "pixels", "--grid", 6, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    for name in bad:
        assert f"skipped {readable(photos / name)}"[:150] in said  # a name of 300 bytes is cut in the middle
    if command == "extract":
        assert len(list((tmp_path / "out").iterdir())) == 2
    else:
        assert len(json.loads((tmp_path / "out" / "metrics.json").read_text())["images"]) == 2


def test_a_mask_with_a_name_that_is_too_long(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    longest = "n" * 251 + ".png"  # 255 bytes: with .tiff there would be 256
    photos = write_photographs(tmp_path / "photos", ("a.png", longest))
    masks = tmp_path / "masks"
    masks.mkdir()
    Image.fromarray(np.arange(48 * 64, dtype=np.uint8).reshape(48, 64) % 2).save(masks / "a.png")
    assert run("measure", photos, "--models", "pixels", "--grid", 6, "--masks", masks) == 1
    assert "measured without its mask" in capsys.readouterr().err


def test_search_shows_every_hit_it_can(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("embed", photos, tmp_path / "store", "--model", "mini", "--grid", 6) == 0
    (photos / "b.png").write_bytes(b"damaged now")
    assert run("search", tmp_path / "store", photos / "a.png", "--why", tmp_path / "why") == 0
    assert "no picture of hit" in capsys.readouterr().err
    assert len(list((tmp_path / "why").iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dangling.png", "a link to .*gone.png', which does not exist"),
        ("missing.png", "no such file"),
        ("pipe.png", "not a regular file"),
        ("empty.png", "the file is empty"),
        (LONG, "cannot be read: File name too long"),
        ("nul\0.png", "cannot be read: embedded null byte"),
        ("a.png/inside.png", "cannot be read: Not a directory"),
    ],
)
def test_the_reason_is_told(photos: Path, name: str, reason: str) -> None:
    unreadable(photos)
    with pytest.raises(ValueError, match=reason):
        read_photograph(photos / name)


def test_embed_from_python_goes_on_too(photos: Path) -> None:
    (photos / "d.png").write_bytes(png(9))
    assert len(list(each_item(photos))) == 4

"""A folder that is followed: after any change, the table is what a fresh one of the folder would be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dinoscope.errors import InputError
from dinoscope.pipeline.embed import embed
from dinoscope.pipeline.follow import Followed
from dinoscope.retrieval.search import search
from dinoscope.store import writer as writing
from dinoscope.store.index import build_index
from dinoscope.store.lance import batches
from dinoscope.store.reading import each_dense, patch_statistics, pooled_vectors, read_failures
from dinoscope.store.store import FeatureTable, open_store
from tests.command_line import run
from tests.fakes import FakeBackbone
from tests.pipeline.test_embed import SMALL, write_photographs


def update(folder: Path, store: Path, model: FakeBackbone | None = None) -> tuple[FeatureTable, Followed]:
    told: list[Followed] = []
    found = embed(folder, model or FakeBackbone(), store, update=True, on_followed=told.append, **SMALL)
    return found.table(), told[0]


def content(table: FeatureTable) -> dict[str, tuple[str, bytes]]:
    """Source and vector of each row by its digest."""
    facts = [row for b in batches(table.vectors_path, ["digest", "source"]) for row in b.to_pylist()]
    vectors = pooled_vectors(table, "mean")
    assert len(vectors) == len(facts) == len({row["digest"] for row in facts})
    return {row["digest"]: (row["source"], v.tobytes()) for row, v in zip(facts, vectors, strict=True)}


def as_fresh(table: FeatureTable, folder: Path, place: Path) -> None:
    assert content(table) == content(embed(folder, FakeBackbone(), place, **SMALL).table())
    assert patch_statistics(table).n > 0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_photographs(tmp_path / "photos", 11)
    return tmp_path / "photos"


def test_new_moved_changed_and_deleted_photographs(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert update(folder, store)[1] == Followed(11, 0, 0)
    assert update(folder, store)[1] == Followed(0, 0, 0)
    (folder / "d").mkdir()
    os.rename(folder / "a" / "000.png", folder / "d" / "000 again.png")
    os.rename(folder / "b", folder / "e")  # 1, 4, 7, 10
    (folder / "c" / "002.png").unlink()
    (folder / "c" / "008.png").write_bytes((folder / "c" / "005.png").read_bytes())  # other content, a twin
    write_photographs(folder / "f", 2, seed=5)
    os.utime(folder / "a" / "003.png", (1, 1))
    model = FakeBackbone()
    table, told = update(folder, store, model)
    assert told == Followed(2, 5, 2) and sum(model.batches) == 2  # what moved is not computed again
    as_fresh(table, folder, tmp_path / "fresh")
    again = FakeBackbone()
    assert update(folder, store, again)[1] == Followed(0, 0, 0) and again.batches == []


def test_after_the_newest_rows_are_deleted_the_table_goes_on(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    update(folder, store)
    for path in sorted(folder.rglob("*.png"))[4:]:  # of batches of 4 the first alone is left
        path.unlink()
    table, told = update(folder, store)
    assert told == Followed(0, 0, 7)
    as_fresh(table, folder, tmp_path / "fresh")
    write_photographs(folder / "g", 3, seed=9)
    as_fresh(update(folder, store)[0], folder, tmp_path / "fresh again")


def test_what_cannot_be_read_now_is_kept_and_other_folders_are_left_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    other = tmp_path / "photos of others"
    write_photographs(other, 2, seed=4)
    embed(other, FakeBackbone(), store, **SMALL)
    before = content(update(folder, store)[0])
    broken = folder / "a" / "003.png"
    broken.write_bytes(broken.read_bytes()[:90])
    walk = os.walk

    def closed(root: Path, onerror: Any = None) -> Iterator[Any]:
        for place, folders, names in walk(root):
            if Path(place) == folder / "b":
                onerror(PermissionError(13, "Permission denied", place))
            else:
                yield place, folders, names

    monkeypatch.setattr(os, "walk", closed)
    table, told = update(folder, store)
    assert told == Followed(0, 0, 0) and content(table) == before
    assert {Path(failure.source).name for failure in read_failures(table)} == {"b", "003.png"}
    monkeypatch.undo()
    broken.unlink()
    table, told = update(folder, store)
    assert told == Followed(0, 0, 1) and read_failures(table) == []


def test_an_interruption_loses_nothing(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store"
    update(folder, store)
    os.rename(folder / "a", folder / "z")
    (folder / "b" / "001.png").unlink()
    write_photographs(folder / "f", 2, seed=5)
    for place in ("move_rows", "delete_rows"):
        with monkeypatch.context() as stopped:

            def stop(*_: object) -> None:
                raise KeyboardInterrupt

            stopped.setattr(writing, place, stop)
            with pytest.raises(KeyboardInterrupt):
                update(folder, store)
    table, told = update(folder, store)
    assert told == Followed(0, 0, 1)
    as_fresh(table, folder, tmp_path / "fresh")


def test_a_folder_alone_is_followed_and_an_empty_one_deletes_nothing(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    table = update(folder, store)[0]
    for source in (str(folder / "*" / "*.png"), sorted(folder.rglob("*.png"))):
        with pytest.raises(InputError, match="only a folder"):
            embed(source, FakeBackbone(), store, update=True, **SMALL)
    with pytest.raises(InputError, match="shard"):
        embed(folder, FakeBackbone(), store, update=True, shard=(0, 2), **SMALL)
    os.rename(folder, tmp_path / "elsewhere")
    folder.mkdir()
    with pytest.raises(InputError, match="no photographs"):
        update(folder, store)
    assert len(table) == 11


def test_an_index_of_the_rows_before_is_not_searched_any_more(folder: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    update(folder, store)
    build_index(open_store(store), least_rows=4, queries=4)
    os.rename(folder / "a" / "000.png", folder / "a" / "zzz.png")
    (folder / "a" / "003.png").unlink()
    update(folder, store)
    query = str(folder / "b" / "001.png")
    hits, exact = (search(open_store(store), query, k=9, exact=exact).hits for exact in (False, True))
    assert hits == exact and len(hits) == 9
    assert str(folder / "a" / "zzz.png") in {hit.source for hit in hits}


@pytest.mark.parametrize("dense", ["float16", "rank:3"])
def test_maps_stay_with_their_rows(folder: Path, tmp_path: Path, dense: str) -> None:
    def maps() -> dict[str, np.ndarray]:
        found = embed(folder, FakeBackbone(), tmp_path / "store", dense=dense, update=True, **SMALL)
        return {row.digest: features.values for row, features in each_dense(found.table())}

    before = maps()
    os.rename(folder / "a", folder / "z")
    after = maps()
    assert after.keys() == before.keys()
    for digest, values in before.items():
        np.testing.assert_array_equal(after[digest], values)


def test_the_command_says_what_became_of_the_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("embed", folder, tmp_path / "store", "--model", "pixels", "--grid", 4, "--update")
    assert run(*words) == 0
    assert capsys.readouterr().out.splitlines()[1] == "11 new, 0 moved, 0 deleted"
    os.rename(folder / "a", folder / "z")
    (folder / "b" / "001.png").unlink()
    assert run(*words, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["update"] == {"n_new": 0, "n_moved": 4, "n_deleted": 1} and told["photographs"] == 10
    for more in (("--engine", "ray"), ("--shard", "0/2")):
        assert run(*words, *more) == 2

"""Flipped bits in what a store holds are told from what was written."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dinoscope.data.results import Failure
from dinoscope.doctor.health_store import examine_store, store_bytes
from dinoscope.errors import CorruptStoreError
from dinoscope.store import digests
from dinoscope.store.digests import DIGESTS, damaged_files, missing_digests, read_digests
from dinoscope.store.index import build_index
from dinoscope.store.lance import data_files, open_dataset, tidy
from dinoscope.store.reading import patch_statistics, pooled_vectors
from dinoscope.store.store import FeatureTable, open_store
from dinoscope.store.writer import open_writer
from tests.command_line import run
from tests.store.small_stores import SETTINGS, fill


@pytest.fixture(autouse=True)
def _fresh_process() -> Iterator[None]:
    """Nothing counts as compared already."""
    digests._verified.clear()
    yield
    digests._verified.clear()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three commits, of which the last was not joined, an error, and maps of few components."""
    path = tmp_path_factory.mktemp("store") / "store"
    fill(path, range(60), commit_rows=20)
    with open_writer(path, SETTINGS) as writer:
        writer.fail(Failure("/photos/bad.png", "damaged"))
    return path


@pytest.fixture
def store(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "store")


def table_of(store: Path) -> FeatureTable:
    return open_store(store).table()


def flip(path: Path, at: float) -> None:
    """One bit, somewhere along the file."""
    data = bytearray(path.read_bytes())
    data[min(int(at * len(data)), len(data) - 1)] ^= 0x10
    path.write_bytes(data)


def digested(store: Path) -> list[Path]:
    folder = table_of(store).folder
    return [folder / name for name in read_digests(folder)]


def test_every_file_of_a_table_is_digested(store: Path) -> None:
    names = {path.relative_to(table_of(store).folder).parts[0] for path in digested(store)}
    assert names == {"settings.json", "vectors.lance", "errors.lance", "moments"}
    suffixes = {path.suffix for path in digested(store)}
    assert {".lance", ".manifest", ".safetensors"} <= suffixes
    assert missing_digests(table_of(store).folder) == []
    assert damaged_files(table_of(store).folder) == []
    assert examine_store(store).usable and store_bytes(store) > 0


@pytest.mark.parametrize("at", [0.0, 0.4, 0.7, 1.0])
def test_a_flipped_bit_in_any_file_is_found_by_doctor_and_on_reading(store: Path, at: float) -> None:
    table = table_of(store)
    for path in digested(store):
        whole = path.read_bytes()
        flip(path, at)
        assert damaged_files(table.folder) == [path]
        with pytest.raises(CorruptStoreError, match=f"{path.name}.*is damaged.*put it back from a copy"):
            pooled_vectors(table, "mean")
        path.write_bytes(whole)
    assert len(pooled_vectors(table, "mean")) == 60


def staged(table: FeatureTable) -> Path:
    """The manifest of the next version, as a writer leaves it that is killed before it takes its name."""
    newest = min((table.vectors_path / "_versions").glob("*.manifest"))
    path = newest.with_name(f"{int(newest.stem) - 1:020d}.manifest#1")
    path.write_bytes(newest.read_bytes()[:100])
    return path


@pytest.mark.parametrize("more", [(), range(60, 64)])
def test_a_manifest_that_never_took_its_name_is_no_version_that_is_gone(
    store: Path, more: Sequence[int]
) -> None:
    path = staged(table_of(store))
    (table_of(store).vectors_path / "data" / "cut.lance#2").write_bytes(b"half")
    with open_writer(store, SETTINGS) as writer:  # digests what a killed writer left
        writer.fail(Failure("/photos/worse.png", "damaged"))
    assert not {path.name, "cut.lance#2"} & {found.name for found in digested(store)}
    assert len(pooled_vectors(fill(store, more, commit_rows=2), "mean")) == 60 + len(more)
    assert missing_digests(table_of(store).folder) == damaged_files(table_of(store).folder) == []


def test_a_list_that_has_such_a_manifest_reads_as_if_it_had_not(store: Path) -> None:
    folder, path = table_of(store).folder, staged(table_of(store))
    _, _, body = (folder / DIGESTS).read_bytes().partition(b"\n")
    listed = json.loads(body) | {path.relative_to(folder).as_posix(): [100, "0" * 64]}
    body = json.dumps(listed).encode()
    (folder / DIGESTS).write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert len(pooled_vectors(table_of(store), "mean")) == 60


def test_the_commands_end_with_4(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (digested(store)[0], max(digested(store), key=lambda path: path.stat().st_size)):
        whole = path.read_bytes()
        flip(path, 0.5)
        assert run("doctor", store) == 4
        out, err = capsys.readouterr()
        assert "-> put it back from a copy" in out and "is damaged" in err
        assert path.name in "".join(out.split())
        assert run("search", store, "/photos/3.png") == 4
        path.write_bytes(whole)
    assert run("search", store, "/photos/3.png") == 0
    assert run("doctor", store) == 0


def test_the_other_tables_are_not_touched(store: Path) -> None:
    other = fill(store, range(4), settings=replace(SETTINGS, layer=1))
    flip(next((other.vectors_path / "data").iterdir()), 0.5)
    with pytest.raises(CorruptStoreError, match=f"{other.name}.*is damaged.*put it back from a copy"):
        pooled_vectors(other, "mean")
    first = open_store(store).table(SETTINGS.table_name)
    assert len(pooled_vectors(first, "mean")) == 60
    states = {finding.topic: finding.state for finding in examine_store(store).findings}
    assert states == {f"table {first.name}": "ok", f"table {other.name}": "problem"}


def test_a_large_table_is_compared_by_size_on_opening_and_whole_by_doctor(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(store)
    file = max((table.vectors_path / "data").iterdir(), key=lambda path: path.stat().st_size)
    monkeypatch.setattr(digests, "CHECKED_BYTES", file.stat().st_size - 1)
    flip(file, 0.5)
    len(table)  # opens it
    assert damaged_files(table.folder) == [file]
    with pytest.raises(CorruptStoreError, match=file.name):
        tidy(table.vectors_path)  # would write the damage anew, with a digest that fits it
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(CorruptStoreError, match=file.name):
        len(table)


def test_a_writer_refuses_a_damaged_table(store: Path) -> None:
    flip(next((table_of(store).vectors_path / "data").iterdir()), 0.5)
    with pytest.raises(CorruptStoreError, match="is damaged"):
        fill(store, range(60, 62))


def test_digests_that_a_killed_writer_could_not_write_are_made_by_the_next(store: Path) -> None:
    folder = table_of(store).folder
    before = dict(read_digests(folder))
    (folder / DIGESTS).unlink()
    assert missing_digests(folder) and len(table_of(store)) == 60
    findings = examine_store(store).findings
    assert [f.name for f in findings if f.state == "note"] == ["digests"]
    with open_writer(store, SETTINGS):
        pass
    assert missing_digests(folder) == [] and before.items() <= dict(read_digests(folder)).items()


def test_shards_share_the_digests(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with open_writer(store, SETTINGS, shard=(0, 2)), open_writer(store, SETTINGS, shard=(1, 2)):
        pass
    table = fill(store, range(10))
    assert missing_digests(table.folder) == [] and damaged_files(table.folder) == []
    fill(store, range(10, 20))
    assert missing_digests(table.folder) == [] and damaged_files(table.folder) == []
    assert patch_statistics(table).n == 20 * 16


def test_the_list_of_digests_says_so_where_it_is_itself_damaged(store: Path) -> None:
    folder = table_of(store).folder
    whole = (folder / DIGESTS).read_text()
    digit = "1" if whole[-10] != "1" else "2"
    for text in (whole[:-10] + digit + whole[-9:], whole[:-3], "", "{}"):
        (folder / DIGESTS).write_text(text)
        with pytest.raises(CorruptStoreError, match=r"digests\.txt.*says nothing of the table"):
            len(table_of(store))
        assert run("doctor", store) == 4
    (folder / DIGESTS).unlink()
    assert len(table_of(store)) == 60


def test_a_lost_file_is_a_problem(store: Path) -> None:
    table = table_of(store)
    (fragment,) = open_dataset(table.vectors_path).get_fragments()
    (file,) = data_files(table.vectors_path, fragment)
    file.unlink()
    assert not examine_store(store).usable
    assert run("doctor", store) == 4


def test_a_damaged_index_costs_the_index_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = fill(tmp_path / "store", range(600), commit_rows=600)
    build_index(table, least_rows=100, queries=20, kind="IVF_RQ")
    files = [path for path in digested(tmp_path / "store") if "_indices" in path.parts]
    assert files and missing_digests(table.folder) == []
    flip(files[0], 0.5)
    assert len(pooled_vectors(table, "mean")) == 600
    assert run("doctor", tmp_path / "store") == 0
    assert "build the index again" in " ".join(capsys.readouterr().out.split())
    build_index(table, least_rows=100, queries=20, kind="IVF_RQ")


def test_doctor_prints_json_and_takes_a_store_by_itself(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("doctor", store, "--json") == 0
    assert json.loads(capsys.readouterr().out)["usable"] is True
    assert run("doctor", store, "--compiled") == 2

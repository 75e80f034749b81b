from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dinoscope.store.index as index_module
from dinoscope.errors import (
    CorruptStoreError,
    EmptyIndexError,
    InputError,
    MissingFeaturesError,
    SchemaVersionError,
    StoreInUseError,
)
from dinoscope.store.index import (
    VectorIndex,
    build_index,
    nearest,
    read_index,
    rows_not_indexed,
)
from dinoscope.store.lance import open_dataset
from dinoscope.store.locks import writing
from dinoscope.store.reading import pooled_vectors
from dinoscope.store.store import FeatureTable, create_table, open_store
from tests.store.small_stores import SETTINGS, fill, vector

N = 600


def build(table: FeatureTable, **options: object) -> VectorIndex:
    return build_index(table, **({"least_rows": 100, "queries": 60, "kind": "IVF_RQ"} | options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an index, to be copied."""
    path = tmp_path_factory.mktemp("index") / "store"
    build(fill(path, range(N)))
    return path


@pytest.fixture
def table(whole: Path, tmp_path: Path) -> FeatureTable:
    shutil.copytree(whole, tmp_path / "store")
    return open_store(tmp_path / "store").table()


def true_nearest(rows: int, query: np.ndarray, k: int) -> list[int]:
    vectors = np.stack([vector(i).astype(np.float16).astype(np.float64) for i in range(rows)])
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1)
    return np.argsort(-cosines, kind="stable")[:k].tolist()


def test_what_was_measured_is_kept_beside_the_index(table: FeatureTable) -> None:
    found = read_index(table, "mean")
    assert found is not None
    facts = json.loads((table.folder / "indexes" / "mean.json").read_text())
    assert {name: facts[name] for name in VectorIndex.__dataclass_fields__} == {
        name: getattr(found, name) for name in VectorIndex.__dataclass_fields__
    }
    assert (found.kind, found.pooling, found.n_rows, found.n_queries) == ("IVF_RQ", "mean", N, 60)
    assert found.partitions == round(N**0.5)
    assert 0.95 <= found.recall <= 1.0
    assert found.build_s > 0
    written = [p for p in (table.vectors_path / "_indices").rglob("*") if p.is_file()]
    assert found.n_bytes == pytest.approx(sum(p.stat().st_size for p in written), rel=0.1)
    assert found.words == f"IVF_RQ, recall@10 {found.recall:.3f} on 60 queries"
    assert read_index(table, "cls") is None


def test_the_index_finds_what_exact_search_finds(table: FeatureTable) -> None:
    found = read_index(table, "mean")
    assert found is not None
    stored = pooled_vectors(table, "mean")
    shares = []
    for i in range(40):
        query = vector(5000 + i)
        places, vectors = nearest(table, found, query, 10)
        np.testing.assert_array_equal(vectors, stored[places])
        shares.append(len(set(places.tolist()) & set(true_nearest(N, query, 10))) / 10)
    assert np.mean(shares) >= 0.9


def test_the_recall_stated_is_that_of_its_settings_on_photographs_it_was_not_tuned_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found places are forged: nine of ten right while tuning, then seven of ten."""
    table = fill(tmp_path / "store", range(200))
    asked: list[int] = []
    stored = pooled_vectors(table, "mean")

    def forged(_: object, __: object, query: np.ndarray, k: int, *setting: int) -> tuple[np.ndarray, ...]:
        row = int(np.flatnonzero((stored == query).all(axis=1))[0])
        seen = row in asked
        asked.append(row)
        order = [i for i in true_nearest(200, query.astype(np.float64), 60) if i != row]
        right = 9 if len(asked) <= 40 else 7
        assert not seen or len(asked) <= 40, "a query of the first sample in the second"
        return np.array([*order[:right], *order[-(10 - right) :]]), stored[
            [*order[:right], *order[-(10 - right) :]]
        ]

    monkeypatch.setattr(index_module, "_nearest", forged)
    found = build(table, queries=40, recall=0.9)
    assert len(set(asked)) == 80
    assert found.recall == pytest.approx(0.7)
    assert (found.nprobes, found.refine_factor) == (8, 5)


def test_settings_grow_until_the_recall_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = fill(tmp_path / "store", range(400))
    tried: list[tuple[int, int]] = []

    def recall(_: object, __: object, ___: object, nprobes: int, refine_factor: int) -> np.ndarray:
        tried.append((nprobes, refine_factor))
        if nprobes < 16:
            return np.full(60, 0.5)
        return np.full(60, 0.99) if refine_factor >= 20 else np.array([1.0, 0.92] * 30)

    monkeypatch.setattr(index_module, "_shares", recall)
    found = build(table)
    assert tried == [(8, 5), (8, 20), (16, 5), (16, 20), (16, 20)]
    assert (found.nprobes, found.refine_factor, found.recall) == (16, 20, pytest.approx(0.99))
    monkeypatch.setattr(index_module, "_shares", lambda *_: np.full(60, 0.5))
    short = build(table)
    assert (short.nprobes, short.recall, short.wanted) == (20, 0.5, 0.98)


def test_rows_that_came_after_the_build_are_found(table: FeatureTable) -> None:
    fill(table.folder.parents[1], range(N, N + 50), commit_rows=7)  # finishing joins small fragments, too
    found = read_index(table, "mean")
    assert found is not None
    assert rows_not_indexed(table, found) == 50
    for i in (N, N + 3, N + 49):
        places, _ = nearest(table, found, vector(i), 3)
        assert i in places
        assert set(places.tolist()) <= set(true_nearest(N + 50, vector(i), 6))
    places, vectors = nearest(table, found, vector(3), 5)
    assert 3 in places
    np.testing.assert_array_equal(vectors, pooled_vectors(table, "mean")[places])


def test_built_again_it_holds_everything(table: FeatureTable) -> None:
    fill(table.folder.parents[1], range(N, N + 50))
    found = build(table)
    assert rows_not_indexed(table, found) == 0
    assert [i.name for i in open_dataset(table.vectors_path).describe_indices()] == ["dinoscope_mean"]


def test_a_build_that_is_cut_short_leaves_no_index(
    table: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(index_module, "_samples", stop)
        with pytest.raises(KeyboardInterrupt):
            build(table)
    assert read_index(table, "mean") is None
    build(table)
    assert read_index(table, "mean") is not None


def test_a_full_disk_is_told_and_the_vectors_stay(
    table: FeatureTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def create_index(self, *_: object, **__: object) -> None:
            raise OSError("No space left on device")

    before = pooled_vectors(table, "mean")
    opened = index_module.open_dataset
    calls: list[int] = []

    def full_once(path: Path, **options: bool) -> object:
        calls.append(1)
        return Full() if len(calls) == 1 else opened(path, **options)

    monkeypatch.setattr(index_module, "open_dataset", full_once)
    with pytest.raises(OSError, match=r"No space left.*intact"):
        build(table)
    assert read_index(table, "mean") is None
    np.testing.assert_array_equal(pooled_vectors(table, "mean"), before)


@pytest.mark.parametrize("damage", ["index files", "index", "report", "newer"])
def test_a_damaged_index_is_told_and_what_to_do(table: FeatureTable, damage: str) -> None:
    report = table.folder / "indexes" / "mean.json"
    error, words = CorruptStoreError, "dinoscope index STORE"
    found = read_index(table, "mean")
    assert found is not None
    if damage == "index files":
        shutil.rmtree(table.vectors_path / "_indices")
    elif damage == "index":
        open_dataset(table.vectors_path).drop_index("dinoscope_mean")
    elif damage == "report":
        report.write_text('{"schema_version": 1, "kind": "IVF_RQ"}')
    else:
        report.write_text('{"schema_version": 99}')
        error, words = SchemaVersionError, "upgrade"  # type: ignore[assignment]

    def search() -> None:
        assert read_index(table, "mean") == found
        nearest(table, found, vector(0), 3)

    with pytest.raises(error, match=words):
        search()


def test_what_cannot_be_indexed_is_refused(tmp_path: Path) -> None:
    empty = create_table(tmp_path / "store", replace(SETTINGS, layer=1))
    with pytest.raises(EmptyIndexError, match="embed"):
        build(empty)
    odd = fill(tmp_path / "store", range(120), settings=replace(SETTINGS, dim=12))
    with pytest.raises(InputError, match="multiple of 8 channels"):
        build(odd)
    table = fill(tmp_path / "store", range(120), has_cls=False)
    with pytest.raises(InputError, match=r"120 photographs: below 200,000.*exact"):
        build_index(table)
    with pytest.raises(MissingFeaturesError, match="no 'cls' vectors"):
        build(table, pooling="cls")
    for change, words in (
        ({"pooling": "median"}, "no pooling"),
        ({"recall": 0.0}, "recall"),
        ({"recall": 1.1}, "recall"),
        ({"queries": 0}, "queries"),
    ):
        with pytest.raises(InputError, match=words):
            build(table, **change)
    with writing(table.folder, (0, 2)), pytest.raises(StoreInUseError):
        build(table)
    assert read_index(table, "mean") is None

"""Laws of the derived index: what may happen to it or to its table, and that no answer gets wrong by it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dinoscope.store.derived.index as derived_module
import dinoscope.store.derived.opened as opened_module
from dinoscope.data.retrieval import Hits
from dinoscope.doctor.health_store import examine_store
from dinoscope.errors import DinoscopeError, InputError, MissingExtraError
from dinoscope.maths.ranking import top_k
from dinoscope.retrieval.search import search
from dinoscope.store.built_index import VectorIndex
from dinoscope.store.derived.index import open_derived, read_derived
from dinoscope.store.derived.opened import OpenDerived
from dinoscope.store.derived.quantised import fitted
from dinoscope.store.derived.sums import file_sum
from dinoscope.store.index import build_index, read_index
from dinoscope.store.lance import open_dataset, tidy
from dinoscope.store.lookup import rows_at, rows_of, vector_of
from dinoscope.store.reading import each_row, pooled_vectors
from dinoscope.store.store import FeatureStore, FeatureTable, open_store
from tests.retrieval.test_index import asked
from tests.store.small_stores import SETTINGS, fill, vector

N = 600


def build(table: FeatureTable, **options: object) -> VectorIndex:
    settings = {"least_rows": 100, "queries": 60, "kind": "IVF_SQ8"} | options
    return build_index(table, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("derived") / "store"
    build(fill(path, range(N)))
    return path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> FeatureStore:
    shutil.copytree(whole, tmp_path / "store")
    return open_store(tmp_path / "store")


def forget() -> None:
    """As in a process that has nothing open."""
    opened_module._opened.cache_clear()


def opened(table: FeatureTable) -> OpenDerived:
    found = open_derived(table, "mean")
    assert isinstance(found, OpenDerived), found
    return found


def shown(hits: Hits) -> list[tuple[str, float]]:
    return [(hit.source, hit.score) for hit in hits.hits]


def assert_right(store: FeatureStore, *, by_index: bool, words: str = "") -> None:
    """All lists looked into, the hits are those of exact search, to the bit; the note says which way."""
    table = store.table()
    for i in range(9000, 9010):
        found, exact = search(store, asked(i), k=10), search(store, asked(i), k=10, exact=True)
        assert found.exact is not by_index, found.notes
        assert shown(found) == shown(exact)
        assert words in found.notes[-1]
    rows = list(each_row(table))
    assert [rows[hit.row].source for hit in found.hits] == [hit.source for hit in found.hits]


def look_everywhere(table: FeatureTable) -> None:
    """State the index with a setting that leaves nothing out."""
    path = table.folder / "indexes" / "mean.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"nprobes": 1000, "refine_factor": 4}))


def test_at_full_probing_it_finds_what_exact_search_finds(store: FeatureStore) -> None:
    stored = pooled_vectors(store.table(), "mean")
    for i in range(50):
        query = vector(5000 + i)
        exact = top_k(query[None], stored, 12)
        places, scores = opened(store.table()).nearest(query, 12, probes=10**6, refine=4)
        np.testing.assert_array_equal(places, exact.indices[0])
        np.testing.assert_array_equal(scores, exact.scores[0])
    look_everywhere(store.table())
    assert_right(store, by_index=True, words="IVF_SQ8, recall@10 ")


def test_its_recall_is_measured_and_its_settings_are_the_smallest_that_reach_it(store: FeatureStore) -> None:
    table = store.table()
    found = read_index(table, "mean")
    assert found is not None
    assert (found.kind, found.n_rows, found.n_queries, found.wanted) == ("IVF_SQ8", N, 60, 0.98)
    assert found.partitions == 49 and 0.95 <= found.recall <= 1
    stored = pooled_vectors(table, "mean")
    rows = np.random.default_rng(0).permutation(N)[60:120]
    truth = top_k(stored[rows], stored, 10, exclude=rows).indices
    shares = []
    for row, nearest in zip(rows, truth, strict=True):
        places, _ = opened(table).nearest(stored[row], 11, probes=found.nprobes, refine=found.refine_factor)
        shares.append(len({*places.tolist()} - {int(row)} & {*nearest.tolist()}) / 10)
    assert found.recall == pytest.approx(np.mean(shares), abs=0.005)
    low = build(table, recall=0.3)
    assert low.nprobes < found.nprobes
    sizes = [p.stat().st_size for p in (table.folder / "indexes").rglob("*") if p.parent.name != "indexes"]
    assert low.n_bytes == sum(sizes)


def test_codes_hold_vectors_with_a_mean_and_a_few_large_channels() -> None:
    """As pooled features have: in codes of vectors as they are, few of the nearest would be found."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3000, 64)) * np.geomspace(1, 0.01, 64) + 3 * rng.normal(size=64)
    rows[:, 5] += 40
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    index = fitted(unit[:1000], 8)
    index.add(unit)
    assert (index.n_rows, index.partitions) == (3000, 8)
    truth = top_k(unit[:100], unit, 10).indices
    found = index.candidates(unit[:100], 20, 8)
    assert np.mean([len(np.intersect1d(f, t)) / 10 for f, t in zip(found, truth, strict=True)]) > 0.98
    without = index.candidates(unit[:100], 20, 8, without=(0, 1500))
    assert without.min() >= 1500
    assert (index.candidates(unit[:2], 3000, 1) == -1).any()


def test_deleted_with_its_folder_nothing_is_lost(store: FeatureStore) -> None:
    shutil.rmtree(store.table().folder / "indexes")
    assert_right(store, by_index=False, words="exact: all 600 photographs compared")
    build(store.table())
    look_everywhere(store.table())
    assert_right(store, by_index=True)


def test_newer_rows_are_compared_exactly_also_when_fragments_are_joined(store: FeatureStore) -> None:
    look_everywhere(store.table())
    fill(store.path, range(N, N + 50), commit_rows=7)  # finishing joins small fragments
    assert len(open_dataset(store.table().vectors_path).get_fragments()) == 1
    assert_right(store, by_index=True, words="; 50 newer photographs compared one by one")
    assert search(store, asked(N + 11), k=3).hits[0].row == N + 11
    fill(store.path, range(N + 50, N + 60))
    assert_right(store, by_index=True, words="; 60 newer")


def test_it_takes_newer_rows_into_its_lists_and_begins_anew_when_the_table_has_doubled(
    store: FeatureStore,
) -> None:
    table = store.table()
    fill(store.path, range(N, N + 50))
    found = build(table)
    assert found.n_rows == N + 50 and found.partitions == 49
    extended = read_derived(table, "mean")
    assert extended is not None and extended.trained_rows == N
    look_everywhere(table)
    assert_right(store, by_index=True)
    fill(store.path, range(N + 50, 2 * N + 10))
    assert build(table).partitions == round(2 * (2 * N + 10) ** 0.5)
    look_everywhere(table)
    assert_right(store, by_index=True)
    assert len(list((table.folder / "indexes").iterdir())) == 2


def _delete(table: FeatureTable) -> None:
    open_dataset(table.vectors_path, changing=True).delete(
        "source = '/photos/3.png' OR source = '/photos/599.png'"
    )


def _rewrite(table: FeatureTable) -> None:
    open_dataset(table.vectors_path, changing=True).update(
        {"foreground_share": "0.25"}, where="source = '/photos/3.png'"
    )


def _delete_and_join(table: FeatureTable) -> None:
    _delete(table)
    tidy(table.vectors_path)


@pytest.mark.parametrize("change", [_delete, _rewrite, _delete_and_join])
def test_a_table_that_was_changed_by_others_is_compared_as_it_is(
    store: FeatureStore, change: Callable[[FeatureTable], None]
) -> None:
    look_everywhere(store.table())
    change(store.table())
    assert_right(store, by_index=False, words="rewritten since the index was built")
    build(store.table())
    look_everywhere(store.table())
    assert_right(store, by_index=True)


def test_joined_by_others_it_is_not_believed(store: FeatureStore) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dinoscope.store.writer.tidy", lambda path: open_dataset(path))
        fill(store.path, range(N, N + 20), commit_rows=5)
    look_everywhere(store.table())
    assert_right(store, by_index=True)
    tidy(store.table().vectors_path)
    assert_right(store, by_index=False, words="rewritten")


@pytest.mark.parametrize("name", ["lists.faiss", "vectors.f16", "digests.sha256", "rows.arrow", "mean.json"])
@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty", "gone"])
def test_a_damaged_file_is_told_and_not_believed(store: FeatureStore, name: str, damage: str) -> None:
    table = store.table()
    (path,) = (table.folder / "indexes").rglob(name)
    assert opened(table)  # also where this process has it open
    data = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        data[len(data) // 2] ^= 0xFF
        path.write_bytes({"flipped": data, "truncated": data[: len(data) // 2], "empty": b""}[damage])
    words = "dinoscope index STORE" if name != "mean.json" else "exact: all 600"
    assert_right(store, by_index=False, words=words)
    health = examine_store(store.path)
    assert health.usable
    if (name, damage) != ("mean.json", "gone"):
        assert any(finding.name.startswith("indexes/mean") for finding in health.findings)
    build(table)
    look_everywhere(table)
    assert_right(store, by_index=True)
    assert not any(finding.state == "note" for finding in examine_store(store.path).findings)


def test_sums_tell_changed_moved_and_missing_words_apart(tmp_path: Path) -> None:
    words = np.random.default_rng(0).integers(0, 2**63, 400_000, dtype=np.uint64)
    path = tmp_path / "file"

    def sum_of(data: bytes) -> str:
        path.write_bytes(data)
        return file_sum(path)

    half = len(words) // 2
    moved = np.concatenate([words[half:], words[:half]])
    changed = words.copy()
    changed[half] ^= 1
    found = [sum_of(w.tobytes()) for w in (words, moved, changed, words[:-1])]
    found += [sum_of(words.tobytes() + b"\0"), sum_of(b""), sum_of(b"\0")]
    assert len(set(found)) == len(found)
    assert sum_of(words.tobytes()) == found[0]


def test_without_faiss_searches_are_exact_and_say_what_would_help(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    forget()
    assert_right(store, by_index=False, words="pip install 'dinoscope[index]'")
    with pytest.raises(MissingExtraError):
        build(store.table())
    assert build(store.table(), kind=None).kind == "IVF_RQ"


def test_a_build_that_fails_leaves_what_was_there(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = store.table()
    before = sorted((table.folder / "indexes").rglob("*"))
    look_everywhere(table)
    for name in ("samples_of", "sums_of"):
        module = derived_module if name == "samples_of" else sys.modules["dinoscope.store.derived.build"]

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(KeyboardInterrupt):
                build(table)
        assert sorted((table.folder / "indexes").rglob("*")) == before
    assert_right(store, by_index=True)


KILLED = """
import os, signal, sys
import dinoscope.store.derived.{module} as module
from dinoscope.store.index import build_index
from dinoscope.store.store import open_store

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

module.{name} = die
build_index(open_store(sys.argv[1]).table(), least_rows=100, queries=20, kind="IVF_SQ8")
"""


@pytest.mark.parametrize(("module", "name"), [("build", "write_lists"), ("index", "samples_of")])
def test_a_build_that_is_killed_leaves_nothing_behind(tmp_path: Path, module: str, name: str) -> None:
    table = fill(tmp_path / "store", range(120))
    code = KILLED.format(module=module, name=name)
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path / "store")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert read_index(table, "mean") is None
    assert search(open_store(tmp_path / "store"), asked(9000), k=3).exact
    build(table, queries=20)
    left = sorted(path.name for path in (table.folder / "indexes").iterdir())
    assert len(left) == 2 and left[0].startswith("mean-") and left[1] == "mean.json"


def test_many_readers_at_once_while_it_is_built_again(store: FeatureStore) -> None:
    look_everywhere(store.table())
    exact = {i: shown(search(store, asked(i), k=5, exact=True)) for i in range(9000, 9004)}
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            for i, right in exact.items():
                try:
                    found = search(store, asked(i), k=5)
                except DinoscopeError as error:
                    wrong.append(error)
                    return
                by_index = [pair for pair in shown(found) if pair in right]
                if by_index != shown(found) and found.exact:
                    wrong.append(found)

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for _ in range(3):
        build(store.table(), queries=20)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []


def test_rows_are_found_by_their_digests_and_places(store: FeatureStore) -> None:
    rows = list(each_row(store.table()))
    assert rows_at(store.table(), [7, 0, N - 1, 7]) == [rows[i] for i in (7, 0, N - 1, 7)]
    asked_for = [rows[3].digest, "12" * 32, rows[N - 1].digest]
    assert rows_of(store.table(), asked_for) == {rows[i].digest: rows[i] for i in (3, N - 1)}
    vector_found = vector_of(store.table(), "mean", rows[3].digest)
    np.testing.assert_array_equal(vector_found, pooled_vectors(store.table(), "mean")[3])
    assert vector_of(store.table(), "mean", "12" * 32) is None
    fill(store.path, range(N, N + 5))
    rows = list(each_row(store.table()))
    assert rows_at(store.table(), [N + 2, 1]) == [rows[N + 2], rows[1]]
    assert list(rows_of(store.table(), [rows[N + 2].digest])) == [rows[N + 2].digest]
    assert vector_of(store.table(), "mean", rows[N + 2].digest) is not None
    assert vector_of(store.table(), "mean", "12" * 32) is None
    for place in (0, 7, N - 1):
        assert opened(store.table()).place_of(rows[place].digest) == place
    assert opened(store.table()).place_of("12" * 32) is None
    assert opened(store.table()).place_of(rows[3].digest[:32] + "12" * 16) is None


@pytest.mark.parametrize(
    "options", [{"where": "source < '/photos/3'"}, {"suppress": "common"}, {"k": 101}, {"pooling": "gem"}]
)
def test_what_it_was_not_measured_for_is_compared_exactly(
    store: FeatureStore, options: dict[str, object]
) -> None:
    found = search(store, asked(9000), **options)  # type: ignore[arg-type]
    exact = search(store, asked(9000), exact=True, **options)  # type: ignore[arg-type]
    assert found.exact
    assert shown(found) == shown(exact)


def test_what_cannot_be_ranked_is_refused(tmp_path: Path, store: FeatureStore) -> None:
    for query in (np.zeros(16), np.full(16, np.nan)):
        with pytest.raises(InputError, match="direction"):
            opened(store.table()).nearest(query, 3, probes=1, refine=2)
    with pytest.raises(InputError, match="no kind of index"):
        build(store.table(), kind="HNSW")
    odd = fill(tmp_path / "odd", range(120), settings=replace(SETTINGS, dim=13))
    assert build(odd, recall=0.9).recall > 0.8

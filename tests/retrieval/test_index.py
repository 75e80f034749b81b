from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dinoscope.retrieval.ranking as ranking_module
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.retrieval import Hits
from dinoscope.errors import InputError, ProvenanceMismatchError
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.search import search
from dinoscope.store.index import build_index
from dinoscope.store.reading import each_row, pooled_vectors
from dinoscope.store.store import FeatureStore, open_store
from dinoscope.store.suppressions import load_suppression, save_suppression
from tests.store.small_stores import DIM, SETTINGS, fill, vector

N = 500


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("search") / "store"
    build_index(fill(path, range(N)), least_rows=100, queries=60, kind="IVF_RQ")
    return path


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> FeatureStore:
    shutil.copytree(whole, tmp_path / "store")
    return open_store(tmp_path / "store")


def asked(i: int, digest: str = "ff" * 32) -> PatchFeatures:
    """Features of one patch: a vector like the stored ones."""
    values = vector(i).astype(np.float32).reshape(1, 1, DIM)
    return PatchFeatures(values, PatchGrid(1, 1, 8, (8, 8)), SETTINGS.provenance("query", digest))


def places(hits: Hits) -> list[int]:
    return [hit.row for hit in hits.hits]


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("must not be called")

    for name in names:
        monkeypatch.setattr(ranking_module, name, refuse)


def test_with_an_index_few_vectors_are_compared_and_the_answer_says_so(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = [search(store, asked(9000 + i), k=10, exact=True) for i in range(20)]
    forbid(monkeypatch, "placed_vectors", "each_vectors")
    found = [search(store, asked(9000 + i), k=10) for i in range(20)]
    assert not any(hits.exact for hits in found)
    assert all(hits.notes[-1].startswith("IVF_RQ, recall@10 ") for hits in found)
    assert all("on 60 queries" in hits.notes[-1] for hits in found)
    shares = [len({*places(a)} & {*places(b)}) / 10 for a, b in zip(found, exact, strict=True)]
    assert np.mean(shares) >= 0.9
    for ours, theirs in zip(found, exact, strict=True):
        known = {hit.row: hit.score for hit in theirs.hits}
        assert {h.row: h.score for h in ours.hits if h.row in known} == pytest.approx(
            {row: score for row, score in known.items() if row in places(ours)}, abs=1e-12
        )
        assert [hit.score for hit in ours.hits] == sorted((h.score for h in ours.hits), reverse=True)


def test_what_the_recall_was_not_measured_for_is_said(store: FeatureStore) -> None:
    for asked_for, words in (
        (search(store, asked(9000), box=(0.0, 0.0, 1.0, 1.0)), "not measured for regions"),
        (search(store, [asked(9000), asked(9001)]), "not measured for several photographs"),
    ):
        assert not asked_for.exact
        assert words in asked_for.notes[-1]
    assert "not measured" not in search(store, asked(9000)).notes[-1]
    assert "recall" not in search(store, asked(9000), box=(0.0, 0.0, 1.0, 1.0), exact=True).notes[-1]


def test_the_query_itself_is_left_out_also_with_an_index(store: FeatureStore) -> None:
    row = list(each_row(store.table()))[7]
    hits = search(store, asked(7, row.digest), k=5)
    assert not hits.exact
    assert len(hits.hits) == 5
    assert 7 not in places(hits)
    assert any("left out" in note for note in hits.notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"exact": True}, "exact: all 500 photographs compared"),
        ({"suppress": "common", "components": 2}, "(the index is of vectors without suppression)"),
        ({"suppress": "centre"}, "(the index is of vectors without suppression)"),
        ({"where": "foreground_share > 0.1"}, "that fit compared (the index was not measured under"),
        ({"k": 101}, "(the index is for at most 100 hits)"),
        ({"pooling": "foreground"}, "exact: all 500 photographs compared"),
    ],
)
def test_where_the_index_does_not_hold_all_are_compared_and_the_reason_is_given(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, options: dict[str, object], words: str
) -> None:
    forbid(monkeypatch, "nearest")
    hits = search(store, asked(9000), **options)  # type: ignore[arg-type]
    assert hits.exact
    assert hits.notes[-1].startswith("exact: all 500")
    assert words in hits.notes[-1]
    kind, components = str(options.get("suppress", "none")), options.get("components")
    fitted = fit_suppression(store, kind, components=components)  # type: ignore[arg-type]
    vectors = fitted.apply(pooled_vectors(store.table(), "mean").astype(np.float64))
    query = fitted.apply(asked(9000).values[0, 0].astype(np.float64))
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1)
    assert places(hits)[:10] == np.argsort(-cosines, kind="stable")[:10].tolist()


def test_too_few_in_the_lists_is_no_silent_answer(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ranking_module.nearest
    monkeypatch.setattr(ranking_module, "nearest", lambda *given: tuple(part[:3] for part in real(*given)))
    hits = search(store, asked(9000), k=10)
    assert hits.exact
    assert len(hits.hits) == 10
    assert "too few" in hits.notes[-1]


def test_photographs_that_came_after_the_build_are_found(store: FeatureStore) -> None:
    fill(store.path, range(N, N + 30), commit_rows=4)
    hits = search(store, asked(N + 11), k=5)
    assert not hits.exact
    assert hits.hits[0].row == N + 11
    assert hits.hits[0].source == f"/photos/{N + 11}.png"
    assert hits.notes[-1].endswith("; 30 newer photographs compared one by one")


def test_a_large_table_without_an_index_is_searched_exactly_and_advised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "store", range(40))
    plain = open_store(tmp_path / "store")
    assert search(plain, asked(9000)).notes[-1] == "exact: all 40 photographs compared"
    monkeypatch.setattr(ranking_module, "INDEX_FROM", 40)
    assert "dinoscope index STORE" in search(plain, asked(9000)).notes[-1]
    assert search(plain, asked(9000), exact=True).notes[-1] == "exact: all 40 photographs compared"


def test_an_index_that_is_gone_is_told_and_can_be_done_without(store: FeatureStore) -> None:
    shutil.rmtree(store.table().vectors_path / "_indices")
    hits = search(store, asked(9000))
    assert hits.exact and re.search(r"index of the mean vectors.*exact=True", hits.notes[-1])
    assert len(search(store, asked(9000), exact=True).hits) == 10


def test_a_suppression_from_a_file_is_the_one_that_was_fitted(store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "common.safetensors"
    save_suppression(fit_suppression(store, "common", components=3), path)
    loaded = load_suppression(path)
    by_name = search(store, asked(9000), suppress="common", components=3)
    by_file = search(store, asked(9000), suppress=loaded)
    assert by_file.hits == by_name.hits
    assert by_file.fitted_on == by_name.fitted_on
    assert by_file.notes == by_name.notes
    with pytest.raises(InputError, match="components"):
        search(store, asked(9000), suppress=loaded, components=2)
    fill(store.path, range(N, N + 1))
    assert "fitted on other photographs" in search(store, asked(9000), suppress=loaded).notes[0]


def test_a_suppression_of_other_vectors_is_refused(store: FeatureStore) -> None:
    loaded = fit_suppression(store, "centre")
    fill(store.path, range(20), settings=replace(SETTINGS, layer=1))
    provenance = replace(SETTINGS, layer=1).provenance("query", "ff" * 32)
    query = replace(asked(9000), provenance=provenance)
    other = [name for name in store.tables if name != store.table(SETTINGS.table_name).name]
    with pytest.raises(ProvenanceMismatchError, match="layer: 1 in the table, 3 in the suppression"):
        search(store, query, suppress=loaded, table=other[0])
    with pytest.raises(ProvenanceMismatchError, match="pooling"):
        search(store, asked(9000), suppress=loaded, pooling="gem", table=SETTINGS.table_name)
    background = fit_suppression(store.table(SETTINGS.table_name), "common", pooling="gem", components=1)
    assert background.fitted_for is not None
    assert background.fitted_for.pooling == "gem"

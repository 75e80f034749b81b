from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dinoscope.store.reading as reading
from dinoscope.data.features import PatchFeatures
from dinoscope.data.retrieval import Hits
from dinoscope.errors import (
    CorruptStoreError,
    EmptyIndexError,
    ImageError,
    InputError,
    MissingFeaturesError,
    ProvenanceMismatchError,
)
from dinoscope.pipeline.embed import embed, table_settings
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.run import Run
from dinoscope.retrieval.duplicates import duplicate_groups, near_duplicates
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.patches import search_patches, why_match
from dinoscope.retrieval.search import search
from dinoscope.store.dense import dense_bytes
from dinoscope.store.lance import open_dataset
from dinoscope.store.reading import each_row, pooled_vectors, read_dense
from dinoscope.store.store import FeatureStore, create_table
from tests.fakes import FakeBackbone

GRID = 6
N = 12
SUPPRESSIONS = ("none", "centre", "common", "whiten", "background")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photographs of coloured blocks; the last is the first with one block repainted."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    paths = []
    for i in range(N):
        colours = rng.integers(0, 255, (4, 4, 3), dtype=np.uint8)
        if i == 0:
            first = colours
        if i == N - 1:
            colours = first.copy()
            colours[0, 0] = 255 - colours[0, 0]
        paths.append(folder / f"{'ab'[i % 2]}-{i:02d}.png")
        Image.fromarray(colours).resize((48, 48), Image.Resampling.BICUBIC).save(paths[-1])
    return paths


@pytest.fixture(scope="module")
def store(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return embed(photos, FakeBackbone(), tmp_path_factory.mktemp("s") / "store", grid=GRID, dense="float16")


def features(path: Path, backbone: FakeBackbone | None = None) -> PatchFeatures:
    return next(extract([path], backbone or FakeBackbone(), grid=GRID))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.sqrt((rows**2).sum(axis=-1, keepdims=True))


def found(hits: Hits) -> dict[str, float]:
    return {hit.source: hit.score for hit in hits.hits}


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
@pytest.mark.parametrize("pooling", ["mean", "cls", "gem", "foreground"])
def test_hits_are_the_largest_cosines_of_suppressed_vectors_without_the_query_itself(
    store: FeatureStore, photos: list[Path], pooling: str, suppress: str
) -> None:
    hits = search(store, photos[3], k=4, pooling=pooling, suppress=suppress)
    table = store.table()
    fitted = fit_suppression(store, suppress, pooling=pooling)
    vectors = unit(fitted.apply(pooled_vectors(table, pooling).astype(np.float64)))
    sources = [row.source for row in each_row(table)]
    place = sources.index(str(photos[3]))
    slow = sorted(
        ((float(vectors[i] @ vectors[place]), sources[i]) for i in range(N) if i != place), reverse=True
    )
    assert [hit.source for hit in hits.hits] == [source for _, source in slow[:4]]
    np.testing.assert_allclose([hit.score for hit in hits.hits], [s for s, _ in slow[:4]], atol=1e-6)
    assert [sources[hit.row] for hit in hits.hits] == [hit.source for hit in hits.hits]
    assert any("left out" in note for note in hits.notes)


def test_a_photograph_in_the_store_is_not_computed_again_and_another_is(
    store: FeatureStore, photos: list[Path], tmp_path: Path
) -> None:
    known, new = FakeBackbone(), FakeBackbone()
    search(store, photos[0], backbone=known)
    assert known.batches == []
    path = tmp_path / "new.png"
    Image.fromarray(np.full((48, 48, 3), 90, np.uint8)).save(path)
    hits = search(store, path, k=N, backbone=new)
    assert new.batches == [1]
    assert len(hits.hits) == N


def test_a_hit_is_searched_for_without_its_file_and_a_region_of_it_needs_the_file_that_was_embedded(
    photos: list[Path], tmp_path: Path
) -> None:
    paths = [Path(shutil.copy(path, tmp_path)) for path in photos[:4]]
    small = embed(paths, FakeBackbone(), tmp_path / "store", grid=GRID)
    hit = search(small, paths[0], k=1).hits[0]
    expected = search(small, hit.source, k=3)
    box = search(small, hit, box=(0, 0, 0.5, 0.5), backbone=FakeBackbone())
    assert found(box) == found(search(small, hit.source, box=(0, 0, 0.5, 0.5), backbone=FakeBackbone()))
    Image.fromarray(np.zeros((48, 48, 3), np.uint8)).save(hit.source)
    with pytest.raises(ImageError, match="has changed since"):
        search(small, hit, box=(0, 0, 0.5, 0.5), backbone=FakeBackbone())
    Path(hit.source).unlink()
    for stored in (hit, hit.source, Path(hit.source)):
        again = search(small, stored, k=3)
        assert (again.query, found(again)) == (expected.query, found(expected))
    with pytest.raises(ImageError, match="no such file"):
        search(small, tmp_path / "never-was.png")
    others = [path for path in paths if str(path) != hit.source]
    assert found(search(small, [hit, others[0]])).keys() == {str(path) for path in others[1:]}


def test_features_at_hand_find_what_their_photograph_finds(store: FeatureStore, photos: list[Path]) -> None:
    by_path, by_features = search(store, photos[2], k=5), search(store, features(photos[2]), k=5)
    assert list(found(by_path)) == list(found(by_features))
    np.testing.assert_allclose(
        list(found(by_path).values()), list(found(by_features).values()), atol=2e-3
    )  # stored as float16


@pytest.mark.parametrize("suppress", ["none", "centre", "whiten"])
def test_several_photographs_are_searched_for_by_the_mean_of_their_suppressed_directions(
    store: FeatureStore, photos: list[Path], suppress: str
) -> None:
    hits = search(store, [photos[1], photos[4]], k=N, suppress=suppress)
    table = store.table()
    vectors = unit(fit_suppression(store, suppress).apply(pooled_vectors(table, "mean").astype(np.float64)))
    sources = [row.source for row in each_row(table)]
    pair = [sources.index(str(photos[i])) for i in (1, 4)]
    cosines = vectors @ unit(vectors[pair].mean(axis=0))
    want = {sources[i]: float(cosines[i]) for i in range(N) if i not in pair}
    assert found(hits) == pytest.approx(want, abs=1e-6)


def test_a_region_is_pooled_over_its_patches(store: FeatureStore, photos: list[Path]) -> None:
    query = features(photos[5])
    vectors = unit(pooled_vectors(store.table(), "mean").astype(np.float64))
    sources = [row.source for row in each_row(store.table())]
    mask = np.zeros((48, 48), bool)
    mask[:24, 24:] = True
    corner = query.values[:3, 3:].reshape(-1, query.dim).astype(np.float64).mean(axis=0)
    one = query.values[1, 4].astype(np.float64)
    for hits, vector in (
        (search(store, query, k=N, box=(0.5, 0.0, 1.0, 0.5)), corner),
        (search(store, query, k=N, mask=mask), corner),
        (search(store, query, k=N, patch=(0.75, 0.25)), one),
    ):
        cosines = vectors @ unit(vector)
        want = {s: float(c) for s, c in zip(sources, cosines, strict=True) if s != str(photos[5])}
        assert found(hits) == pytest.approx(want, abs=1e-6)


@pytest.mark.parametrize("pooling", ["mean", "gem"])
def test_patches_count_by_what_the_mask_covers_of_them(
    store: FeatureStore, photos: list[Path], pooling: str
) -> None:
    """Columns 0 to 11 of 48 pixels: one column of patches whole, half of the next; and a single pixel."""
    query = features(photos[5])
    mask = np.zeros((48, 48), bool)
    mask[:, :12] = True
    dot = np.zeros((48, 48), bool)
    dot[20, 30] = True
    raised = query.values.astype(np.float64) if pooling == "mean" else np.maximum(query.values, 1e-6) ** 3.0
    wanted = (raised[:, 0].sum(axis=0) + 0.5 * raised[:, 1].sum(axis=0)) / 9
    vectors = unit(pooled_vectors(store.table(), pooling).astype(np.float64))
    sources = [row.source for row in each_row(store.table())]
    for given, vector in ((mask, wanted), (dot, raised[2, 3])):
        cosines = vectors @ unit(vector if pooling == "mean" else vector ** (1 / 3))
        hits = search(store, query, k=N, mask=given, pooling=pooling)
        want = {s: float(c) for s, c in zip(sources, cosines, strict=True) if s != str(photos[5])}
        assert found(hits) == pytest.approx(want, abs=1e-6)


def test_a_condition_on_the_columns_filters(store: FeatureStore, photos: list[Path]) -> None:
    everything = search(store, photos[0], k=N)
    some = search(store, photos[0], k=N, where="source LIKE '%b-%'")
    assert found(some) == {s: score for s, score in found(everything).items() if "b-" in Path(s).name}
    assert any("LIKE" in note for note in some.notes)
    with pytest.raises(EmptyIndexError, match="condition"):
        search(store, photos[0], where="source = 'nothing'")
    sources = [row.source for row in each_row(store.table())]
    assert all(sources[hit.row] == hit.source for hit in some.hits)


@pytest.mark.parametrize("where", ["no_such_column > 1", "source LIKE", "source", "h > 'x'", "1 ==== 2"])
def test_a_condition_that_cannot_be_used_is_refused(
    store: FeatureStore, photos: list[Path], where: str
) -> None:
    with pytest.raises(InputError, match=r"the condition .* cannot be used: .*columns are digest"):
        search(store, photos[0], where=where)


@pytest.mark.parametrize(
    "where", ["h > 0 garbage", "h > 0)", "1=1; DROP TABLE x", "h > 0 h", "h > 0) OR (w > 0"]
)
def test_what_stands_behind_a_condition_is_not_left_out_silently(
    store: FeatureStore, photos: list[Path], where: str
) -> None:
    with pytest.raises(InputError, match="cannot be used: something stands behind its end"):
        search(store, photos[0], where=where)


@pytest.mark.parametrize("where", ["(h > 0) AND (w > 0)", "source NOT LIKE '%;)%'", "h > 0 -- a remark"])
def test_parentheses_and_semicolons_where_they_belong(
    store: FeatureStore, photos: list[Path], where: str
) -> None:
    assert found(search(store, photos[0], k=N, where=where)) == found(search(store, photos[0], k=N))


def test_a_damaged_table_is_no_bad_condition(store: FeatureStore, photos: list[Path], tmp_path: Path) -> None:
    shutil.copytree(store.path, tmp_path / "store")
    broken = FeatureStore(tmp_path / "store")
    data = broken.table().vectors_path / "data"
    for file in data.iterdir():
        file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CorruptStoreError, match="put it back"):
        search(broken, features(photos[0]), where="h > 1")


def test_more_than_there_are_gives_all_and_says_so(store: FeatureStore, photos: list[Path]) -> None:
    hits = search(store, photos[0], k=500)
    assert len(hits.hits) == N - 1
    assert any("500" in note and str(N - 1) in note for note in hits.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"k": 0}, "k must"),
        ({"box": (0.5, 0.0, 0.5, 1.0)}, "box"),
        ({"box": (0.5, 0.0, 1.2, 1.0)}, "box"),
        ({"patch": (0.5, -0.1)}, "a place in an image"),
        ({"patch": (0.5, 0.1), "box": (0.0, 0.0, 1.0, 1.0)}, "one of them"),
        ({"mask": np.zeros((48, 48), bool)}, "mask"),
        ({"pooling": "cls", "box": (0.0, 0.0, 0.5, 1.0)}, "class token"),
        ({"pooling": "maximum"}, "no pool"),
        ({"suppress": "everything"}, "no suppression"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(
    store: FeatureStore, photos: list[Path], change: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        search(store, photos[0], backbone=FakeBackbone(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize("query", [[], "several with a region"])
def test_nothing_and_a_region_of_several_are_refused(
    store: FeatureStore, photos: list[Path], query: list[Path] | str
) -> None:
    images = photos[:2] if isinstance(query, str) else query
    with pytest.raises(InputError, match="photograph"):
        search(store, images, patch=(0.5, 0.5) if images else None)


def test_another_backbone_is_refused(store: FeatureStore, photos: list[Path]) -> None:
    other = FakeBackbone(name="other")
    for query, backbone in ((photos[0], other), (features(photos[0], other), None)):
        with pytest.raises(ProvenanceMismatchError):
            search(store, query, backbone=backbone)
        if isinstance(query, PatchFeatures):
            with pytest.raises(ProvenanceMismatchError):
                search_patches(store, query, (0.5, 0.5))


def test_a_model_that_its_name_does_not_load_is_asked_for(store: FeatureStore, tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    Image.fromarray(np.zeros((48, 48, 3), np.uint8)).save(path)
    with pytest.raises(InputError, match="--model"):
        search(store, path)


def test_an_empty_table_is_said_to_be_empty(tmp_path: Path, photos: list[Path]) -> None:
    settings = table_settings(FakeBackbone(), Run(GRID))
    create_table(tmp_path / "store", settings)
    empty = FeatureStore(tmp_path / "store")
    for ask in (lambda: search(empty, photos[0]), lambda: near_duplicates(empty)):
        with pytest.raises(EmptyIndexError, match="embed"):
            ask()


def test_searching_against_subtracts_the_mean_direction(store: FeatureStore, photos: list[Path]) -> None:
    vectors = pooled_vectors(store.table(), "mean").astype(np.float64)
    place = {row.source: i for i, row in enumerate(each_row(store.table()))}
    for suppress in SUPPRESSIONS:
        fitted = fit_suppression(store, suppress)
        rows = unit(np.stack([fitted.apply(vector) for vector in vectors]))
        plus, minus = [place[str(photos[i])] for i in (1, 2)], [place[str(photos[i])] for i in (4, 5, 6)]
        asked = rows[plus].mean(axis=0) - rows[minus].mean(axis=0)
        cosines = rows @ (asked / np.linalg.norm(asked))
        hits = search(store, photos[1:3], against=photos[4:7], suppress=suppress, k=N)
        want = {str(p): cosines[place[str(p)]] for i, p in enumerate(photos) if i not in (1, 2, 4, 5, 6)}
        assert found(hits) == pytest.approx(want, abs=1e-6)
        assert hits.notes[0] == (
            "searched for the mean direction of 2 photographs minus that of 3 searched against"
        )
    assert search(store, photos[1], against=[]) == search(store, photos[1])
    with pytest.raises(InputError, match="nothing is left"):
        search(store, photos[1], against=photos[1])


def test_groups_of_near_duplicates_are_what_pairs_connect() -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        pairs = [(*map(int, rng.integers(0, 14, 2)), float(rng.random())) for _ in range(9)]
        pairs = [pair for pair in pairs if pair[0] != pair[1]]
        reach = np.eye(14, dtype=bool)
        for a, b, _ in pairs:
            reach[a, b] = reach[b, a] = True
        for _ in range(14):
            reach = reach @ reach
        want = {frozenset(np.flatnonzero(row).tolist()) for row in reach if row.sum() > 1}
        groups = duplicate_groups(pairs)
        assert {frozenset(group) for group in groups} == want
        assert sum(map(len, groups)) == sum(map(len, want))


def test_no_other_photograph_to_search_patches_in_is_said(tmp_path: Path, photos: list[Path]) -> None:
    settings = table_settings(FakeBackbone(), Run(GRID), dense="float16")
    create_table(tmp_path / "store", settings)
    with pytest.raises(EmptyIndexError, match="no other photograph"):
        search_patches(FeatureStore(tmp_path / "store"), features(photos[0]), (0.5, 0.5))
    only = embed(photos[:1], FakeBackbone(), tmp_path / "one", grid=GRID, dense="float16")
    with pytest.raises(EmptyIndexError, match="no other photograph"):
        search_patches(only, features(photos[0]), (0.5, 0.5))


def test_more_patches_than_there_are_gives_all(store: FeatureStore, photos: list[Path]) -> None:
    hits = search_patches(store, features(photos[0]), (0.5, 0.5), k=10_000, each=10_000)
    assert len(hits) == (N - 1) * GRID * GRID
    for change in ({"k": 0}, {"each": 0}):
        with pytest.raises(InputError, match="at least 1"):
            search_patches(store, features(photos[0]), (0.5, 0.5), **change)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_query_that_is_no_number_is_refused(store: FeatureStore, photos: list[Path], value: float) -> None:
    query = features(photos[0])
    values = query.values.copy()
    values[2, 2, 0] = value
    broken = replace(query, values=values)
    with pytest.raises(InputError, match="NaN or infinite"):
        search(store, broken)
    with pytest.raises(InputError, match="NaN or infinite"):
        search_patches(store, broken, broken.grid.centre(2, 2))


def test_stored_vectors_that_are_no_numbers_are_told(
    store: FeatureStore, photos: list[Path], tmp_path: Path
) -> None:
    """`embed` refuses them; another tool may have written them."""
    shutil.copytree(store.path, tmp_path / "store")
    damaged = FeatureStore(tmp_path / "store").table()
    open_dataset(damaged.vectors_path).update(
        {"mean": "array_repeat(cast('NaN' as float), 12)"}, where="source LIKE '%b-05%'"
    )
    with pytest.raises(InputError, match="NaN"):
        search(FeatureStore(tmp_path / "store"), photos[0])
    with pytest.raises(InputError, match="NaN"):
        fit_suppression(FeatureStore(tmp_path / "store"), "common")


def test_duplicates_are_the_pairs_above_the_threshold_of_centred_cosines(store: FeatureStore) -> None:
    table = store.table()
    vectors = pooled_vectors(table, "mean").astype(np.float64)
    vectors = unit(vectors - vectors.mean(axis=0))
    sources = [row.source for row in each_row(table)]
    want = {
        (sources[i], sources[j]): float(vectors[i] @ vectors[j])
        for i in range(N)
        for j in range(i + 1, N)
        if vectors[i] @ vectors[j] >= 0.5
    }
    assert want
    pairs = near_duplicates(store, least=0.5)
    assert {(a, b): score for a, b, score in pairs} == pytest.approx(want, abs=1e-5)
    assert [score for *_, score in pairs] == sorted((score for *_, score in pairs), reverse=True)
    with pytest.raises(InputError, match="least"):
        near_duplicates(store, least=0.0)


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
@pytest.mark.parametrize("pooling", ["mean", "foreground", "gem", "cls"])
def test_why_a_match_sums_to_its_score_for_means_alone(
    store: FeatureStore, photos: list[Path], pooling: str, suppress: str
) -> None:
    components = 3 if suppress == "whiten" else None  # more would whiten the rounding of so few channels
    fitted = fit_suppression(store, suppress, pooling=pooling, components=components)
    hit = search(store, photos[0], k=1, pooling=pooling, suppress=fitted).hits[0]
    match = why_match(
        features(photos[0]), features(Path(hit.source)), pooling=pooling, suppression=fitted, pairs=5
    )
    assert match.score == pytest.approx(hit.score, abs=5e-3)  # the store's are float16
    assert match.query.shape == (GRID, GRID)
    assert len(match.pairs) == len(match.pair_shares) == 5
    assert match.exact == (pooling in ("mean", "foreground"))
    if match.exact:
        assert match.query.sum() == pytest.approx(match.score, abs=1e-6)
        assert match.hit.sum() == pytest.approx(match.score, abs=1e-6)


def test_patches_of_the_collection_are_those_of_largest_cosine(
    store: FeatureStore, photos: list[Path]
) -> None:
    query = features(photos[0])
    sought = unit(query.values[2, 4].astype(np.float64))
    slow = sorted(
        (
            (float(unit(f.values[r, c].astype(np.float64)) @ sought), str(path), r, c)
            for path in photos[1:]
            for f in [features(path)]
            for r in range(GRID)
            for c in range(GRID)
        ),
        reverse=True,
    )
    hits = search_patches(store, query, query.grid.centre(2, 4), k=6, each=GRID * GRID)
    np.testing.assert_allclose([hit.score for hit in hits], [score for score, *_ in slow[:6]], atol=1e-3)
    assert (hits[0].source, hits[0].row, hits[0].col) == slow[0][1:]
    left, _, _, bottom = hits[0].box
    assert left == pytest.approx(hits[0].col / GRID)
    assert bottom == pytest.approx((hits[0].row + 1) / GRID)
    three = [[s for s, path, *_ in slow if path == str(one)][:3] for one in photos[1:]]
    best = sorted((score for scores in three for score in scores), reverse=True)
    some = search_patches(store, query, query.grid.centre(2, 4), k=20, each=3)
    np.testing.assert_allclose([hit.score for hit in some], best[:20], atol=1e-3)
    single = search_patches(store, query, query.grid.centre(2, 4), k=6)
    fitting = search_patches(store, query, query.grid.centre(2, 4), k=N, where="source LIKE '%/b-%'")
    assert {Path(hit.source).name[0] for hit in fitting} == {"b"}
    with pytest.raises(InputError, match="cannot be used"):
        search_patches(store, query, query.grid.centre(2, 4), where="no such column")
    assert len({hit.source for hit in single}) == 6


def test_maps_are_read_in_one_pass_in_batches_of_bounded_size(
    store: FeatureStore, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = features(photos[0])
    at = query.grid.centre(1, 1)
    whole = search_patches(store, query, at, k=9, each=2)
    scans: list[tuple[int, list[int]]] = []
    real = reading.batches

    def counted(path: Path, columns: Sequence[str], **options: Any) -> Iterator[Any]:
        sizes: list[int] = []
        scans.append((options["rows"], sizes))
        for batch in real(path, columns, **options):
            sizes.append(len(batch))
            yield batch

    monkeypatch.setattr(reading, "batches", counted)
    monkeypatch.setattr(reading, "DENSE_BYTES", 2 * dense_bytes(1, query.dim, dense="float16", grid=GRID))
    assert search_patches(store, query, at, k=9, each=2) == whole
    ((rows, sizes),) = scans
    assert rows == 2
    assert sum(sizes) == N
    assert max(sizes) <= 2


def test_patches_of_coded_maps_are_found_too(photos: list[Path], tmp_path: Path) -> None:
    coded = embed(photos, FakeBackbone(), tmp_path / "store", grid=GRID, dense="rank:6")
    query = features(photos[0])
    sought = unit(query.values[3, 2].astype(np.float64))
    table = coded.table()
    best = {
        row.source: float((unit(read_dense(table, row.digest).values.astype(np.float64)) @ sought).max())
        for row in each_row(table)
        if row.source != str(photos[0])
    }
    hits = search_patches(coded, query, query.grid.centre(3, 2), k=N)
    assert {hit.source: hit.score for hit in hits} == pytest.approx(best, abs=1e-6)


def test_patches_are_searched_after_a_suppression_of_the_same_settings(
    store: FeatureStore, photos: list[Path], tmp_path: Path
) -> None:
    query, fitted = features(photos[0]), fit_suppression(store, "background", components=2)
    sought = unit(fitted.apply(query.values[3, 2]))
    best = {
        str(path): float((unit(fitted.apply(features(path).values)) @ sought).max()) for path in photos[1:]
    }
    hits = search_patches(store, query, query.grid.centre(3, 2), k=N, suppression=fitted)
    assert {hit.source: hit.score for hit in hits} == pytest.approx(best, abs=2e-3)
    other = embed(photos, FakeBackbone(), tmp_path / "store", grid=GRID, layer=0)
    with pytest.raises(ProvenanceMismatchError, match="layer"):
        search_patches(store, query, (0.5, 0.5), suppression=fit_suppression(other, "background"))


def test_a_table_without_maps_asks_for_them(photos: list[Path], tmp_path: Path) -> None:
    plain = embed(photos[:3], FakeBackbone(), tmp_path / "store", grid=GRID)
    with pytest.raises(MissingFeaturesError, match="--dense"):
        search_patches(plain, features(photos[0]), (0.5, 0.5))

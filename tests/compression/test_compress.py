"""Small vectors: what they lose, the promise they keep, and that they are searched as any others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dinoscope as ds
from dinoscope.backbones.load import load_backbone
from dinoscope.compression import compress as compress_module
from dinoscope.compression.compress import compress
from dinoscope.compression.sizes import Promise, neighbours, size_of, smallest
from dinoscope.errors import CorruptStoreError, EmptyIndexError, InputError, MissingFeaturesError
from dinoscope.maths.vector_code import VectorCode, fit_components, with_range
from dinoscope.pipeline.embed import embed
from dinoscope.retrieval.search import search
from dinoscope.store.compression import read_compression
from dinoscope.store.digests import COMPRESSION
from dinoscope.store.reading import each_row, pooled_vectors, vector_of
from dinoscope.store.schema import settings_to_json
from dinoscope.store.store import FeatureStore, open_store
from tests.anchoring.small_runs import write_photographs
from tests.command_line import run
from tests.store.small_stores import SETTINGS, fill

MINI = load_backbone("mini")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"), n=50)


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    first = sorted(photos.iterdir())[:44]
    return embed(first, MINI, tmp_path_factory.mktemp("stores") / "whole", grid=4)


def cloud(n: int = 300, dim: int = 24, rank: int = 5) -> np.ndarray:
    """Vectors of a few directions, a little noise, and a mean that all share."""
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, dim))
    return (spread + 0.01 * rng.normal(size=(n, dim)) + 3.0).astype(np.float32)


def code_of(vectors: np.ndarray, *, centred: bool = False) -> VectorCode:
    return with_range(VectorCode(*fit_components(vectors, centred=centred)), vectors)


@pytest.mark.parametrize("centred", [False, True])
def test_components_are_those_of_the_singular_values(centred: bool) -> None:
    vectors = cloud()
    code = code_of(vectors, centred=centred)
    shifted = vectors.astype(np.float64) - (vectors.mean(0, dtype=np.float64) if centred else 0)
    _, _, rows = np.linalg.svd(shifted, full_matrices=False)
    cosines = np.abs((rows[:5] * code.components[:5]).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-6)
    np.testing.assert_allclose(code.components @ code.components.T, np.eye(24), atol=1e-12)
    np.testing.assert_allclose(code.project(vectors) @ code.components, shifted, atol=1e-10)


def test_what_is_kept_is_the_cosine_with_what_the_code_stands_for() -> None:
    vectors = cloud()
    for n, bits in ((3, 16), (6, 8), (24, 16)):
        code = code_of(vectors, centred=True).leading(n, bits)
        codes = code.encode(vectors)
        assert codes.dtype == (np.uint8 if bits == 8 else np.float16) and code.n_bytes == n * bits // 8
        stands = code.decode(codes).astype(np.float64) @ code.components
        shifted = vectors.astype(np.float64) - code.mean
        want = (stands * shifted).sum(1) / np.linalg.norm(stands, axis=1) / np.linalg.norm(shifted, axis=1)
        np.testing.assert_allclose(code.kept(vectors), want, atol=1e-12)
    eight = code_of(vectors)
    assert eight.step is not None
    assert (
        np.abs(eight.decode(eight.encode(vectors)) - eight.project(vectors)) <= 0.51 * eight.step + 2e-2
    ).all()
    assert eight.encode(100 * vectors).max() == 255  # beyond the range: its end


def test_losses_are_those_of_a_slow_search_and_the_smallest_that_keeps_the_promise_is_chosen() -> None:
    vectors, asked = cloud(), np.arange(0, 300, 5)
    learned = np.delete(vectors, asked, axis=0)
    code = code_of(learned)
    truth = neighbours(vectors, asked)
    sizes = [size_of(code.leading(n, bits), vectors, asked, truth) for n in (2, 4, 8) for bits in (8, 16)]

    def nearest(rows: np.ndarray, i: int) -> set[int]:
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        order = np.argsort(-(unit @ unit[i]), kind="stable")
        return set([j for j in order.tolist() if j != i][:10])

    for size in sizes:
        used = code.leading(size.dims, size.bits)
        small = used.decode(used.encode(vectors)).astype(np.float64)
        whole = vectors.astype(np.float64)
        shares = [len(nearest(small, i) & nearest(whole, i)) / 10 for i in asked]
        assert size.recall.mean == pytest.approx(np.mean(shares), abs=0.005)  # ties within rounding
        assert size.worst <= size.cosine.mean
    promise = Promise(cosine=0.999)
    fit = [size for size in sizes if size.cosine.low >= 0.999]
    assert smallest([sizes], promise) == min((s.n_bytes, s.dims, s.bits) for s in fit)[1:] == (8, 8)
    assert smallest([sizes], Promise(cosine=1 - 1e-12)) is None
    poor = [replace(size, cosine=sizes[0].cosine) for size in sizes]
    assert smallest([sizes, poor], promise) is None  # every kind must keep it


def test_a_small_store_is_searched_and_gives_what_the_codes_give(
    store: FeatureStore, photos: Path, tmp_path: Path
) -> None:
    found = compress(store, tmp_path / "small", keep_recall=0.8)
    assert found.chosen is not None and found.store is not None
    dims, bits = found.chosen
    assert next(s for s in found.sizes["mean"] if (s.dims, s.bits) == (dims, bits)).recall.low >= 0.8
    table, whole = found.store.table(), store.table()
    assert len(table) == len(whole) == 44 and table.settings.dim == dims and table.settings.bits == bits
    assert list(each_row(table)) == list(each_row(whole))
    codes = read_compression(table.folder, table.settings)
    for kind in ("mean", "gem", "foreground", "cls"):
        vectors = pooled_vectors(whole, kind)
        want = codes[kind].decode(codes[kind].encode(vectors))
        np.testing.assert_array_equal(pooled_vectors(table, kind), want)
    new = sorted(photos.iterdir())[46]  # never embedded: the model is asked, its vector made small
    features = next(ds.extract(new, MINI, grid=4))
    query = codes["mean"].project(features.values.reshape(1, -1, 128).mean(axis=1))[0]
    small = pooled_vectors(table, "mean").astype(np.float64)
    cosines = small @ query / np.linalg.norm(small, axis=1) / np.linalg.norm(query)
    hits = search(found.store, new, k=5)
    assert [hit.row for hit in hits.hits] == np.argsort(-cosines, kind="stable")[:5].tolist()
    np.testing.assert_allclose([hit.score for hit in hits.hits], np.sort(cosines)[::-1][:5], atol=1e-6)
    old = sorted(photos.iterdir())[3]
    assert search(found.store, old, k=3, suppress="centre").hits
    with pytest.raises(InputError, match="compressed already"):
        compress(found.store)
    again = compress(store, tmp_path / "small", keep_recall=0.8)
    assert again.store is not None and len(again.store.table()) == 44


def test_new_photographs_go_into_a_small_store_as_if_they_had_been_there(
    store: FeatureStore, photos: Path, tmp_path: Path
) -> None:
    found = compress(store, tmp_path / "small", keep_cosine=0.9, centred=True, poolings=("cls", "mean"))
    assert set(found.sizes) == {"cls", "mean"} and found.store is not None
    every = sorted(photos.iterdir())
    grown = embed(every, MINI, tmp_path / "small", grid=4, compressed=True)
    assert grown.chosen == found.store.chosen and len(grown.table()) == 50
    table = grown.table()
    features = next(ds.extract(every[48], MINI, grid=4))
    code = read_compression(table.folder, table.settings)["cls"]
    assert features.cls is not None
    want = code.decode(code.encode(features.cls[None].astype(np.float64)))[0]
    kept = vector_of(table, "cls", features.provenance.image_digest)
    assert kept is not None
    np.testing.assert_allclose(kept, want, atol=float(np.max(code.step)) if code.step is not None else 0.02)
    with pytest.raises(MissingFeaturesError, match="no compressed table"):
        embed(every, MINI, tmp_path / "small", grid=5, compressed=True)
    with pytest.raises(InputError, match="keeps no maps"):
        embed(every, MINI, tmp_path / "small", grid=4, compressed=True, dense="float16")


def test_a_store_that_was_cut_short_is_gone_on_with(
    store: FeatureStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compress_module, "COMMIT_ROWS", 10)
    real, calls = compress_module.small_row, []

    def stop(row: object, table: object) -> object:
        calls.append(row)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return real(row, table)  # type: ignore[arg-type]

    monkeypatch.setattr(compress_module, "small_row", stop)
    with pytest.raises(KeyboardInterrupt):
        compress(store, tmp_path / "small", keep_cosine=0.9)
    assert 0 < len(open_store(tmp_path / "small").table()) < 44
    found = compress(store, tmp_path / "small", keep_cosine=0.9)
    assert found.store is not None and len(found.store.table()) == 44 and len(calls) == 25 + 20


def test_tables_of_before_are_what_they_were() -> None:
    assert "compression" not in settings_to_json(SETTINGS) and "bits" not in settings_to_json(SETTINGS)
    assert SETTINGS.digest != replace(SETTINGS, compression="ab", bits=8).digest


def test_what_cannot_be_compressed(store: FeatureStore, tmp_path: Path) -> None:
    fill(tmp_path / "few", range(20))
    fill(tmp_path / "none", range(0))
    fill(tmp_path / "uncls", range(50), has_cls=False)
    for path, options, error, said in [
        ("few", {}, InputError, "at least 40 photographs, and there are 20"),
        ("none", {}, EmptyIndexError, "no photographs"),
        ("uncls", {"poolings": ("cls",)}, MissingFeaturesError, "no 'cls' vectors"),
        ("uncls", {"poolings": ("max",)}, InputError, "no pooling max"),
        ("uncls", {"keep_cosine": 1.5}, InputError, "between 0 and 1"),
        ("uncls", {"out": tmp_path / "x"}, InputError, "what must the small vectors keep"),
        ("uncls", {"out": tmp_path / "x", "keep_cosine": 1 - 1e-12}, InputError, "no size keeps"),
    ]:
        with pytest.raises(error, match=said):
            compress(open_store(tmp_path / path), **options)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
    small = compress(open_store(tmp_path / "uncls"), tmp_path / "y", keep_cosine=0.5).store
    assert small is not None
    shutil.move(small.table().folder / COMPRESSION, tmp_path / "away")
    with pytest.raises(CorruptStoreError, match=COMPRESSION):
        pooled_vectors(small.table(), "mean")


def test_the_command(
    store: FeatureStore, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compress", store.path) == 0
    printed = capsys.readouterr().out
    assert "mean vectors of mini" in printed and "100.0%" in printed and "fitted on 33 photographs" in printed
    assert "note: toy model (mini)" in printed and "promised" not in printed
    assert run("compress", store.path, "--keep-cosine", str(1 - 1e-12)) == 0
    assert "no size keeps what was promised" in capsys.readouterr().out
    assert run("compress", store.path, "--keep-cosine", "0.9", "-o", tmp_path / "small", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["promised"] == {"cosine": 0.9, "recall": None}
    assert told["chosen"]["bits"] in (8, 16) and told["store"].endswith("small")
    words = ("embed", photos, tmp_path / "small", "--model", "mini", "--grid", 4, "--compressed")
    assert run(*words) == 0 and "50 photographs" in capsys.readouterr().out
    assert run("search", tmp_path / "small", photos / "03.png", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 10
    assert run("search", tmp_path / "small", photos / "03.png", "--why", tmp_path / "why") == 2
    assert "ask the store that it was made from" in capsys.readouterr().err
    assert run("compress", store.path, "-o", tmp_path / "other") == 2
    assert "--keep-cosine" in capsys.readouterr().err

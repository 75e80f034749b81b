from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.results import Failure
from dinoscope.errors import (
    CorruptStoreError,
    InputError,
    MissingExtraError,
    MissingFeaturesError,
    ProvenanceMismatchError,
    SchemaVersionError,
)
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments
from dinoscope.store.dense import DenseCoding, code_map, decode_map, fit_dense_basis
from dinoscope.store.export import write_npz, write_parquet, write_safetensors
from dinoscope.store.lance import LANCE_FORMAT, batches, open_dataset
from dinoscope.store.moments import MomentsSum
from dinoscope.store.reading import (
    each_row,
    patch_statistics,
    pooled_vectors,
    read_dense,
    read_failures,
    rows_at,
    vector_statistics,
)
from dinoscope.store.schema import NewRow, TableSettings, settings_to_json
from dinoscope.store.store import FeatureTable, check_provenance, create_table, open_store
from dinoscope.store.writer import open_writer

DIM = 6
SETTINGS = TableSettings(
    backbone="tests: one/two",
    weights_digest="ab" * 32,
    layer=3,
    final_norm=True,
    dtype="float32",
    resize="bilinear",
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    dim=DIM,
    grid=4,
)


def row(i: int, *, has_cls: bool = True) -> NewRow:
    rng = np.random.default_rng(i)
    values = rng.normal(size=(20, DIM)).astype(np.float32)
    vectors = {name: rng.normal(size=DIM) for name in ("mean", "gem", "foreground")}
    if has_cls:
        vectors["cls"] = rng.normal(size=DIM)
    return NewRow(
        digest=f"{i:064x}"[::-1],
        source=f"/photos/it's {i}.png",
        stamp=f"{i}-{i}",
        grid=PatchGrid(4, 5, 8, (50, 40 + i)),
        vectors=vectors,
        foreground_share=i / 100,
        moments=patch_moments(values),
    )


def filled(
    path: Path, n: int = 10, *, settings: TableSettings = SETTINGS, commit_rows: int = 3, has_cls: bool = True
) -> FeatureTable:
    with open_writer(path, settings, commit_rows=commit_rows) as writer:
        for i in range(n):
            if writer.claim(row(i).digest):
                writer.add(row(i, has_cls=has_cls))
    return open_store(path).table(settings.table_name)


def test_what_goes_in_comes_out_in_order(tmp_path: Path) -> None:
    table = filled(tmp_path / "store")
    assert len(table) == 10
    for name in ("cls", "mean", "gem", "foreground"):
        expected = np.stack([row(i).vectors[name] for i in range(10)]).astype(np.float16)
        np.testing.assert_array_equal(pooled_vectors(table, name), expected)
    stored = list(each_row(table))
    assert [s.digest for s in stored] == [row(i).digest for i in range(10)]
    assert [s.grid for s in stored] == [row(i).grid for i in range(10)]
    assert rows_at(table, [7, 2, 2]) == [stored[7], stored[2], stored[2]]
    assert rows_at(table, []) == []
    assert table.settings == SETTINGS


def test_the_settings_are_the_tables_name(tmp_path: Path) -> None:
    changes = {
        "layer": 2,
        "weights_digest": "",
        "grid": (4, 4),
        "dense": "float16",
        "gem_power": 4.0,
        "dtype": "bfloat16",
    }
    others = [replace(SETTINGS, **{name: value}) for name, value in changes.items()]
    assert len({s.table_name for s in [SETTINGS, *others]}) == 7
    for settings in [SETTINGS, *others]:
        assert create_table(tmp_path / "store", settings).settings == settings
        assert open_store(tmp_path / "store").table(settings.table_name).settings == settings
    assert SETTINGS.table_name.startswith("tests_one_two-")


def test_lance_writes_the_pinned_format(tmp_path: Path) -> None:
    table = filled(tmp_path / "store")
    dataset = open_dataset(table.vectors_path)
    assert dataset.data_storage_version == LANCE_FORMAT == "2.2"
    assert dataset.schema.metadata[b"dinoscope.schema_version"] == b"1"
    assert b"Otsu" in dataset.schema.metadata[b"dinoscope.foreground_rule"]
    assert {r["provenance"] for b in batches(table.vectors_path, ["provenance"]) for r in b.to_pylist()} == {
        SETTINGS.digest
    }


def test_many_commits_become_few_fragments_and_stay_in_order(tmp_path: Path) -> None:
    table = filled(tmp_path / "store", 40, commit_rows=1)
    assert len(open_dataset(table.vectors_path).get_fragments()) == 1
    assert [s.digest for s in each_row(table)] == [row(i).digest for i in range(40)]


def test_a_photograph_is_claimed_once(tmp_path: Path) -> None:
    filled(tmp_path / "store", 3)
    with open_writer(tmp_path / "store", SETTINGS) as writer:
        assert not writer.claim(row(2).digest)
        assert writer.claim(row(3).digest)
        assert not writer.claim(row(3).digest)
        assert writer.knows(row(1).source, row(1).stamp)
        assert not writer.knows(row(1).source, "another time")
        assert not writer.knows(row(1).source, "")


def test_statistics_are_those_of_all_patches_whatever_the_writers(tmp_path: Path) -> None:
    whole = row(0).moments
    for i in range(1, 10):
        whole = merge_moments(whole, row(i).moments)
    one = patch_statistics(filled(tmp_path / "one"))
    for shard in [(0, 2), (1, 2), None]:  # and one who comes later
        with open_writer(tmp_path / "many", SETTINGS, shard=shard, commit_rows=2) as writer:
            for i in range(10):
                if (shard is None or i % 3 == shard[0]) and writer.claim(row(i).digest):
                    writer.add(row(i))
    many = patch_statistics(open_store(tmp_path / "many").table())
    for moments in (one, many):
        assert moments.n == whole.n == 200
        np.testing.assert_allclose(moments.mean, whole.mean, atol=1e-6)
        np.testing.assert_allclose(moments.scatter, whole.scatter, atol=1e-6 * whole.scatter.max())
        np.testing.assert_array_equal(
            np.sort(np.concatenate(moments.keys)), np.sort(np.concatenate(whole.keys))
        )
    vectors = pooled_vectors(open_store(tmp_path / "one").table(), "gem").astype(np.float64)
    pooled = vector_statistics(open_store(tmp_path / "one").table(), "gem")
    assert pooled.n == 10
    np.testing.assert_allclose(pooled.scatter / 9, np.cov(vectors.T), atol=1e-6)


def test_a_row_that_another_shard_overtook_is_in_no_statistics_twice(tmp_path: Path) -> None:
    """Both shards hold rows 0 to 5; the second commits some of them first, and then all of them."""
    first = open_writer(tmp_path / "store", SETTINGS, shard=(0, 2), commit_rows=100)
    second = open_writer(tmp_path / "store", SETTINGS, shard=(1, 2), commit_rows=100)
    with first as slow:
        for step in ([0, 1, 2, 3, 4, 5], [6, 7]):
            for i in step:
                assert slow.claim(row(i).digest)
                slow.add(row(i))
            with second as quick:
                for i in step[1:] if step[0] == 0 else step:
                    assert quick.claim(row(i).digest)
                    quick.add(row(i))
            second = open_writer(tmp_path / "store", SETTINGS, shard=(1, 2), commit_rows=100)
            slow.commit()
    table = open_store(tmp_path / "store").table()
    assert sorted(s.source for s in each_row(table)) == sorted(row(i).source for i in range(8))
    whole = row(0).moments
    for i in range(1, 8):
        whole = merge_moments(whole, row(i).moments)
    kept = patch_statistics(table)
    assert kept.n == 160
    np.testing.assert_allclose(kept.scatter, whole.scatter, atol=1e-9 * whole.scatter.max())
    files = sorted(p.name for p in (table.folder / "moments").iterdir())
    assert files == ["0-of-2.00000000.safetensors", "1-of-2.00000001.safetensors"]


def test_ctrl_c_in_the_middle_of_an_addition_adds_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = MomentsSum.add, []

    def stop_at_fourth(self: MomentsSum, part: PatchMoments) -> None:
        calls.append(part)
        whole(self, part)
        if len(calls) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(MomentsSum, "add", stop_at_fourth)
    with pytest.raises(KeyboardInterrupt):
        filled(tmp_path / "store", 6, commit_rows=100)
    table = open_store(tmp_path / "store").table()
    assert len(table) * 20 == patch_statistics(table).n == 60


def test_a_writer_leaves_one_statistics_file(tmp_path: Path) -> None:
    table = filled(tmp_path / "store")
    assert [p.name for p in (table.folder / "moments").iterdir()] == ["all.00000003.safetensors"]


def test_failures_are_kept_by_source(tmp_path: Path) -> None:
    with open_writer(tmp_path / "store", SETTINGS) as writer:
        writer.fail(Failure("b'b", "first"))
        writer.fail(Failure("a", "no image"))
        writer.commit()
        writer.fail(Failure("b'b", "second"))
    table = open_store(tmp_path / "store").table()
    assert read_failures(table) == [Failure("a", "no image"), Failure("b'b", "second")]
    assert len(table) == 0
    with open_writer(tmp_path / "store", SETTINGS) as writer:
        writer.mend("b'b")
    assert read_failures(table) == [Failure("a", "no image")]


def test_an_empty_table_says_so(tmp_path: Path) -> None:
    table = create_table(tmp_path / "store", SETTINGS)
    assert len(table) == 0
    assert pooled_vectors(table, "mean").shape == (0, DIM)
    assert list(each_row(table)) == []
    for ask in (
        patch_statistics,
        lambda t: vector_statistics(t, "mean"),
        lambda t: write_npz(t, tmp_path / "x.npz"),
    ):
        with pytest.raises(MissingFeaturesError, match="is empty"):
            ask(table)
    with pytest.raises(MissingFeaturesError, match=r"no table 'x'.*; it has tests_one_two"):
        open_store(tmp_path / "store").table("x")


def test_one_of_several_tables_must_be_named(tmp_path: Path) -> None:
    other = replace(SETTINGS, backbone="other")
    for settings in (SETTINGS, replace(SETTINGS, layer=1), other):
        create_table(tmp_path / "store", settings)
    store = open_store(tmp_path / "store")
    assert store.table("other").settings == other
    for name in (None, SETTINGS.backbone):
        with pytest.raises(InputError, match=r"name one of .*tests_one_two-"):
            store.table(name)
    assert open_store(tmp_path / "store", table="other").table().settings == other


def test_a_backbone_without_class_token_has_no_such_vectors(tmp_path: Path) -> None:
    table = filled(tmp_path / "store", has_cls=False)
    assert pooled_vectors(table, "mean").shape == (10, DIM)
    with pytest.raises(MissingFeaturesError, match="no 'cls' vectors"):
        pooled_vectors(table, "cls")
    with pytest.raises(InputError, match="no pooled vectors 'median'"):
        pooled_vectors(table, "median")
    write_npz(table, tmp_path / "x.npz")
    with np.load(tmp_path / "x.npz") as archive:
        assert "cls" not in archive.files


def test_there_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(MissingFeaturesError, match="dinoscope embed SOURCE"):
        open_store(tmp_path / "nothing")
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(InputError, match="other things in it"):
        create_table(tmp_path, SETTINGS)
    with pytest.raises(InputError, match="is a file"):
        create_table(tmp_path / "thesis.txt", SETTINGS)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    table = filled(tmp_path / "store", 2)
    newer = settings_to_json(SETTINGS).replace('"schema_version": 1', '"schema_version": 2')
    (table.folder / "settings.json").write_text(newer)
    with pytest.raises(SchemaVersionError, match=r"schema 2.*upgrade"):
        open_store(tmp_path / "store").table()
    with pytest.raises(SchemaVersionError):
        filled(tmp_path / "store", 5)
    (tmp_path / "store" / "dinoscope-store.json").write_text(json.dumps({"schema_version": 9}))
    with pytest.raises(SchemaVersionError, match="schema 9"):
        open_store(tmp_path / "store")
    (tmp_path / "store" / "dinoscope-store.json").write_text("{")
    with pytest.raises(CorruptStoreError, match="cannot be read"):
        open_store(tmp_path / "store")


@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_damaged_fragment_is_named_and_other_tables_still_read(tmp_path: Path, how: str) -> None:
    table = filled(tmp_path / "store", 30)
    other = filled(tmp_path / "store", 4, settings=replace(SETTINGS, layer=1))
    dataset = open_dataset(table.vectors_path)
    (file,) = dataset.get_fragments()[0].data_files()
    path = table.vectors_path / "data" / file.path
    if how == "cut":
        path.write_bytes(path.read_bytes()[:500])
    else:
        path.unlink()
    with pytest.raises(CorruptStoreError, match=r"vectors\.lance.*put it back from a copy"):
        pooled_vectors(table, "mean")
    with pytest.raises(CorruptStoreError):
        filled(tmp_path / "store", 40)
    assert len(pooled_vectors(other, "mean")) == 4


def test_lost_statistics_are_told(tmp_path: Path) -> None:
    table = filled(tmp_path / "store")
    next((table.folder / "moments").iterdir()).unlink()
    with pytest.raises(CorruptStoreError, match="statistics file"):
        patch_statistics(table)
    with pytest.raises(CorruptStoreError, match="statistics file"):
        filled(tmp_path / "store", 12)
    assert len(table) == 10


def test_features_of_other_settings_are_refused(tmp_path: Path) -> None:
    table = create_table(tmp_path / "store", SETTINGS)
    fitting = SETTINGS.provenance("a.png", "00")
    check_provenance(table, fitting)
    for name, value in {"layer": 2, "backbone": "other", "dtype": "float16", "final_norm": False}.items():
        with pytest.raises(ProvenanceMismatchError, match=f"{name}: .* in the table, {value!r} given"):
            check_provenance(table, replace(fitting, **{name: value}))
    theirs = PatchFeatures.from_array(np.ones((2, 2, DIM)), image_size=(8, 8))
    with pytest.raises(ProvenanceMismatchError, match="backbone"):
        check_provenance(table, theirs.provenance)


def test_exports_hold_the_same_vectors(tmp_path: Path) -> None:
    table = filled(tmp_path / "store")
    write_parquet(table, tmp_path / "x.parquet")
    write_safetensors(table, tmp_path / "x.safetensors")
    write_npz(table, tmp_path / "x.npz")
    parquet = pq.read_table(tmp_path / "x.parquet")
    digests = [row(i).digest for i in range(10)]
    assert parquet.column("digest").to_pylist() == digests
    settings = json.loads(parquet.schema.metadata[b"dinoscope.settings"])
    assert settings["layer"] == 3
    with np.load(tmp_path / "x.npz") as archive, safe_open(tmp_path / "x.safetensors", "numpy") as file:
        assert json.loads(str(archive["settings"])) == json.loads(file.metadata()["settings"]) == settings
        assert archive["digest"].tolist() == json.loads(file.metadata()["digest"]) == digests
        assert archive["source"].tolist() == json.loads(file.metadata()["source"])
        assert archive["h"].tolist() == [4] * 10
        for name in ("cls", "mean", "gem", "foreground"):
            vectors = pooled_vectors(table, name)
            np.testing.assert_array_equal(archive[name], vectors)
            np.testing.assert_array_equal(file.get_tensor(name), vectors)
            np.testing.assert_array_equal(np.array(parquet.column(name).to_pylist(), np.float16), vectors)


def test_a_table_without_maps_says_how_to_have_them(tmp_path: Path) -> None:
    with pytest.raises(MissingFeaturesError, match="--dense"):
        read_dense(filled(tmp_path / "store"), row(0).digest)
    dense = create_table(tmp_path / "store", replace(SETTINGS, dense="float16"))
    with pytest.raises(MissingFeaturesError, match="no photograph with the digest"):
        read_dense(dense, "00")


def test_a_coded_map_is_exact_but_for_the_rank_and_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(50, DIM)).astype(np.float32)
    basis = fit_dense_basis(patch_moments(values), DIM)
    coded = code_map(values, basis)
    scores = (decode_map(coded, basis) - values) @ basis.components.T
    assert (np.abs(scores) <= coded.step / 2 + 1e-5).all()
    lost = ((decode_map(coded, basis) - values) ** 2).sum() / ((values - values.mean(0)) ** 2).sum()
    assert coded.error == pytest.approx(lost, rel=1e-3)
    flat = code_map(np.ones((5, DIM), np.float32), basis)
    assert np.isfinite(decode_map(flat, basis)).all()


@pytest.mark.parametrize("words", ["int8", "rank:0", "rank:-3", "rank:x", ""])
def test_unknown_codings_are_refused(words: str) -> None:
    with pytest.raises(InputError, match="float16 or rank:D"):
        DenseCoding.from_words(words)


def test_without_lance_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "store")
    monkeypatch.setitem(sys.modules, "lance", None)
    for ask in (lambda: open_store(tmp_path / "store"), lambda: create_table(tmp_path / "new", SETTINGS)):
        with pytest.raises(MissingExtraError, match=r"pip install 'dinoscope\[store\]'"):
            ask()
    assert not (tmp_path / "new").exists()

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from threadpoolctl import threadpool_info, threadpool_limits  # type: ignore[import-untyped]

from dinoscope.data.results import Failure
from dinoscope.data.spec import WeightsOrigin
from dinoscope.errors import InputError, LayerError, StoreInUseError
from dinoscope.io.images import read_photograph
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.pooling import gem_pool, mean_pool, own_foreground, weighted_pool
from dinoscope.pipeline.embed import embed, in_shard, table_settings
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.profile import profiled
from dinoscope.pipeline.run import Run
from dinoscope.store.dense import dense_bytes
from dinoscope.store.lance import batches, open_dataset
from dinoscope.store.locks import writing
from dinoscope.store.reading import each_row, patch_statistics, pooled_vectors, read_dense, read_failures
from dinoscope.store.store import FeatureTable, open_store
from tests.fakes import FakeBackbone
from tests.pipeline.killed_embed import processes, run

SMALL: dict[str, Any] = {"grid": 6, "commit_rows": 4}


def write_photographs(folder: Path, n: int, *, seed: int = 0) -> list[Path]:
    rng = np.random.default_rng(seed)
    paths = []
    for i in range(n):
        path = folder / f"{'abc'[i % 3]}" / f"{i:03d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = rng.integers(0, 255, (6, 8 + i % 3, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((64 + 8 * (i % 3), 48), Image.Resampling.BICUBIC).save(path)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 photographs, one of them twice, and two files that are none."""
    folder = tmp_path_factory.mktemp("photos")
    paths = write_photographs(folder, 30)
    (folder / "c" / "copy.png").write_bytes(paths[3].read_bytes())
    (folder / "a" / "broken.jpg").write_bytes(paths[0].read_bytes()[:200])
    (folder / "b" / "empty.png").touch()
    return folder


@pytest.fixture(scope="module")
def uninterrupted(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    return embed(photos, FakeBackbone(), tmp_path_factory.mktemp("whole") / "store", **SMALL).table()


def all_rows(table: FeatureTable) -> list[dict[str, Any]]:
    columns = [n for n in open_dataset(table.vectors_path).schema.names if n != "batch"]
    return [row for batch in batches(table.vectors_path, columns) for row in batch.to_pylist()]


def same_store(one: FeatureTable, other: FeatureTable) -> None:
    assert all_rows(one) == all_rows(other)
    assert read_failures(one) == read_failures(other)
    left, right = patch_statistics(one), patch_statistics(other)
    assert left.n == right.n
    np.testing.assert_array_equal(left.scatter, right.scatter)
    np.testing.assert_array_equal(left.sample, right.sample)
    assert one.settings == other.settings


def test_each_photograph_is_one_row_and_each_bad_file_one_error(
    photos: Path, uninterrupted: FeatureTable
) -> None:
    rows = list(each_row(uninterrupted))
    assert len(rows) == len({row.digest for row in rows}) == 30
    assert [row.source for row in rows] == sorted(row.source for row in rows)
    assert {Path(f.source).name for f in read_failures(uninterrupted)} == {"broken.jpg", "empty.png"}
    assert rows[0].digest == read_photograph(rows[0].source).digest
    assert rows[0].grid.image_size == read_photograph(rows[0].source).size


def test_vectors_are_those_of_extract(uninterrupted: FeatureTable) -> None:
    sources = [row.source for row in each_row(uninterrupted)]
    features = list(extract(sources, FakeBackbone(), grid=6))
    flat = [f.values.reshape(-1, f.dim) for f in features]
    masks = [own_foreground(f).ravel().astype(float) for f in features]
    expected = {
        "cls": [f.cls for f in features],
        "mean": [mean_pool(x) for x in flat],
        "gem": [gem_pool(x) for x in flat],
        "foreground": [weighted_pool(x, m) for x, m in zip(flat, masks, strict=True)],
    }
    for name, vectors in expected.items():
        np.testing.assert_array_equal(
            pooled_vectors(uninterrupted, name),
            np.stack([v for v in vectors if v is not None]).astype(np.float16),
        )
    shares = [row.foreground_share for row in each_row(uninterrupted)]
    np.testing.assert_allclose(shares, [m.mean() for m in masks], rtol=1e-6)
    assert 0 < np.mean(shares) < 1
    whole = patch_moments(np.concatenate(flat))
    kept = patch_statistics(uninterrupted)
    assert kept.n == whole.n
    np.testing.assert_allclose(kept.mean, whole.mean, atol=1e-6)
    np.testing.assert_allclose(kept.scatter, whole.scatter, rtol=0, atol=1e-6 * np.abs(whole.scatter).max())
    ((kept_keys,), (keys,)) = kept.keys, whole.keys
    np.testing.assert_array_equal(np.sort(kept_keys), np.sort(keys)[: len(kept_keys)])


def test_the_same_call_again_computes_nothing(photos: Path, tmp_path: Path) -> None:
    first, second, seen = FakeBackbone(), FakeBackbone(), []
    embed(photos, first, tmp_path / "store", **SMALL)
    table = embed(photos, second, tmp_path / "store", **SMALL, on_progress=seen.append).table()
    assert sum(first.batches) == len(table) == 30
    assert second.batches == []
    assert seen == list(range(1, 34))


def test_what_is_new_is_computed_and_what_moved_is_not(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photos", 6)
    embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL)
    (tmp_path / "photos").rename(tmp_path / "moved")
    write_photographs(tmp_path / "moved" / "new", 2, seed=1)
    again = FakeBackbone()
    table = embed(tmp_path / "moved", again, tmp_path / "store", **SMALL).table()
    assert sum(again.batches) == 2
    assert len(table) == 8


def test_a_changed_file_of_the_same_name_is_another_photograph(tmp_path: Path) -> None:
    first, *_ = write_photographs(tmp_path / "photos", 3)
    embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL)
    Image.new("RGB", (64, 48), "red").save(first)
    table = embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL).table()
    assert sorted(row.source == str(first) for row in each_row(table)) == [False, False, True, True]


def test_another_backbone_or_setting_adds_a_table_and_leaves_the_first(photos: Path, tmp_path: Path) -> None:
    photos = photos / "a"
    store = embed(photos, FakeBackbone(), tmp_path / "store", **SMALL)
    first = store.table()
    before = {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()}
    for backbone, options in [
        (FakeBackbone(name="other", dim=5), {}),
        (FakeBackbone(), {"layer": 0}),
        (FakeBackbone(), {"grid": 5}),
        (FakeBackbone(), {"final_norm": False}),
        (FakeBackbone(), {"resize": "bicubic"}),
        (FakeBackbone(), {"dense": "float16"}),
    ]:
        other = embed(photos, backbone, tmp_path / "store", **(SMALL | options))
        assert other.table().name != first.name
        assert len(other.table()) == len(first) == 10
    assert len(store.tables) == 7
    assert before == {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()}


def test_a_photograph_that_was_mended_leaves_the_errors(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "photos", 6)
    good = paths[2].read_bytes()
    paths[2].write_bytes(good[:100])
    heard: list[Failure] = []
    table = embed(
        tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL, on_failure=heard.append
    ).table()
    assert read_failures(table) == heard
    assert [f.source for f in heard] == [str(paths[2])]
    embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL)
    assert read_failures(table) == heard
    paths[2].write_bytes(good)
    embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **SMALL)
    assert read_failures(table) == []
    assert len(table) == 6


def test_features_that_are_no_numbers_become_errors(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "photos", 3)
    table = embed(paths, FakeBackbone(nan=True), tmp_path / "store", **SMALL).table()
    assert len(table) == 0
    assert [f.source for f in read_failures(table)] == sorted(map(str, paths))
    assert all("NaN" in f.reason for f in read_failures(table))


def test_arrays_and_pictures_in_memory_are_a_source_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(3)]
    table = embed([*arrays, arrays[1]], FakeBackbone(), tmp_path / "store", **SMALL).table()
    assert [row.source for row in each_row(table)] == ["image 0", "image 1", "image 2"]


def test_maps_in_float16_are_the_features(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "photos", 5)
    table = embed(paths, FakeBackbone(), tmp_path / "store", **SMALL, dense="float16").table()
    for f in extract(paths, FakeBackbone(), grid=6):
        kept = read_dense(table, f.provenance.image_digest)
        np.testing.assert_array_equal(kept.values, f.values.astype(np.float16).astype(np.float32))
        assert kept.grid == f.grid
        assert kept.provenance == f.provenance


def test_maps_of_few_components_state_their_error(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "photos", 9)
    errors = {}
    for rank in (2, 6, 12):
        table = embed(paths, FakeBackbone(), tmp_path / "store", **SMALL, dense=f"rank:{rank}").table()
        stated = {
            row["digest"]: row["dense_error"]
            for batch in batches(table.vectors_path, ["digest", "dense_error"])
            for row in batch.to_pylist()
        }
        first_batch = patch_moments(
            np.concatenate([f.values.reshape(-1, 12) for f in extract(paths[:4], FakeBackbone(), grid=6)])
        )
        for f in extract(paths, FakeBackbone(), grid=6):
            kept = read_dense(table, f.provenance.image_digest).values
            true = ((kept - f.values) ** 2).sum() / ((f.values - first_batch.mean) ** 2).sum()
            assert stated[f.provenance.image_digest] == pytest.approx(true, rel=1e-3)
        errors[rank] = np.mean(list(stated.values()))
    assert errors[2] > errors[6]
    assert errors[12] < 1e-4  # the fake has six dimensions: eight bits are all that is lost


def test_the_size_of_maps_is_told_beforehand() -> None:
    assert dense_bytes(10_000_000, 384, dense="float16", grid=(32, 32)) == 10_000_000 * 32 * 32 * 384 * 2
    assert dense_bytes(10, 384, dense="rank:64", grid=32, aspect=1.5) == 10 * (32 * 48 * 64 + 64 * 8)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"grid": 0}, InputError, "at least 1 patch"),
        ({"layer": 7}, LayerError, "no layer 7: layers of fake are numbered 0 to 1"),
        ({"dense": "int4"}, InputError, "rank:D"),
        ({"dense": "rank:13"}, InputError, "13 components of 12"),
        ({"shard": (2, 2)}, InputError, "0 <= i < n"),
        ({"commit_rows": 0}, InputError, "commit_rows"),
        ({"batch_size": 0}, InputError, "batch_size"),
    ],
)
def test_impossible_arguments_are_refused(
    photos: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        embed(photos, FakeBackbone(), tmp_path / "store", **(SMALL | options))


def test_shards_cover_everything_once_and_agree_with_one_run(
    photos: Path, uninterrupted: FeatureTable, tmp_path: Path
) -> None:
    parts = [FakeBackbone() for _ in range(3)]
    for i, part in enumerate(parts):
        table = embed(photos, part, tmp_path / "store", **SMALL, shard=(i, 3)).table()
    assert all(0 < sum(part.batches) < 30 for part in parts)
    assert sum(sum(part.batches) for part in parts) == 30
    key = "digest"
    drop = ("session", "source", "stamp")  # of the photograph that is there twice, either may come first
    ours, theirs = (
        {row[key]: {k: v for k, v in row.items() if k not in drop} for row in all_rows(t)}
        for t in (table, uninterrupted)
    )
    assert ours == theirs
    assert len(all_rows(table)) == 30
    assert patch_statistics(table).n == patch_statistics(uninterrupted).n
    scatter = patch_statistics(uninterrupted).scatter
    np.testing.assert_allclose(
        patch_statistics(table).scatter, scatter, rtol=0, atol=1e-6 * np.abs(scatter).max()
    )


def test_random_weights_of_another_seed_are_another_table() -> None:
    class Seeded(FakeBackbone):
        @property
        def origin(self) -> WeightsOrigin:
            return WeightsOrigin(source="random weights, seed 1")

    assert table_settings(Seeded(), Run()).table_name != table_settings(FakeBackbone(), Run()).table_name


def test_every_photograph_belongs_to_exactly_one_shard() -> None:
    counts = [sum(in_shard(f"{k}.jpg", (i, 4)) for k in range(2000)) for i in range(4)]
    assert sum(counts) == 2000
    assert min(counts) > 400
    assert all(sum(in_shard(f"{k}.jpg", (i, 4)) for i in range(4)) == 1 for k in range(50))


def test_shards_at_the_same_time_never_double_a_photograph(tmp_path: Path) -> None:
    """The same 12 contents under names that fall into both shards."""
    paths = write_photographs(tmp_path / "photos" / "one", 12)
    for path in paths:
        twin = tmp_path / "photos" / "two" / path.name
        twin.parent.mkdir(exist_ok=True)
        twin.write_bytes(path.read_bytes())
    running = [
        processes().Process(
            target=run,
            args=(str(tmp_path / "photos"), str(tmp_path / "store")),
            kwargs={"seconds": 0.02, "shard": (i, 2), "grid": 6, "commit_rows": 2},
        )
        for i in range(2)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join(300)
        assert process.exitcode == 0
    table = open_store(tmp_path / "store").table()
    digests = [row.digest for row in each_row(table)]
    assert len(digests) == len(set(digests)) == 12
    alone = embed(paths, FakeBackbone(), tmp_path / "alone", **SMALL).table()
    assert patch_statistics(table).n == patch_statistics(alone).n


def killed(photos: Path, store: Path, after_s: float | None, **options: Any) -> bool:
    """Whether the process was still at work when it was killed: some time after its first commit, or
    by itself.
    """
    if after_s is not None:
        options = {"die_in": ("append", 0), "die_after_s": after_s} | options
    process = processes().Process(target=run, args=(str(photos), str(store)), kwargs=SMALL | options)
    process.start()
    process.join(300)
    process.kill()
    process.join(300)
    return process.exitcode == -signal.SIGKILL


def test_killed_at_random_moments_the_store_ends_as_if_nothing_had_happened(
    photos: Path, uninterrupted: FeatureTable, tmp_path: Path
) -> None:
    store, moments = tmp_path / "store", random.Random(5)
    committed, kills = [0], 0
    for _ in range(5):
        kills += killed(photos, store, moments.uniform(0.0, 0.3), seconds=0.1, batch_size=1, commit_rows=2)
        committed.append(len(open_store(store).table()))
    assert kills >= 3
    assert committed == sorted(committed)
    assert 0 < committed[1] < 30
    before = committed[-1]
    last = FakeBackbone()
    table = embed(photos, last, store, **SMALL).table()
    assert sum(last.batches) == 30 - before
    same_store(table, uninterrupted)


@pytest.mark.parametrize(
    ("step", "survived"),
    [("write_moments", 0), ("write_moments", 3), ("append", 0), ("append", 2), ("upsert", 0), ("tidy", 0)],
)
def test_killed_between_two_steps_of_a_commit_nothing_is_lost_or_doubled(
    photos: Path, uninterrupted: FeatureTable, tmp_path: Path, step: str, survived: int
) -> None:
    assert killed(photos, tmp_path / "store", None, die_in=(step, survived))
    same_store(embed(photos, FakeBackbone(), tmp_path / "store", **SMALL).table(), uninterrupted)


@pytest.mark.parametrize(("dense", "largest"), [(None, 1000), ("float16", 30_000)])
def test_on_a_full_disk_the_committed_part_stays(tmp_path: Path, dense: str | None, largest: int) -> None:
    """In one case the statistics no longer fit, in the other the rows themselves."""
    paths = write_photographs(tmp_path / "photos", 8)
    options = {"grid": 16, "commit_rows": 4, "dense": dense}
    table = embed(tmp_path / "photos" / "a", FakeBackbone(), tmp_path / "store", **options).table()
    before = all_rows(table)
    process = processes().Process(
        target=run,
        args=(str(tmp_path / "photos"), str(tmp_path / "store")),
        kwargs={"largest_file_bytes": largest, "report": str(tmp_path / "words"), **options},
    )
    process.start()
    process.join(300)
    assert "everything committed before is intact" in (tmp_path / "words").read_text()
    assert all_rows(table) == before
    assert len(before) == 3
    embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", **options)
    assert {row["source"] for row in all_rows(table)} == set(map(str, paths))
    assert len(table) == 8
    assert patch_statistics(table).n == sum(row.grid.n for row in each_row(table))


def test_ctrl_c_commits_what_is_computed(photos: Path, tmp_path: Path) -> None:
    def stop(done: int) -> None:
        if done == 10:
            raise KeyboardInterrupt

    first, rest = FakeBackbone(), FakeBackbone()
    with pytest.raises(KeyboardInterrupt):
        embed(photos, first, tmp_path / "store", **SMALL, batch_size=1, on_progress=stop)
    embed(photos, rest, tmp_path / "store", **SMALL)
    assert sum(first.batches) + sum(rest.batches) == 30


def test_ctrl_c_in_the_middle_of_a_commit_doubles_nothing(
    photos: Path, uninterrupted: FeatureTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dinoscope.store.writer.remove_other_moments", stop)
        with pytest.raises(KeyboardInterrupt):
            embed(photos, FakeBackbone(), tmp_path / "store", **SMALL)
    assert len(open_store(tmp_path / "store").table()) == 4
    same_store(embed(photos, FakeBackbone(), tmp_path / "store", **SMALL).table(), uninterrupted)


def test_a_second_writer_is_refused_by_name_and_a_dead_one_does_not_count(
    photos: Path, tmp_path: Path
) -> None:
    process = processes().Process(
        target=run,
        args=(str(photos), str(tmp_path / "store")),
        kwargs={"seconds": 3600.0, "quick": 4, "batch_size": 1, **SMALL},
    )
    process.start()
    folder = tmp_path / "store" / "tables" / table_settings(FakeBackbone(), Run(6)).table_name
    try:
        until = time.monotonic() + 300
        while not (folder / "vectors.lance" / "_versions").exists() and time.monotonic() < until:
            time.sleep(0.02)
        with pytest.raises(StoreInUseError, match=f"process {process.pid} on ") as refused:
            embed(photos, FakeBackbone(), tmp_path / "store", **SMALL)
        assert "run the same command again" in str(refused.value)
        with pytest.raises(StoreInUseError, match=f"process {process.pid} on "):
            embed(photos, FakeBackbone(), tmp_path / "store", **SMALL, shard=(0, 2))
        assert len(embed(photos, FakeBackbone(name="other"), tmp_path / "store", **SMALL).table()) == 30
    finally:
        process.kill()
        process.join(300)
    assert len(embed(photos, FakeBackbone(), tmp_path / "store", **SMALL).table("fake")) == 30


def test_a_shard_excludes_itself_and_a_writer_of_everything(tmp_path: Path) -> None:
    with writing(tmp_path, (0, 2)), writing(tmp_path, (1, 2)):
        with pytest.raises(StoreInUseError, match="shard 0-of-2"), writing(tmp_path, (0, 2)):
            pass
        with pytest.raises(StoreInUseError) as refused, writing(tmp_path, None):
            pass
        assert len(refused.value.holders) == 2
    with writing(tmp_path, None):
        pass


def test_a_profile_counts_reading_and_writing(photos: Path, tmp_path: Path) -> None:
    with profiled() as watch:
        embed(photos, FakeBackbone(), tmp_path / "store", **SMALL)
    found = watch.profile()
    assert set(found.blocking_s) == {"decode", "model", "copy", "transfer", "write"}
    assert min(found.blocking_s[stage] for stage in ("decode", "model", "write")) > 0


def test_numpys_threads_keep_away_from_the_models(photos: Path, tmp_path: Path) -> None:
    seen: list[set[int]] = []

    def look(_: int) -> None:
        seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})

    with threadpool_limits(2, user_api="blas"):
        look(0)
        embed(photos, FakeBackbone(), tmp_path / "store", on_progress=look, **SMALL)
        look(0)
    assert seen[0] == seen[-1] == {2}
    assert set.union(*seen[1:-1]) == {1}

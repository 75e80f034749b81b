from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError, InputError, MissingExtraError
from dinoscope.pipeline.embed import embed
from dinoscope.pipeline.embed_ray import _start, embed_with_ray
from dinoscope.pipeline.ray_workers import RayOptions
from dinoscope.pipeline.run import Run
from dinoscope.store.locks import writing
from dinoscope.store.reading import patch_statistics, read_failures
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureTable, open_store
from tests.fakes import FakeBackbone
from tests.pipeline.ray_backbones import MarkedBackbone
from tests.pipeline.test_embed import SMALL, all_rows, write_photographs

N = 24
RUN = Run(SMALL["grid"], batch_size=1)  # so that a pass is a photograph
TWO = RayOptions(commit_rows=SMALL["commit_rows"])


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    import ray as module

    _start(module, RayOptions(workers=3))  # 4 processors, whatever there are
    yield module
    module.shutdown()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 photographs, one of them twice, and one file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    paths = write_photographs(folder, N)
    (folder / "c" / "copy.png").write_bytes(paths[3].read_bytes())
    (folder / "a" / "broken.jpg").write_bytes(paths[0].read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def local(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    return embed(photos, FakeBackbone(), tmp_path_factory.mktemp("local") / "store", **SMALL).table()


def same_rows(ours: FeatureTable, theirs: FeatureTable) -> None:
    """Rows in any order, vectors within one step of float16; the errors; the moments of all patches."""
    left, right = ({row["digest"]: row for row in all_rows(table)} for table in (ours, theirs))
    assert len(all_rows(ours)) == len(left)
    assert left.keys() == right.keys()
    for digest, row in left.items():
        for name, value in row.items():
            if name in POOLED:
                assert worst_step(value, right[digest][name]) <= 1
            elif name not in ("session", "source", "stamp"):  # either twin may come first
                assert value == right[digest][name]
    assert read_failures(ours) == read_failures(theirs)
    one, other = patch_statistics(ours), patch_statistics(theirs)
    assert one.n == other.n
    np.testing.assert_allclose(one.mean, other.mean, rtol=0, atol=1e-6 * np.abs(other.mean).max())
    np.testing.assert_allclose(one.scatter, other.scatter, rtol=0, atol=1e-6 * np.abs(other.scatter).max())


def worst_step(ours: list[float], theirs: list[float]) -> float:
    """The largest difference, in float16 steps at that value."""
    a, b = np.array(ours, np.float16), np.array(theirs, np.float16)
    return float((np.abs(a.astype(float) - b.astype(float)) / np.spacing(np.abs(b)).astype(float)).max())


def passes(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_the_store_is_that_of_the_local_engine(
    ray: Any, photos: Path, local: FeatureTable, tmp_path: Path
) -> None:
    done: list[int] = []
    failures: list[Failure] = []
    table = embed_with_ray(
        photos,
        FakeBackbone(),
        tmp_path / "store",
        RUN,
        TWO,
        on_progress=done.append,
        on_failure=failures.append,
    ).table()
    same_rows(table, local)
    assert done == list(range(1, N + 3))
    assert [Path(f.source).name for f in failures] == ["broken.jpg"]
    again = FakeBackbone()
    embed(photos, again, tmp_path / "store", **SMALL)
    assert again.batches == []
    assert len(table) == N
    with writing(table.folder, None):  # nobody is left
        pass


def test_what_is_in_the_table_is_not_computed_again(ray: Any, photos: Path, tmp_path: Path) -> None:
    embed(photos / "a", FakeBackbone(), tmp_path / "store", **SMALL)
    marks = tmp_path / "marks"
    table = embed_with_ray(photos, MarkedBackbone(marks=str(marks)), tmp_path / "store", RUN, TWO).table()
    assert passes(marks) == N - N // 3
    assert len(table) == N
    embed_with_ray(photos, MarkedBackbone(marks=str(marks)), tmp_path / "store", RUN, TWO)
    assert passes(marks) == N - N // 3


def test_a_worker_killed_in_the_middle_of_a_batch_is_replaced(
    ray: Any, photos: Path, local: FeatureTable, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    backbone = MarkedBackbone(marks=str(marks), dies_at=(6, 15))
    options = replace(TWO, parts=2)
    table = embed_with_ray(photos, backbone, tmp_path / "store", RUN, options).table()
    same_rows(table, local)
    assert len(set(marks.read_text().split())) >= 3  # two died, and somebody went on
    assert N + 2 <= passes(marks) <= N + 2 * SMALL["commit_rows"] + 2


def test_an_error_that_passes_is_tried_again(
    ray: Any, photos: Path, local: FeatureTable, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    backbone = MarkedBackbone(marks=str(marks), fails_at=(7,))
    table = embed_with_ray(photos, backbone, tmp_path / "store", RUN, TWO).table()
    same_rows(table, local)
    assert passes(marks) > N


def test_workers_that_always_die_end_the_run_with_words(ray: Any, photos: Path, tmp_path: Path) -> None:
    backbone = MarkedBackbone(marks=str(tmp_path / "marks"), dies_at=tuple(range(6, 100)))
    options = replace(TWO, workers=1, parts=1, max_restarts=1)
    with pytest.raises(DinoscopeError, match=r"workers died \(given up after 2 starts"):
        embed_with_ray(photos, backbone, tmp_path / "store", RUN, options)
    assert len(open_store(tmp_path / "store").table()) == SMALL["commit_rows"]
    whole = embed(photos, FakeBackbone(), tmp_path / "store", **SMALL).table()
    assert len(whole) == N


def test_an_error_that_stays_comes_back_in_its_own_words(ray: Any, photos: Path, tmp_path: Path) -> None:
    backbone = MarkedBackbone(marks=str(tmp_path / "marks"), fails_at=tuple(range(6, 100)))
    options = replace(TWO, workers=1, parts=1, max_restarts=2)
    with pytest.raises(OSError, match=r"gone away \(given up after 3 starts"):
        embed_with_ray(photos, backbone, tmp_path / "store", RUN, options)
    assert len(open_store(tmp_path / "store").table()) == SMALL["commit_rows"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_lance_ray_reads_the_table(ray: Any, local: FeatureTable) -> None:
    import lance_ray

    rows = lance_ray.read_lance(str(local.vectors_path), columns=["digest", "mean"]).take_all()
    expected = {row["digest"]: row["mean"] for row in all_rows(local)}
    assert {row["digest"] for row in rows} == expected.keys()
    for row in rows:
        np.testing.assert_array_equal(np.asarray(row["mean"], np.float16), expected[row["digest"]])


def test_a_cluster_that_is_too_small_is_refused(ray: Any, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"need 9\.5 CPU, the cluster has 4"):
        embed_with_ray(photos, FakeBackbone(), tmp_path / "store", RUN, RayOptions(workers=9))


def test_a_backbone_that_cannot_be_sent_is_refused(ray: Any, photos: Path, tmp_path: Path) -> None:
    backbone = FakeBackbone()
    backbone.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="fake cannot be sent to other processes"):
        embed_with_ray(photos, backbone, tmp_path / "store", RUN, TWO)


def test_without_ray_the_extra_is_named(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"dinoscope\[ray\]"):
        embed_with_ray(photos, FakeBackbone(), tmp_path / "store", RUN, TWO)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"workers": 0},
        {"parts": 0},
        {"max_restarts": -1},
        {"gpus_per_worker": -0.5},
        {"cpus_per_worker": 0.0},
        {"cpus_per_reader": 0.0},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Ray needs"):
        RayOptions(**options)


def test_the_defaults_keep_one_reader_at_work() -> None:
    options = RayOptions(workers=3)
    assert options.n_parts == 24
    assert math.isclose(options.cpus, 3.5)


def test_batches_without_photographs_are_refused() -> None:
    with pytest.raises(InputError, match="commit_rows"):
        RayOptions(commit_rows=0)

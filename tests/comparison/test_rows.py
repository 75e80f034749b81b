"""Rows made in threads are those made one by one, in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest

from dinoscope.comparison import rows as rows_module
from dinoscope.comparison.row import Job, Row, row_of
from dinoscope.comparison.rows import rows_of
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline.extract import extract
from tests.fakes import FakeBackbone

N = 24


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (48, 48, 3), dtype=np.uint8) for _ in range(N)]
    found = []
    for i, image in enumerate(images):
        photograph = photograph_from_array(image, name=f"{i}.png")
        models = [FakeBackbone("a"), FakeBackbone("b")]
        features = [next(extract(photograph, model, grid=6)) for model in models]
        found.append(Job(photograph, features, None, [{"passes": float(i)}]))
    return found


def same(a: Row, b: Row) -> None:
    assert (a.image, a.digest) == (b.image, b.digest)
    np.testing.assert_equal(dict(a.values), dict(b.values))
    np.testing.assert_equal(dict(a.curves), dict(b.curves))


@pytest.mark.parametrize("large", [False, True])
def test_rows_are_those_made_one_by_one(
    jobs: list[Job], large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set()

    def noted(*args: object, **options: object) -> Row:
        threads.add(threading.current_thread().name.split("_")[0])
        return row_of(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(rows_module, "row_of", noted)
    if large:
        monkeypatch.setattr(rows_module, "LARGE_MAP_BYTES", 0)
    found = list(rows_of(iter(jobs), masked=False, n_models=2))
    assert threads == {"MainThread" if large else "dinoscope-measure"}
    assert [row.image for row in found] == [f"{i}.png" for i in range(N)]
    for row, job in zip(found, jobs, strict=True):
        same(row, row_of(job, n_models=2))


def test_no_more_than_a_window_is_taken_ahead(jobs: list[Job], monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    taken = []

    def held(*args: object, **options: object) -> Row:
        go.wait(300)
        return row_of(*args, **options)  # type: ignore[arg-type]

    def counted() -> Iterator[Job]:
        for job in jobs:
            taken.append(job)
            if len(taken) == rows_module.WINDOW + 3:
                go.set()
            yield job

    monkeypatch.setattr(rows_module, "row_of", held)
    monkeypatch.setattr(rows_module, "worker_count", lambda: 2)
    with closing(rows_of(counted(), masked=False, n_models=2)) as rows:
        next(rows)
        assert len(taken) == rows_module.WINDOW + 3


def test_what_goes_wrong_is_raised_and_no_thread_stays(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*args: object, **options: object) -> Row:
        raise InputError("not this one")

    monkeypatch.setattr(rows_module, "row_of", wrong)
    with pytest.raises(InputError, match="not this one"):
        list(rows_of(iter(jobs), masked=False, n_models=2))
    assert not [t for t in threading.enumerate() if t.name.startswith("dinoscope-measure")]

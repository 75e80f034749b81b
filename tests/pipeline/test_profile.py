from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dinoscope.data.photograph import Photograph
from dinoscope.pipeline import photographs
from dinoscope.pipeline import profile as profiles
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.profile import (
    Profile,
    Stopwatch,
    current_stopwatch,
    profile_text,
    profile_told,
    profiled,
    timed,
    waited,
)
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.together import extract_together
from tests.command_line import run
from tests.fakes import FakeBackbone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(4):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    return tmp_path


def test_the_bottleneck_is_where_the_callers_time_goes() -> None:
    assert Profile(10, {"model": 8, "write": 1}).bottleneck == "model"
    assert Profile(10, {"model": 2, "write": 7}).bottleneck == "write"
    assert Profile(10, {"model": 2}).bottleneck == "rest"
    starved = Profile(10, {"model": 3}, {"decode": 5, "resize": 1}, {"photographs": 6})
    assert starved.bottleneck == "decode"
    assert Profile(10, {"model": 3}, {"decode": 1, "resize": 5}, {"photographs": 6}).bottleneck == "resize"
    busy = Profile(10, {}, {"model": 9, "copy": 1, "decode": 30}, {"device": 8})
    assert busy.bottleneck == "model"


def test_what_is_hidden_and_what_is_left() -> None:
    assert Profile(10, {}, {"decode": 3, "resize": 1}, {"photographs": 1}).hidden_share == 0.75
    assert Profile(10, {}, {"decode": 3}, {"photographs": 5}).hidden_share == 0.0
    assert Profile(10, {"decode": 3}).hidden_share is None
    assert Profile(10, {"model": 3}, {"decode": 9}, {"device": 2}).rest_s == 5


def test_another_threads_time_is_beside_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(1000))
    monkeypatch.setattr(profiles.time, "perf_counter", lambda: float(next(ticks)))
    watch = Stopwatch()
    watch.add("decode", 2.0)
    thread = threading.Thread(target=lambda: watch.add("decode", 3.0))
    thread.start()
    thread.join()
    watch.add("model", 4.0, overlapped=True)
    watch.add_waiting("device", 1.0)
    watch.stop()
    found = watch.profile()
    assert found == Profile(1.0, {"decode": 2.0}, {"decode": 3.0, "model": 4.0}, {"device": 1.0})


def test_times_are_of_what_happens_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(profiles.time, "perf_counter", lambda: now[0])
    with profiled() as watch:
        with timed("write"):
            now[0] += 3
        with suppress(KeyError), timed("write"):
            now[0] += 2
            raise KeyError
        with waited("photographs"):
            now[0] += 1
        now[0] += 4
    now[0] += 100
    found = watch.profile()
    assert (found.wall_s, found.blocking_s, found.waiting_s) == (10, {"write": 5}, {"photographs": 1})
    assert found.rest_s == 4
    assert current_stopwatch() is None


def test_an_extraction_fills_its_stages(folder: Path) -> None:
    with profiled() as watch:
        list(extract(folder, FakeBackbone(), grid=4))
    found = watch.profile()
    assert found.overlapped_s.keys() == {"decode", "resize"}
    assert found.blocking_s.keys() == {"transfer", "model", "copy"}
    assert found.waiting_s.keys() == {"photographs"}
    assert sum(found.blocking_s.values()) + sum(found.waiting_s.values()) <= found.wall_s


def test_the_next_photographs_are_decoded_while_the_model_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = threading.Semaphore(0)
    read = photographs.read_photograph

    def counted(path: str | Path, **more: Any) -> Photograph:
        photograph = read(path, **more)
        decoded.release()
        return photograph

    class Waiting(FakeBackbone):
        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            if not self.batches:
                assert all(decoded.acquire(timeout=300) for _ in range(3))
            return super().forward(pixels, layers, final_norm=final_norm)

    monkeypatch.setattr(photographs, "read_photograph", counted)
    assert len(list(extract(folder, Waiting(), grid=4))) == 4


def test_models_together_decode_beside_themselves(folder: Path) -> None:
    with profiled() as watch:
        rows = list(
            extract_together(
                sorted(folder.iterdir()),
                [FakeBackbone("a"), FakeBackbone("b")],
                Run(4),
                [None, None],
                on_failure=lambda _: None,
            )
        )
    assert len(rows) == 4
    assert watch.profile().overlapped_s["decode"] > 0
    assert "decode" not in watch.profile().blocking_s


def test_a_table_for_people() -> None:
    text = profile_text(Profile(10, {"model": 8.0}, {"decode": 4.0}, {"photographs": 1.0}))
    lines = {line[:20].strip(): line.split() for line in text.splitlines()}
    assert lines["model"][1:] == ["8.00", "s", "0.00", "s", "80%"]
    assert lines["decode"][1:] == ["0.00", "s", "4.00", "s", "0%"]
    assert lines["wait for photographs"][-1] == "10%"
    assert lines["the rest"][-1] == "10%"
    assert text.endswith("most of it goes to: model; 75% of decoding and resizing hidden behind the rest")


def test_it_is_told_only_where_asked() -> None:
    told: list[str] = []
    for asked in (False, True):
        with profile_told(told.append, asked=asked):
            assert (current_stopwatch() is not None) == asked
    assert len(told) == 1 and "most of it goes to" in told[0]


def test_the_command_tells_time_and_seam_on_stderr(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["extract", folder / "0.png", "--model", "mini", "--out", tmp_path / "out"]
    assert run(*words, "--grid", 8, "--tile", 32, "--profile") == 0
    out, err = capsys.readouterr()
    assert "1 of 1 photographs" in out and "seam" not in out
    assert "seam score 0." in err and "most of it goes to" in err
    write = next(line for line in err.splitlines() if line.startswith("write"))
    assert float(write.split()[1]) >= 0

"""The fastest way: what is measured and kept, what must be certified, and when compiling pays."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import skimage.data
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.errors import InputError
from dinoscope.pipeline import fastest as choosing
from dinoscope.pipeline import way_times
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.fastest import LEAST_GAIN, fastest, pays
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.way_times import (
    INT8,
    PLAIN,
    WayTime,
    WayTimes,
    machine_key,
    read_times,
    time_ways,
    times_path,
    ways_of,
    write_times,
)
from tests.command_line import run
from tests.fakes import FakeBackbone

HALF = "bfloat16 autocast"
PHOTOS = [skimage.data.astronaut(), skimage.data.coffee()]
EIGHT = Run((8, 8))


class Timed(FakeBackbone):
    """Says how long it takes: three seconds, and one where products are in 16 bits."""

    now = 0.0
    damaged = False

    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        half = torch.is_autocast_enabled("cpu")
        Timed.now += 1.0 if half else 3.0
        outputs = super().forward(pixels, layers, final_norm=final_norm)
        if half and self.damaged:
            for patches in outputs.patches.values():
                patches[:, 0] *= -1
        return outputs


class Damaged(Timed):
    damaged = True


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every measurement that is made, by the clock of `Timed`."""
    made: list[Any] = []

    def counted(backbone: Any, pixels: Any) -> WayTimes:
        made.append(tuple(pixels.shape))
        return time_ways(backbone, pixels, clock=lambda: Timed.now)

    monkeypatch.setattr(choosing, "time_ways", counted)
    return made


def kept() -> list[Path]:
    return list((times_path({}).parent).glob("*.json"))


def test_what_is_measured() -> None:
    found = time_ways(Timed(), torch.zeros(4, 3, 64, 64), rounds=2, clock=lambda: Timed.now)
    assert [(t.way, t.photograph_s, t.gain, t.start_s) for t in found.times] == [
        (PLAIN, 0.75, 1.0, 0.0),
        (HALF, 0.25, 3.0, 0.0),
    ]
    assert found.words == (
        "float32 0.75 s a photograph; bfloat16 autocast 3.00 times as fast; "
        "int8 cannot be run: only ViTs of DINOv2 and DINOv3 have it, not fake"
    )


def test_compiling_is_a_way_of_dino_models_alone() -> None:
    assert list(ways_of(FakeBackbone())) == [PLAIN, HALF, INT8]
    assert list(ways_of(load_backbone("mini"))) == [
        PLAIN,
        "float32, compiled",
        HALF,
        "bfloat16 autocast, compiled",
        INT8,
    ]


def test_a_way_that_cannot_be_run_is_told() -> None:
    class Without(Timed):
        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            if torch.is_autocast_enabled("cpu"):
                raise RuntimeError("no kernel\nat all")
            return super().forward(pixels, layers, final_norm=final_norm)

    found = time_ways(Without(), torch.zeros(1, 3, 64, 64), clock=lambda: Timed.now)
    assert [t.way for t in found.times] == [PLAIN] and found.missing[HALF] == "no kernel"
    assert "bfloat16 autocast cannot be run: no kernel" in found.words


def test_the_faster_way_is_chosen_with_its_certificate(measured: list[Any]) -> None:
    found = fastest(Timed(), PHOTOS, EIGHT)
    assert found.way == HALF and found.entry.met is False
    assert measured == [(16, 3, 64, 64)]
    assert "measured on this machine: float32 0.188 s" in found.told[0] and "kept in" in found.told[0]
    assert "chosen for 2 photographs: fake, bfloat16 autocast: cosine to float32 eager" in found.told[1]
    assert "128 patches in 2 photographs" in found.entry.detail
    (f,) = extract(PHOTOS[0], found.backbone, grid=(8, 8))
    assert f.provenance.dtype == "bfloat16"


def test_a_damaged_way_is_left_out_loudly(measured: list[Any]) -> None:
    backbone = Damaged()
    found = fastest(backbone, PHOTOS, EIGHT)
    assert found.backbone is backbone and found.way == PLAIN and found.entry.met is True
    assert "left out: fake, bfloat16 autocast" in found.told[1] and "below 0.999" in found.told[1]
    assert "left out" in found.entry.detail
    again = fastest(Timed(), PHOTOS, EIGHT)  # of the same times, other weights
    assert again.way == HALF and len(measured) == 1


def test_every_layer_is_certified(measured: list[Any]) -> None:
    class FirstDamaged(Timed):
        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            outputs = super().forward(pixels, layers, final_norm=final_norm)
            if torch.is_autocast_enabled("cpu") and 0 in outputs.patches:
                outputs.patches[0][:, 0] *= -1
            return outputs

    assert fastest(FirstDamaged(), PHOTOS, EIGHT).way == HALF
    assert fastest(FirstDamaged(), PHOTOS, replace(EIGHT, layers=(0, 1))).way == PLAIN


def test_times_are_measured_once_for_what_they_depend_on(
    measured: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fastest(Timed(), PHOTOS, EIGHT)
    again = fastest(Timed(), PHOTOS, EIGHT)
    assert len(measured) == 1 == len(kept()) and again.way == first.way
    assert again.told[0].startswith("measured before on this machine") and str(kept()[0]) in again.told[0]
    fastest(Timed(), PHOTOS, EIGHT, anew=True)
    assert len(measured) == 2 and len(kept()) == 1
    fastest(Timed(), PHOTOS, Run((8, 9)))
    fastest(Timed(name="another"), PHOTOS, EIGHT)
    fastest(Timed(), PHOTOS, replace(EIGHT, batch_size=2))
    monkeypatch.setattr(way_times, "__version__", "0")
    fastest(Timed(), PHOTOS, EIGHT)
    assert len(measured) == 6 and len(kept()) == 5
    monkeypatch.setattr(way_times, "_processor", lambda: "another")
    fastest(Timed(), PHOTOS, EIGHT)
    assert len(measured) == 7


TIMES = WayTimes((WayTime(PLAIN, 1.0, 1.0, 0.0), WayTime(HALF, 0.5, 2.0, 0.25)), {"other": "no kernel"})


def test_what_was_kept_is_read_as_it_was() -> None:
    key = machine_key(FakeBackbone(), (64, 64), 4)
    write_times(times_path(key), key, TIMES)
    assert read_times(times_path(key), key) == TIMES
    assert read_times(times_path(key), key | {"batch": 8}) is None


def broken(content: str) -> list[str]:
    facts = json.loads(content)
    first = facts["times"][0]
    return [
        "",
        content[: len(content) // 2],
        "null",
        "[]",
        "[" * 100_000,
        json.dumps(facts | {"times": []}),
        json.dumps(facts | {"times": 3}),
        json.dumps(facts | {"times": facts["times"][1:]}),
        json.dumps(facts | {"times": [first | {"photograph_s": math.nan}]}),
        json.dumps(facts | {"times": [first | {"gain": -1}]}),
        json.dumps(facts | {"times": [first | {"gain": "fast"}]}),
        json.dumps(facts | {"times": [first | {"more": 1}]}),
        json.dumps(facts | {"missing": 1}),
        json.dumps({"key": facts["key"]}),
    ]


def test_a_damaged_cache_costs_a_new_measurement_alone(measured: list[Any]) -> None:
    fastest(Timed(), PHOTOS, EIGHT)
    (path,) = kept()
    intact = path.read_text()
    for i, content in enumerate(broken(intact)):
        path.write_text(content)
        assert fastest(Timed(), PHOTOS, EIGHT).way == HALF
        assert len(measured) == i + 2, content[:80]
        assert path.read_text() == intact
    path.write_bytes(b"\xff\xfe\x00")
    assert fastest(Timed(), PHOTOS, EIGHT).way == HALF
    assert path.read_text() == intact


def test_a_cache_that_cannot_be_written_is_told(
    measured: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    for _ in range(2):
        found = fastest(Timed(), PHOTOS, EIGHT)
        assert found.way == HALF and "(not kept: " in found.told[0]
    assert len(measured) == 2


@given(st.floats(0.1, 10), st.floats(0, 1000), st.floats(0.01, 10), st.integers(1, 100_000))
def test_a_way_is_chosen_where_it_is_through_sooner(gain: float, start: float, each: float, n: int) -> None:
    found = WayTimes((WayTime(PLAIN, each, 1.0, 0.0), WayTime("w", each / gain, gain, start)), {})
    sooner = start + n * each / gain < n * each
    assert pays(found, n) == (["w"] if sooner and gain >= LEAST_GAIN else [])


def test_the_quickest_comes_first() -> None:
    ways = (("a", 1.5, 0.0), ("b", 2.0, 0.0), ("c", 4.0, 100.0))
    times = (WayTime(PLAIN, 1.0, 1.0, 0.0), *(WayTime(w, 1 / gain, gain, start) for w, gain, start in ways))
    assert pays(WayTimes(times, {}), 10) == ["b", "a"]
    assert pays(WayTimes(times, {}), 10_000) == ["c", "b", "a"]


def test_what_cannot_be_chosen_from() -> None:
    with pytest.raises(InputError, match="from float32"):
        fastest(FakeBackbone(dtype=torch.float16), PHOTOS, EIGHT)
    with pytest.raises(InputError, match="tile"):
        fastest(FakeBackbone(), PHOTOS, Run(8, tile=32))
    with pytest.raises(InputError, match="no photograph"):
        fastest(FakeBackbone(), ["nowhere.jpg"], EIGHT)


def test_the_command_measures_says_and_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    Image.fromarray(PHOTOS[0]).save(photos / "a.png")
    words = ("extract", photos, "--model", "pixels", "--grid", 8, "--out", out)
    assert run(*words, "--fast") == 0
    said = capsys.readouterr().err
    assert "--fast: measured on this machine: float32 " in said and "--fast: chosen for 1 photographs" in said
    (entry,) = json.loads((out / "ledger.json").read_text())["ledger"]
    assert entry["rule"] == choosing.RULE and len(kept()) == 1
    assert run(*words, "--fast") == 0
    assert "measured before on this machine" in capsys.readouterr().err
    assert run(*words, "--fast-anew") == 0
    assert "--fast: measured on this machine" in capsys.readouterr().err
    assert run(*words, "--fast", "--compile") == 2
    assert run(*words, "--fast", "--dtype", "bfloat16") == 2


@pytest.mark.parametrize("command", ["compare", "measure"])
def test_measuring_commands_do_not_have_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "a.jpg", "--models", "mini", "--fast") == 2
    assert "--fast" in capsys.readouterr().err

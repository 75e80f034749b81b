from __future__ import annotations

import logging

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.data.grid import PatchGrid
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import InputError
from dinoscope.pipeline import memory
from dinoscope.pipeline.memory import (
    check_forward,
    check_grid,
    device_bytes,
    forward_bytes,
    largest_grid,
    tiled_bytes,
)

SPEC = BackboneSpec("m", "dinov3", 16, 384, 12, 6, 4)


def grid(h: int, w: int) -> PatchGrid:
    return PatchGrid(h, w, 16, (w * 16, h * 16))


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 80_000_000))
def test_the_largest_grid_fits_and_the_next_does_not(h: int, w: int, room: int) -> None:
    best = largest_grid(SPEC, grid(h, w), room)
    if best is None:
        assert forward_bytes(SPEC, grid(*((1, round(w / h)) if h <= w else (round(h / w), 1)))) > 0.5 * room
        return
    assert forward_bytes(SPEC, best) <= room
    assert best.h <= h and best.w <= w
    assert (best.h <= best.w) == (h <= w) or best.h == best.w
    short = min(best.shape)
    if best.shape == (h, w):
        return
    ratio = max(h, w) / min(h, w)
    assert abs(max(best.shape) - short * ratio) <= 0.5 + 1e-9
    above = (
        (short + 1, round((short + 1) * ratio + 1)) if h <= w else (round((short + 1) * ratio + 1), short + 1)
    )
    assert forward_bytes(SPEC, grid(*above)) > room


def test_a_refusal_names_the_figure_and_the_nearest_grid_that_fits() -> None:
    wanted, room = grid(256, 256), 2**30
    best = largest_grid(SPEC, wanted, room)
    assert best is not None and best.h == best.w
    with pytest.raises(InputError) as refused:
        check_forward(SPEC, wanted, room, what="'p.jpg'")
    words = str(refused.value)
    assert f"{forward_bytes(SPEC, wanted) / 2**30:.1f} GiB" in words
    assert "1.0 GiB are available" in words
    assert f"{best.h}x{best.w} ({best.h * 16:,}x{best.w * 16:,} px)" in words
    assert "--tile" in words
    check_forward(SPEC, best, room, what="'p.jpg'")
    with pytest.raises(InputError, match="Not even one patch"):
        check_forward(SPEC, wanted, 1000, what="'p.jpg'")


def test_a_large_one_is_announced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check_forward(SPEC, grid(32, 32), None, what="'small.jpg'")
        assert not caplog.records
        check_forward(SPEC, grid(256, 256), 2**40, what="'large.jpg'")
    assert "'large.jpg'" in caplog.text and "GiB of 1,024.0 available" in caplog.text


def test_tiles_need_less_than_the_whole() -> None:
    whole = grid(256, 256)
    assert tiled_bytes(SPEC, whole, grid(32, 32), 1) < 0.6 * forward_bytes(SPEC, whole)


def test_the_grid_check_names_one_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**28)
    with pytest.raises(InputError, match=r"(\d+)x\1 fits") as refused:
        check_grid(SPEC, 1000)
    side = int(str(refused.value).split("grid: ")[1].split("x")[0])
    check_grid(SPEC, side)
    with pytest.raises(InputError):
        check_grid(SPEC, side + 1)


def test_a_processor_has_the_machines_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 77)
    assert device_bytes(torch.device("cpu")) == 77

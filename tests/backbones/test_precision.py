"""Convolutions keep float32 while a backbone runs, and the caller's setting comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import torch

from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.precision import exact_convolutions
from tests.backbones.convolutions import precisions
from tests.backbones.shrunken import shrink_catalog


def _precision() -> str:
    return torch.backends.cudnn.conv.fp32_precision


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = _precision()
    yield
    torch.backends.cudnn.conv.fp32_precision = before


@pytest.mark.parametrize("chosen", ["tf32", "ieee"])
def test_the_setting_is_exact_inside_and_as_chosen_after(chosen: str) -> None:
    torch.backends.cudnn.conv.fp32_precision = chosen
    with exact_convolutions(), exact_convolutions():
        assert _precision() == "ieee"
    assert _precision() == chosen
    with suppress(ValueError), exact_convolutions():
        raise ValueError
    assert _precision() == chosen


def test_the_older_switch_can_be_read_after_it() -> None:
    torch.backends.cudnn.allow_tf32 = True
    with exact_convolutions():
        pass
    assert torch.backends.cudnn.allow_tf32


def test_it_lasts_until_the_last_thread_has_left() -> None:
    torch.backends.cudnn.conv.fp32_precision = "tf32"
    inside, go = threading.Event(), threading.Event()

    def other() -> None:
        with exact_convolutions():
            inside.set()
            go.wait(300)

    thread = threading.Thread(target=other)
    with exact_convolutions():
        thread.start()
        assert inside.wait(300)
    assert _precision() == "ieee"
    go.set()
    thread.join()
    assert _precision() == "tf32"


@pytest.mark.parametrize(
    "name", ["random:dinov2-small", "random:dinov3-vits16", "random:dinov3-convnext-tiny"]
)
def test_every_convolution_of_a_backbone_is_exact(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_catalog(monkeypatch)
    backbone = load_backbone(name)
    side = 4 * backbone.spec.patch_size
    with precisions() as seen:
        backbone.forward(torch.zeros(1, 3, side, side))
        assert _precision() == "tf32"
    assert seen == {"ieee"}

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.errors import InputError
from dinoscope.io import resize
from dinoscope.io.images import photograph_from_array
from dinoscope.io.resize import extent, filter_name, resize_pixels

PHOTO = photograph_from_array(
    np.asarray(Image.effect_noise((120, 90), 60).convert("RGB").resize((240, 180), Image.Resampling.BICUBIC)),
    name="noise",
)


@pytest.mark.parametrize(
    ("filter_", "pillow"), [("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)]
)
@pytest.mark.parametrize("size", [(64, 80), (256, 320), (180, 240)])
def test_agrees_with_pillow_within_its_eight_bits(
    filter_: str, pillow: Image.Resampling, size: tuple[int, int]
) -> None:
    ours = resize_pixels(PHOTO, size, filter_)
    theirs = np.asarray(Image.fromarray(np.asarray(PHOTO.pixels)).resize(size[::-1], pillow)) / 255.0
    assert ours.shape == (3, *size)
    assert float((ours - torch.from_numpy(theirs).permute(2, 0, 1)).abs().max()) < 4 / 255
    assert 0.0 <= float(ours.min()) <= float(ours.max()) <= 1.0


@pytest.mark.parametrize("filter_", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(64, 80), (256, 320), (180, 200), (90, 320)])
@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_in_bands_it_is_the_same_to_the_last_bit(
    monkeypatch: pytest.MonkeyPatch, filter_: str, size: tuple[int, int], rows: int
) -> None:
    monkeypatch.setattr(resize, "BAND_BYTES", rows * 240 * 3 * 4)
    planes = torch.from_numpy(np.array(PHOTO.pixels)).permute(2, 0, 1).float() / 255.0
    whole = torch.nn.functional.interpolate(
        planes[None], size=size, mode=filter_, antialias=True, align_corners=False
    )
    assert torch.equal(resize_pixels(PHOTO, size, filter_), whole[0].clamp(0.0, 1.0))


@pytest.mark.parametrize("size", [(20, 31), (37, 25)])
def test_pixels_that_lie_partly_outside_count_by_their_part(size: tuple[int, int]) -> None:
    reduced = replace(PHOTO, size=(2 * 240 - 1, 4 * 180 - 3), reduction=2)
    assert extent(PHOTO) is None and extent(reduced) == (239.5, 358.5)
    reduced = replace(PHOTO, size=(8 * 239 + 1, 8 * 179 + 3), reduction=8)
    along, down = extent(reduced) or (0, 0)
    found = resize_pixels(reduced, size, "bilinear").numpy()
    columns, rows = triangles(240, size[1], along), triangles(180, size[0], down)
    slow = np.einsum("yh,hwc,xw->cyx", rows, np.asarray(PHOTO.pixels) / 255.0, columns)
    assert found.shape == slow.shape and np.abs(found - slow).max() < 1e-5
    as_if_whole = np.einsum(
        "yh,hwc,xw->cyx",
        triangles(180, size[0], 180),
        np.asarray(PHOTO.pixels) / 255.0,
        triangles(240, size[1], 240),
    )
    assert np.abs(found - as_if_whole).max() > 1e-3


def triangles(pixels: int, wanted: int, covered: float) -> np.ndarray:
    """What each pixel adds to each new one: a triangle as wide as two of those, cut at the edges."""
    by = covered / wanted
    centres = (np.arange(wanted) + 0.5)[:, None] * by
    weights = np.maximum(0, 1 - np.abs(np.arange(pixels) + 0.5 - centres) / by)
    return weights / weights.sum(axis=1, keepdims=True)


def test_the_whole_photograph_is_used() -> None:
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, :3] = 255  # the outermost columns survive a resize, and no centre crop
    pixels[:, -3:] = 255
    small = resize_pixels(photograph_from_array(pixels, name="x"), (32, 32), "bilinear")
    assert (small[:, :, 0] > 0.5).all()
    assert (small[:, :, -1] > 0.5).all()


def test_official_is_each_familys_own() -> None:
    assert filter_name("official", "dinov2") == "bicubic-8bit"
    assert filter_name("official", "dinov3") == "bilinear"
    assert filter_name("bicubic", "dinov3") == "bicubic"
    eight_bit = resize_pixels(PHOTO, (64, 80), "bicubic-8bit")
    assert torch.equal(eight_bit * 255, (eight_bit * 255).round())
    with pytest.raises(InputError, match="official"):
        filter_name("official", "control")
    with pytest.raises(InputError, match="nearest"):
        filter_name("nearest", "dinov3")

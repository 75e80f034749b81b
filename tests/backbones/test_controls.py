"""Controls: pixels against a slow float64 reference, blur as a law of averages."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dinoscope.backbones.controls import LUMA, ORIENTATIONS, Blurred, Pixels, blur
from dinoscope.errors import LayerError, ShapeError

SIDE = 16


def _pixels(h: int, w: int, b: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.rand(b, 3, h * SIDE, w * SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def _slow_statistics(patch: np.ndarray) -> np.ndarray:
    """One patch, (3, side, side) in [0, 1], gradient by gradient."""
    luma = sum(weight * patch[c] for c, weight in enumerate(LUMA))
    energy = np.zeros(ORIENTATIONS)
    inside = range(1, SIDE - 1)
    for i in inside:
        for j in inside:
            across = (luma[i, j + 1] - luma[i, j - 1]) / 2
            down = (luma[i + 1, j] - luma[i - 1, j]) / 2
            place = (math.atan2(down, across) % math.pi) / math.pi * ORIENTATIONS
            low = int(place) % ORIENTATIONS
            part = place - int(place)
            energy[low] += math.hypot(across, down) * (1 - part)
            energy[(low + 1) % ORIENTATIONS] += math.hypot(across, down) * part
    flat = patch.reshape(3, -1)
    return np.concatenate([flat.mean(1), flat.std(1), energy / len(inside) ** 2])


def test_pixels_equal_a_slow_reference() -> None:
    pixels = _pixels(2, 3)
    fast = Pixels().forward(pixels, final_norm=False).patches[0][0].double().numpy()
    colours = pixels[0].double().numpy() * 0.5 + 0.5
    for row in range(2):
        for col in range(3):
            patch = colours[:, row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
            np.testing.assert_allclose(fast[row, col], _slow_statistics(patch), atol=1e-6)


def test_pixels_know_no_position() -> None:
    """Moving whole patches moves the features with them."""
    pixels = _pixels(4, 5)
    moved = torch.roll(pixels, shifts=(SIDE, 2 * SIDE), dims=(2, 3))
    here, there = Pixels().forward(pixels).patches[0], Pixels().forward(moved).patches[0]
    torch.testing.assert_close(torch.roll(here, shifts=(1, 2), dims=(1, 2)), there, atol=1e-5, rtol=1e-6)


def test_pixels_have_no_cls_and_no_registers() -> None:
    outputs = Pixels().forward(_pixels(2, 3, b=2))
    assert not outputs.cls
    assert outputs.registers[0].shape == (2, 0, Pixels().spec.dim)


def test_a_grey_image_has_no_contrast() -> None:
    values = Pixels().forward(torch.zeros(1, 3, SIDE, SIDE), final_norm=False).patches[0][0, 0, 0]
    torch.testing.assert_close(values, torch.tensor([0.5] * 3 + [0.0] * (3 + ORIENTATIONS)))


@pytest.mark.parametrize(("axis", "channel"), [(3, 6), (2, 6 + ORIENTATIONS // 2)])
def test_a_ramp_has_one_orientation(axis: int, channel: int) -> None:
    ramp = torch.linspace(-1, 1, SIDE)
    pixels = (ramp[None, :] if axis == 3 else ramp[:, None]).expand(SIDE, SIDE).expand(1, 3, SIDE, SIDE)
    energies = Pixels().forward(pixels, final_norm=False).patches[0][0, 0, 0, 6:]
    assert int(energies.argmax()) == channel - 6
    assert float(energies.sum() - energies.max()) == pytest.approx(0, abs=1e-6)


def test_the_fixed_scale_is_the_final_norm() -> None:
    """Affine, and the same for every image."""
    raw = [Pixels().forward(_pixels(2, 2, seed=s), final_norm=False).patches[0].double() for s in (1, 2, 3)]
    scaled = [Pixels().forward(_pixels(2, 2, seed=s)).patches[0].double() for s in (1, 2, 3)]
    slope = (scaled[1] - scaled[0]) / (raw[1] - raw[0])
    again = scaled[0] + slope.flatten(0, 2).median(0).values * (raw[2] - raw[0])
    torch.testing.assert_close(again, scaled[2], atol=1e-3, rtol=1e-3)


def test_pixels_refuse_bad_input() -> None:
    with pytest.raises(ShapeError):
        Pixels().forward(torch.zeros(1, 3, SIDE + 1, SIDE))
    with pytest.raises(LayerError):
        Pixels().forward(_pixels(1, 1), layers=(1,))


@given(h=st.integers(1, 6), w=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_blur_is_a_weighted_average(h: int, w: int, seed: int) -> None:
    values = torch.rand(2, h, w, 3, generator=torch.Generator().manual_seed(seed))
    blurred = blur(values).double().numpy()
    for row in range(h):
        for col in range(w):
            distance = (np.arange(h)[:, None] - row) ** 2 + (np.arange(w)[None, :] - col) ** 2
            weights = np.exp(-distance / 2)
            expected = np.einsum("hw,bhwd->bd", weights / weights.sum(), values.double().numpy())
            np.testing.assert_allclose(blurred[:, row, col], expected, atol=1e-6)


def test_blur_keeps_a_constant_map() -> None:
    torch.testing.assert_close(blur(torch.full((1, 5, 7, 2), 3.25)), torch.full((1, 5, 7, 2), 3.25))


def test_blurred_is_labelled_and_blurs_every_layer() -> None:
    plain = Pixels()
    blurred = Blurred(plain)
    pixels = _pixels(4, 6)
    assert blurred.spec.control
    assert blurred.spec.name == "blur:pixels"
    assert any("sigma 1 patch" in note for note in blurred.origin.notes)
    inner, outer = plain.forward(pixels, final_norm=False), blurred.forward(pixels, final_norm=False)
    torch.testing.assert_close(outer.patches[0], blur(inner.patches[0]))
    assert outer.final_norm is False
    assert blurred.to("cpu", torch.float64).dtype == torch.float64

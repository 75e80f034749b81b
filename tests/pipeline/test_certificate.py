from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.errors import InputError
from dinoscope.pipeline.certificate import LEAST_MEAN, Certificate, check_arithmetic, guarded, patch_cosines
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.run import AS_LOADED, Arithmetic, Run
from tests.fakes import FakeBackbone

HALF = Arithmetic(torch.float16)
PHOTOS = [skimage.data.astronaut(), skimage.data.coffee()]


class Rough(FakeBackbone):
    """Loses so much in 16 bits that some patches turn around."""

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Rough:
        return Turned(dtype=dtype or self.dtype)


class Turned(Rough):
    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        outputs = super().forward(pixels, layers, final_norm=final_norm)
        for patches in outputs.patches.values():
            patches[:, 0] *= -1
        return outputs


def test_a_certificate_holds_the_cosines_to_float32() -> None:
    proof = check_arithmetic(Rough(), PHOTOS, HALF, Run((8, 8)))
    assert proof == Certificate("fake", "float16", proof.mean, proof.minimum, 2, 128)
    assert proof.mean == pytest.approx(1 - 2 / 8, abs=1e-6)  # one row in eight points the other way
    assert proof.minimum == pytest.approx(-1, abs=1e-6)
    assert not proof.exact_enough
    assert "fake, float16" in proof.words and "0.750000 mean, -1.000000 worst of 128" in proof.words


def test_the_mean_decides() -> None:
    proof = Certificate("m", "w", LEAST_MEAN, -1.0, 1, 1)
    assert proof.exact_enough
    assert not replace(proof, mean=LEAST_MEAN - 1e-9).exact_enough


def test_a_real_model_in_16_bits_against_a_slow_reference() -> None:
    mini = load_backbone("mini")
    proof = check_arithmetic(mini, PHOTOS[:1], Arithmetic(torch.bfloat16), Run(8))
    (a,) = extract(PHOTOS[0], mini, grid=8)
    (b,) = extract(PHOTOS[0], mini.to("cpu", torch.bfloat16), grid=8)
    slow = [
        float(x.astype(np.float64) @ y.astype(np.float64) / np.sqrt(float(x @ x) * float(y @ y)))
        for x, y in zip(a.values.reshape(-1, a.dim), b.values.reshape(-1, b.dim), strict=True)
    ]
    assert proof.mean == pytest.approx(np.mean(slow), abs=1e-6)
    assert proof.minimum == pytest.approx(min(slow), abs=1e-6)
    assert 0.99 < proof.mean < 1 - 1e-7
    assert mini.dtype == torch.float32
    same = check_arithmetic(mini, PHOTOS[:1], AS_LOADED, Run(8))
    assert same.minimum == pytest.approx(1.0, abs=1e-6)


def test_tiles_have_a_certificate_too() -> None:
    proof = check_arithmetic(load_backbone("mini"), PHOTOS[0], AS_LOADED, Run(12, tile=48))
    assert proof.way == "float32, tiles of 48 px"
    assert proof.minimum < proof.mean < 0.99999


def test_measuring_with_an_inexact_way_is_refused_unless_asked_for() -> None:
    with pytest.raises(InputError, match=r"0\.75.*--allow-inexact"):
        guarded(Rough(), PHOTOS, HALF, Run((8, 8)))
    backbone, proof = guarded(Rough(), PHOTOS, replace(HALF, allow_inexact=True), Run((8, 8)))
    assert isinstance(backbone, Turned) and proof is not None and not proof.exact_enough
    model = Rough()
    assert guarded(model, PHOTOS, Arithmetic(torch.float32), Run()) == (model, None)


def test_the_proof_is_on_the_first_photographs_alone() -> None:
    exact: Backbone = FakeBackbone()
    taken = []

    def photos():  # type: ignore[no-untyped-def]
        for photo in PHOTOS * 5:
            taken.append(1)
            yield photo

    _, proof = guarded(exact, photos(), HALF, Run(4), n_images=3)
    assert proof is not None and proof.n_images == 3 and len(taken) == 3


def test_what_cannot_be_certified() -> None:
    with pytest.raises(InputError, match="against float32"):
        check_arithmetic(FakeBackbone(dtype=torch.float16), PHOTOS, HALF, Run())
    with pytest.raises(InputError, match="no photograph"):
        check_arithmetic(FakeBackbone(), [], HALF, Run())


def test_a_patch_without_length_agrees_with_nothing() -> None:
    a = np.ones((1, 2, 3), np.float32)
    b = a.copy()
    b[0, 1] = 0
    np.testing.assert_array_equal(patch_cosines(a, b).round(12), [1, 0])

"""Learned upsamplers by name, with stand-ins for their repositories in torch.hub's folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dinoscope as ds
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.upsample import bilinear

HUBCONF = """
import torch
from torch.nn import functional

class Smooth(torch.nn.Module):
    def forward(self, image, features, output_size, q_chunk_size):
        assert image.shape[2] == 16 * features.shape[2] and q_chunk_size
        assert -2.2 < image.min() and image.max() < 2.7
        return functional.interpolate(features, size=output_size, mode="bilinear")

class Doubled(torch.nn.Module):
    def forward(self, features, image):
        return functional.interpolate(features, scale_factor=2, mode="nearest")

class Stack(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Softsign())
        self.upsampler = Doubled()

class Few(torch.nn.Module):
    def forward(self, image, features, output_size, q_chunk_size):
        return features[:, :1]

def anyup_multi_backbone(): return Smooth()
def few(): return Few()
def broken(): raise ValueError("no weights here")
def loftup_small(): return Doubled()
def small(): return Stack()
"""


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for folder in ("wimmerth_anyup_main", "andrehuang_loftup_main", "mhamilton723_FeatUp_main"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hubconf.py").write_text(HUBCONF)
    return tmp_path


@pytest.fixture
def coarse() -> tuple[ds.PatchFeatures, np.ndarray]:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((6, 8, 5)).astype(np.float32)
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    return ds.PatchFeatures.from_array(values, image_size=(80, 60)), image


def test_anyup_gets_normalised_pixels_and_the_size(hub, coarse):
    features, image = coarse
    found = ds.upsample(features, (18, 24), "anyup", image)
    assert np.allclose(found, bilinear(features.values, (18, 24)), atol=1e-5)


def test_one_upsampler_a_backbone_is_named_by_its_entry(hub, coarse):
    features, image = coarse
    found = ds.upsample(features, (12, 16), "loftup:loftup_small", image)
    assert np.array_equal(found, np.repeat(np.repeat(features.values, 2, axis=0), 2, axis=1))
    normed = ds.upsample(features, (12, 16), "featup:small", image)
    assert np.allclose(normed, found / (1 + np.abs(found)), atol=1e-6)
    assert ds.upsample(features, (18, 24), "loftup:loftup_small", image).shape == (18, 24, 5)
    with pytest.raises(InputError, match="loftup:ENTRY"):
        ds.upsample(features, (12, 16), "loftup", image)


def test_what_cannot_be_had_says_what_to_do(hub, coarse, tmp_path):
    features, image = coarse
    with pytest.raises(InputError, match="no weights here"):
        ds.upsample(features, (12, 16), "anyup:broken", image)
    with pytest.raises(ShapeError, match="anyup:few"):
        ds.upsample(features, (12, 16), "anyup:few", image)
    with pytest.raises(InputError, match="anyup, featup, loftup"):
        ds.upsample(features, (12, 16), "anydown", image)
    with pytest.raises(InputError, match="needs the photograph"):
        ds.upsample(features, (12, 16), "anyup")
    (tmp_path / "wimmerth_anyup_main" / "hubconf.py").unlink()
    with pytest.raises(InputError, match=r"torch\.hub\.load\('wimmerth/anyup'"):
        ds.upsample(features, (12, 16), "anyup", image)

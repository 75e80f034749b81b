"""Upsampling at the door: photographs of any kind, memory said beforehand, a gain that reacts."""

from __future__ import annotations

import numpy as np
import pytest

import dinoscope as ds
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline import memory
from dinoscope.pipeline.upsample import upsampling_gain


def halves() -> tuple[ds.PatchFeatures, np.ndarray, np.ndarray]:
    """A photograph of two halves whose border waves through patches that know their share."""
    image = np.zeros((64, 64, 3), np.uint8)
    for y in range(64):
        image[y, 26 + round(6 * np.sin(y / 4)) :] = 255
    share = (image[..., 0] / 255.0).reshape(8, 8, 8, 8).mean(axis=(1, 3))
    values = np.stack([share, 1 - share], axis=2).astype(np.float32)
    features = ds.PatchFeatures.from_array(values, image_size=(64, 64))
    return features, image, (image[..., 0] > 0).astype(np.int64)


def test_joint_takes_an_array_or_a_photograph():
    features, image, _ = halves()
    first = ds.upsample(features, (32, 32), "joint", image)
    photograph = photograph_from_array(image, name="halves")
    assert np.array_equal(ds.upsample(features, (32, 32), "joint", photograph), first)
    assert first.dtype == np.float32
    assert not np.array_equal(first, ds.upsample(features, (32, 32)))


def test_the_guided_map_gains_and_a_blind_one_does_not():
    features, image, labels = halves()
    guided = upsampling_gain(features, (32, 32), "joint", image, labels)
    assert guided.gain > 0.05
    blind = upsampling_gain(features, (32, 32), "nearest", image, labels)
    assert blind.gain < guided.gain
    assert upsampling_gain(features, (32, 32), "bilinear", image, labels).gain == 0.0


def test_masks_without_a_border_say_so():
    features, image, labels = halves()
    with pytest.raises(InputError, match="no border"):
        upsampling_gain(features, (32, 32), "joint", image, np.zeros_like(labels))


def test_what_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    features, _, _ = halves()
    with pytest.raises(InputError, match="1000x1000 places"):
        ds.upsample(features, (1000, 1000))

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from dinoscope.data.photograph import Photograph
from dinoscope.io.fingerprint import fingerprint, known_among
from dinoscope.io.images import photograph_from_array


def _photograph(image: Image.Image) -> Photograph:
    return photograph_from_array(np.asarray(image.convert("RGB")), name="p")


def _jpeg(image: Image.Image, quality: int) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return Image.open(io.BytesIO(file.getvalue()))


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    return [
        Image.fromarray(array) for array in (data.coffee(), data.chelsea(), data.rocket(), data.astronaut())
    ]


def test_copies_are_known_and_other_photographs_are_not(photographs: list[Image.Image]) -> None:
    known = np.stack([fingerprint(_photograph(p)) for p in photographs])
    for k, p in enumerate(photographs):
        copies = [
            p.resize((p.width // 3, p.height // 3), Image.Resampling.BICUBIC),
            p.resize((64, 64)),
            p.convert("L"),
            _jpeg(p, 60),
        ]
        prints = np.stack([fingerprint(_photograph(copy)) for copy in copies])
        assert known_among(prints, known).all()
        assert not known_among(prints, np.delete(known, k, axis=0)).any()
        changed = [p.transpose(Image.Transpose.FLIP_LEFT_RIGHT), p.crop((0, 0, p.width // 2, p.height // 2))]
        assert not known_among(np.stack([fingerprint(_photograph(c)) for c in changed]), known).any()


def test_nothing_is_among_nothing(photographs: list[Image.Image]) -> None:
    one = fingerprint(_photograph(photographs[0]))[None]
    assert not known_among(one, np.zeros((0, 32), np.uint8)).any()
    assert known_among(one, one).all()


def test_one_clear_sky_is_not_another() -> None:
    """Two that brighten towards the right, each with a bird of its own."""
    skies = [Image.linear_gradient("L").rotate(90).resize((192, 192)) for _ in range(2)]
    skies[0].paste(0, (20, 30, 34, 44))
    skies[1].paste(0, (120, 130, 134, 144))
    prints = np.stack([fingerprint(_photograph(sky)) for sky in skies])
    assert np.unpackbits(prints[0] ^ prints[1]).sum() < 30
    assert not known_among(prints, prints[::-1]).any()

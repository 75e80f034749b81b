"""The fast decoder gives Pillow's pixels, and leaves to Pillow what it does not give."""

from __future__ import annotations

import io
import itertools
import sys

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError
from dinoscope.io import jpeg, pixels
from dinoscope.io.images import decode_photograph

SIZES = ((64, 48), (65, 47), (17, 33), (131, 97))


def picture(size: tuple[int, int], mode: str = "RGB") -> Image.Image:
    width, height = size
    small = np.random.default_rng(width).integers(0, 256, (height // 4 + 2, width // 4 + 2, 3), np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).convert(mode)


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def fast(data: bytes) -> np.ndarray | None:
    return jpeg.jpeg_pixels(data, Image.open(io.BytesIO(data)))


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("size", SIZES)
def test_pixels_are_pillows_at_every_quality_and_subsampling(size: tuple[int, int]) -> None:
    image = picture(size)
    kinds = itertools.product((1, 30, 75, 95, 100), (0, 1, 2, "4:1:1"), (False, True))
    for quality, subsampling, progressive in kinds:
        data = saved(image, quality=quality, subsampling=subsampling, progressive=progressive)
        assert np.array_equal(fast(data), pillow(data)), (quality, subsampling, progressive)


def test_other_kinds_of_jpeg() -> None:
    image = picture((65, 47))
    for data in (
        saved(image, keep_rgb=True),
        saved(image, restart_marker_rows=1),
        saved(image, "MPO", save_all=True, append_images=[picture((65, 48))]),
        saved(image) + b"behind the end",
    ):
        assert np.array_equal(fast(data), pillow(data))


def test_all_else_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    assert fast(saved(picture((64, 48), "L"))) is None
    assert fast(saved(picture((64, 48), "CMYK"))) is None
    assert fast(saved(picture((64, 48)), "PNG")) is None
    monkeypatch.setattr(jpeg, "fast_decoder", lambda: None)
    assert fast(saved(picture((64, 48)))) is None


def test_without_its_package_there_is_no_fast_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert jpeg.fast_decoder() is not None
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    assert jpeg.fast_decoder.__wrapped__() is None


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK"])
def test_bands_are_the_whole(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    data = saved(picture((65, 147), mode), "TIFF")
    whole = decode_photograph(data, name="a.tif")
    monkeypatch.setattr(pixels, "_BAND_BYTES", 0)  # bands of 64 rows, the last one shorter
    assert np.array_equal(decode_photograph(data, name="a.tif").pixels, whole.pixels)


def test_a_file_that_is_cut_or_damaged_ends_as_it_does_with_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = saved(picture((131, 97)), exif=Image.Exif())
    rng = np.random.default_rng(0)
    files = [whole[:n] for n in rng.integers(20, len(whole), 20)]
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(2, len(whole), 3):
            damaged[place] = rng.integers(256)
        files.append(bytes(damaged))
    with_it = [outcome(data) for data in files]
    monkeypatch.setattr(jpeg, "fast_decoder", lambda: None)
    assert with_it == [outcome(data) for data in files]
    assert len({type(found) for found in with_it}) == 2  # some are read, some refused


def outcome(data: bytes) -> str | tuple[bytes, tuple[str, ...]]:
    try:
        found = decode_photograph(data, name="a.jpg")
    except ImageError as error:
        return str(error)
    return found.pixels.tobytes(), found.notes


def test_a_turned_photograph_is_the_same_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(picture((64, 48)), exif=exif)
    with_it = decode_photograph(data, name="a.jpg")
    monkeypatch.setattr(jpeg, "fast_decoder", lambda: None)
    without = decode_photograph(data, name="a.jpg")
    assert np.array_equal(with_it.pixels, without.pixels)
    assert (
        (with_it.notes, with_it.size)
        == (without.notes, without.size)
        == (("EXIF orientation applied",), (48, 64))
    )

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError, MissingExtraError, ShapeError
from dinoscope.io import decoding
from dinoscope.io.images import decode_photograph, photograph_from_array, preview, read_photograph
from dinoscope.io.pixel_range import PixelRange, reading_range

RAMP = np.add.outer(np.linspace(0, 55, 24), np.linspace(0, 200, 40)).astype(np.uint8)
COLOUR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "options", "tolerance"),
    [
        ("PNG", {}, 0),
        ("BMP", {}, 0),
        ("TIFF", {}, 0),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG", {"quality": 95, "subsampling": 0}, 6),
        ("AVIF", {"quality": 95}, 12),
        ("GIF", {}, 30),
    ],
)
def test_common_files_come_out_upright_and_rgb(
    tmp_path: Path, kind: str, options: dict[str, object], tolerance: int
) -> None:
    path = tmp_path / f"photo.{kind.lower()}"
    data = encoded(Image.fromarray(COLOUR), kind, **options)
    path.write_bytes(data)
    photograph = read_photograph(path)
    assert photograph.name == path.name
    assert photograph.size == (40, 24)
    assert photograph.digest == hashlib.sha256(data).hexdigest()
    assert np.abs(photograph.pixels.astype(int) - COLOUR).mean() <= tolerance
    with pytest.raises(ValueError, match="read-only"):
        photograph.pixels[0, 0, 0] = 1


def test_heic_is_read_where_the_extra_is(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="the extra [heif] is not installed")
    path = tmp_path / "photo.heic"
    pillow_heif.from_pillow(Image.fromarray(COLOUR)).save(path, quality=95)
    assert np.abs(read_photograph(path).pixels.astype(int) - COLOUR).mean() < 12


def test_heic_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(MissingExtraError, match=r"dinoscope\[heif\]"):
        decode_photograph(b"\0\0\0\x18ftypheic" + b"\0" * 32, name="x.heic")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(COLOUR)
    got = decode_photograph(encoded(stored, "PNG", exif=exif), name="x")
    upright = {
        1: COLOUR,
        2: COLOUR[:, ::-1],
        3: COLOUR[::-1, ::-1],
        4: COLOUR[::-1],
        5: COLOUR.transpose(1, 0, 2),
        6: np.rot90(COLOUR, -1),
        7: np.rot90(COLOUR, 2).transpose(1, 0, 2),
        8: np.rot90(COLOUR),
    }[orientation]
    np.testing.assert_array_equal(got.pixels, upright)
    assert got.size == (upright.shape[1], upright.shape[0])


def test_grey_palette_and_cmyk_become_rgb() -> None:
    grey = decode_photograph(encoded(Image.fromarray(RAMP), "PNG"), name="x")
    np.testing.assert_array_equal(grey.pixels, np.repeat(RAMP[..., None], 3, axis=2))
    palette = Image.fromarray(COLOUR).quantize(64)
    np.testing.assert_array_equal(
        decode_photograph(encoded(palette, "PNG"), name="x").pixels, np.asarray(palette.convert("RGB"))
    )
    cmyk = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    pixel = decode_photograph(encoded(cmyk, "TIFF"), name="x").pixels[4, 4]
    assert tuple(pixel) == (0, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    values = np.linspace(0, 65535, 32 * 16).reshape(16, 32).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        got = decode_photograph(encoded(Image.fromarray(values), kind), name="x")
        np.testing.assert_array_equal(got.pixels[..., 0], np.round(values / 257.0))
        assert any("16 bits" in note for note in got.notes)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_composited_on_the_stated_colour(mode: str) -> None:
    rgba = np.zeros((16, 16, 4), np.uint8)
    rgba[..., 0] = 200  # hidden under the transparent half
    rgba[:, 8:, 3] = 255
    image = Image.fromarray(rgba)
    if mode == "LA":
        image = image.convert("LA")
    data = encoded(image.quantize(4, method=Image.Quantize.FASTOCTREE) if mode == "P" else image, "PNG")
    for background in ((255, 255, 255), (10, 20, 30)):
        got = decode_photograph(data, name="x", background=background)
        assert tuple(got.pixels[3, 2]) == background
        assert any("transparency" in note for note in got.notes)


def test_the_transparent_grey_of_16_bits_is_composited_and_is_no_part_of_the_range() -> None:
    values = np.full((16, 16), 900, np.uint16)
    values[:, 8:] = 1000
    values[:4] = 65535
    data = encoded(Image.fromarray(values), "PNG", transparency=65535)
    with reading_range(PixelRange("auto")):
        got = decode_photograph(data, name="x", background=(10, 20, 30))
    assert (got.pixels[:4] == (10, 20, 30)).all()
    assert (got.pixels[4:, :8] == 0).all() and (got.pixels[4:, 8:] == 255).all()
    assert any("transparency composited on rgb(10, 20, 30)" in note for note in got.notes)
    nothing = decode_photograph(
        encoded(Image.fromarray(np.full((8, 8), 7, np.uint16)), "PNG", transparency=7), name="x"
    )
    assert (nothing.pixels == 255).all()


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (16, 16), c) for c in ("red", "blue")]
    got = decode_photograph(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), name="x")
    assert got.pixels[0, 0, 0] > 200
    assert any("first of 2" in note for note in got.notes)


def test_a_colour_profile_is_left_alone_and_said_so() -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    got = decode_photograph(encoded(Image.fromarray(COLOUR), "PNG", icc_profile=profile), name="x")
    np.testing.assert_array_equal(got.pixels, COLOUR)
    assert any("ICC" in note for note in got.notes)


def test_bad_files_are_refused_with_their_reason(tmp_path: Path) -> None:
    whole = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), "JPEG")
    png = encoded(Image.effect_noise((200, 200), 80).convert("RGB"), "PNG")
    cases = {
        "empty": (b"", "empty"),
        "text": (b"this is no photograph at all, only words", "not an image"),
        "cut.jpg": (whole[: len(whole) // 2], "cannot be decoded"),
        "cut.png": (png[: len(png) // 2], "cannot be decoded"),
        "head.png": (png[:20], "a PNG that is damaged|cannot be decoded"),
        "one.png": (encoded(Image.new("RGB", (1, 1)), "PNG"), "1x1"),
        "strip.png": (encoded(Image.new("RGB", (1, 5000)), "PNG"), "1x5000"),
        "float.tif": (encoded(Image.fromarray(2 * np.ones((16, 16), np.float32)), "TIFF"), "floating-point"),
        "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\n", "not an image"),
    }
    for name, (data, reason) in cases.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(ImageError, match=reason) as caught:
            read_photograph(path)
        assert caught.value.source == str(path)


def test_paths_that_are_no_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    for name, reason in {
        "missing.jpg": "no such file",
        "link.jpg": "does not exist",
        "folder.jpg": "a folder",
        "pipe.jpg": "not a regular file",
    }.items():
        with pytest.raises(ImageError, match=reason):
            read_photograph(tmp_path / name)


def test_a_decompression_bomb_is_refused_undecoded() -> None:
    bomb = encoded(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 1_000_000
    with pytest.raises(ImageError, match="refused undecoded"):
        decode_photograph(bomb, name="bomb.png")


def test_large_photographs_below_the_limit_pass_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)  # Pillow warns above this, and refuses above twice
    assert decode_photograph(encoded(Image.fromarray(COLOUR), "PNG"), name="x").size == (40, 24)
    monkeypatch.setattr(decoding, "DECODED_BYTES", 6000)
    with pytest.raises(ImageError, match=r"40x24 pixels would take .* more than the 6,000 bytes"):
        decode_photograph(encoded(Image.fromarray(COLOUR), "PNG"), name="x")


@pytest.mark.usefixtures("unchecked_shapes")
def test_arrays_are_uint8_rgb_or_refused() -> None:
    photograph = photograph_from_array(COLOUR, name="mine")
    assert photograph.size == (40, 24)
    assert photograph.digest == photograph_from_array(COLOUR.copy(), name="other").digest
    assert photograph.digest != photograph_from_array(COLOUR[::-1], name="mine").digest
    with pytest.raises(ImageError, match="not uint8"):
        photograph_from_array(COLOUR / 255.0, name="mine")  # type: ignore[arg-type]
    with pytest.raises(ShapeError):
        photograph_from_array(RAMP, name="mine")
    with pytest.raises(ImageError, match="4x4"):
        photograph_from_array(COLOUR[:4, :4], name="mine")


def test_a_preview_keeps_what_the_photograph_is() -> None:
    photograph = photograph_from_array(np.repeat(np.repeat(COLOUR, 4, 0), 4, 1), name="mine")
    small = preview(photograph, longest_px=40)
    assert small.pixels.shape == (24, 40, 3)
    assert (small.size, small.digest) == (photograph.size, photograph.digest)
    assert preview(photograph, longest_px=4000).pixels.shape == photograph.pixels.shape

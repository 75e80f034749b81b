"""Photographs and masks as people have them: deep, planar, inverted, in many bands, pages or folders."""

from __future__ import annotations

import ctypes
import io
import json
import logging
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError, InputError
from dinoscope.io.images import decode_photograph
from dinoscope.io.pixel_range import PixelRange, read_range, reading_range
from dinoscope.io.sources import photograph_paths
from tests.command_line import run
from tests.hostile.files import colours, png, write_photographs

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)


def tiff(
    planes: np.ndarray,
    *,
    photometric: int,
    planar: int = 1,
    kind: int = 1,
    more: tuple[tuple[int, int], ...] = (),
) -> bytes:
    """An uncompressed TIFF of ``H W bands``, written here because Pillow writes few of these."""
    height, width, bands = planes.shape
    stored = planes if planar == 1 else np.moveaxis(planes, 2, 0)
    body = np.ascontiguousarray(stored).tobytes()
    bits = planes.dtype.itemsize * 8
    strips = bands if planar == 2 else 1
    extra = 8 + len(body)
    lists = struct.pack(f"<{bands}H", *[bits] * bands) + struct.pack(f"<{bands}H", *[kind] * bands)
    offsets = struct.pack(f"<{strips}I", *(8 + i * len(body) // strips for i in range(strips)))
    counts = struct.pack(f"<{strips}I", *[len(body) // strips] * strips)
    at = {258: extra, 339: extra + 2 * bands, 273: extra + 4 * bands}
    at[279] = at[273] + 4 * strips
    table: list[tuple[int, int, int, int]] = [(256, 4, 1, width), (257, 4, 1, height)]
    table += [
        (258, 3, bands, at[258]) if bands > 2 else (258, 3, bands, bits | (bits << 16 if bands == 2 else 0))
    ]
    table += [(259, 3, 1, 1), (262, 3, 1, photometric)]
    table += [(273, 4, strips, at[273] if strips > 1 else 8), (277, 3, 1, bands), (278, 4, 1, height)]
    table += [(279, 4, strips, at[279] if strips > 1 else len(body)), (284, 3, 1, planar)]
    table += [
        (339, 3, bands, at[339]) if bands > 2 else (339, 3, bands, kind | (kind << 16 if bands == 2 else 0))
    ]
    table = sorted([*table, *((tag, 4, 1, value) for tag, value in more)])
    directory = at[279] + 4 * strips
    head = b"II*\0" + struct.pack("<I", directory)
    entries = b"".join(struct.pack("<HHII", *entry) for entry in table)
    tail = struct.pack("<H", len(table)) + entries + struct.pack("<I", 0)
    return head + body + lists + offsets + counts + tail


def grey(values: np.ndarray, *, white: int = 1, kind: int = 1) -> bytes:
    return tiff(values[..., None], photometric=white, kind=kind)


def png16(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(values.astype(np.uint16)).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("bits", [8, 16])
def test_where_white_is_0_it_is_white(bits: int) -> None:
    values = np.round(RAMP * (2**bits - 1)).astype(f"<u{bits // 8}")
    found = decode_photograph(grey(values, white=0), name="x").pixels[..., 0]
    assert np.abs(found.astype(int) - np.round((1 - RAMP) * 255)).max() <= 1


DEEP = {
    "narrow": (300 + RAMP * 255).astype("<u2"),
    "12-bits": (RAMP * 4095).astype("<u2"),
    "14-bits": (RAMP * 16383).astype("<u2"),
    "bright": (60_000 + RAMP * 5_000).astype("<u2"),
    "constant": np.full((48, 64), 700, "<u2"),
}


@pytest.mark.parametrize("format_", ["tif", "png"])
@pytest.mark.parametrize("kind", sorted(DEEP))
def test_little_of_the_range_is_warned_of(kind: str, format_: str, caplog: pytest.LogCaptureFixture) -> None:
    data = grey(DEEP[kind]) if format_ == "tif" else png16(DEEP[kind])
    with caplog.at_level(logging.WARNING):
        full = decode_photograph(data, name="x")
    assert "--range auto" in caplog.text and "x:" in caplog.text
    assert any("is used" in note for note in full.notes)
    with reading_range(PixelRange("auto")):
        auto = decode_photograph(data, name="x")
    if kind != "constant":
        assert np.abs(auto.pixels[..., 0].astype(int) - np.round(RAMP * 255)).max() <= 1
    assert auto.digest != full.digest and any("--range" in note for note in auto.notes)
    low, high = int(DEEP[kind].min()), int(DEEP[kind].max()) + 1
    with reading_range(read_range(f"{low},{high}")):
        fixed = decode_photograph(data, name="x")
    assert np.abs(fixed.pixels.astype(int) - auto.pixels).max() <= 2 or kind == "constant"


def test_the_whole_range_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        decode_photograph(grey((RAMP * 65535).astype("<u2")), name="x")
        decode_photograph(grey(RAMP.astype("<f4"), kind=3), name="x")
        plain = decode_photograph(png(0), name="x")
    assert not caplog.text
    with reading_range(PixelRange("auto")):
        assert decode_photograph(png(0), name="x").digest == plain.digest


def test_floating_point_within_0_and_1_is_read_and_other_is_not() -> None:
    found = decode_photograph(grey(RAMP.astype("<f4"), kind=3), name="x")
    assert np.abs(found.pixels[..., 0].astype(int) - np.round(RAMP * 255)).max() <= 1
    for values in (
        RAMP * 300,
        RAMP - 0.5,
        np.where(RAMP > 0.5, np.nan, RAMP),
        np.where(RAMP > 0.5, np.inf, RAMP),
    ):
        with np.errstate(all="ignore"), pytest.raises(ImageError, match=r"range|NaN"):
            decode_photograph(grey(values.astype("<f4"), kind=3), name="x")
    with reading_range(read_range("-10,310")):
        found = decode_photograph(grey((RAMP * 300).astype("<f4"), kind=3), name="x")
    assert abs(int(found.pixels[-1, -1, 0]) - 247) <= 1


@pytest.mark.parametrize("words", ["", "1", "3,2", "5,5", "a,b", "nan,1", "0,inf", "1,2,3", "AUTO"])
def test_ranges_that_are_none(words: str) -> None:
    with pytest.raises(InputError, match="--range is"):
        read_range(words)


def test_unsigned_numbers_of_32_bits() -> None:
    values = np.round(RAMP * (2**32 - 1)).astype("<u4")
    with pytest.raises(ImageError, match=r"from 0 to 4\.29497e\+09, outside 0 to 65535"):
        decode_photograph(grey(values), name="x.tif")
    with reading_range(PixelRange("auto")):
        found = decode_photograph(grey(values), name="x.tif").pixels[..., 0]
    assert np.abs(found.astype(int) - np.round(RAMP * 255)).max() <= 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (grey(RAMP.astype("<f8"), kind=3), "1 band of 64 bits"),
        (grey(np.zeros((48, 64), "<u2"), white=32803), "colours 32803"),
        (grey(np.zeros((48, 64), np.uint8), white=99), "colours 99"),
        (grey(np.zeros((48, 64), np.uint8), kind=77), "format 77"),
        (tiff(np.zeros((48, 64, 3), "<u2"), photometric=34892), "3 bands of 16 bits"),
    ],
)
def test_a_tiff_of_a_kind_that_nobody_reads_says_what_it_is(data: bytes, words: str) -> None:
    with pytest.raises(ImageError, match=f"{words}.*save it as grey or RGB"):
        decode_photograph(data, name="x.tif")


RGB = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 0.3)], axis=2)


def test_planar_colours() -> None:
    eight = (RGB * 255).astype(np.uint8)
    found = decode_photograph(tiff(eight, photometric=2, planar=2), name="x")
    assert np.abs(found.pixels.astype(int) - eight).max() <= 1
    with pytest.raises(ImageError, match="planes of 16 bits"):
        decode_photograph(tiff((RGB * 65535).astype("<u2"), photometric=2, planar=2), name="x")
    found = decode_photograph(tiff((RGB * 65535).astype("<u2"), photometric=2), name="x")
    assert np.abs(found.pixels.astype(int) - eight).max() <= 1
    assert any("16 bits a channel" in note for note in found.notes)


def test_dark_colours_of_16_bits_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    data = tiff((RGB * 4095).astype("<u2"), photometric=2)
    with caplog.at_level(logging.WARNING):
        decode_photograph(data, name="x")
    assert "16 bits a channel" in caplog.text
    with reading_range(PixelRange("auto")), pytest.raises(ImageError, match="full range alone"):
        decode_photograph(data, name="x")


BANDS = {
    "two": (tiff((RGB[..., :2] * 255).astype(np.uint8), photometric=1), "2 bands"),
    "five": (tiff(np.repeat(RGB, 2, 2)[..., :5].astype("<u2"), photometric=1), "5 bands"),
    "eight": (tiff(np.zeros((48, 64, 8), np.uint8), photometric=1), "8 bands"),
    "thirteen": (tiff(np.zeros((48, 64, 13), "<u2"), photometric=1), "13 bands"),
    "float-colours": (tiff(RGB.astype("<f4"), photometric=2, kind=3), "3 bands"),
    "half": (grey(RAMP.astype("<f2"), kind=3), "half-precision"),
    "complex": (grey(RAMP.astype("<c8"), kind=6), "complex"),
}


@pytest.mark.parametrize("kind", sorted(BANDS))
def test_bands_of_which_nobody_says_what_they_are(kind: str) -> None:
    data, words = BANDS[kind]
    with pytest.raises(ImageError, match=words):
        decode_photograph(data, name="x.tif")


def pages(*sizes: int, reduced: bool = False, raw: bool = False) -> bytes:
    out = io.BytesIO()
    first, *rest = (Image.new("RGB", (size, size), "teal") for size in sizes)
    first.save(out, "TIFF", save_all=True, append_images=rest, tiffinfo={50706: b"\1\4\0\0"} if raw else {})
    data = out.getvalue()
    if reduced:  # say so of all pages but the first
        first.save(out := io.BytesIO(), "TIFF", save_all=True, append_images=rest, tiffinfo={254: 1})
        data = out.getvalue()
    return data


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pages(64, 32, 16), "first of 3 frames"),
        (pages(64, 32, 16, reduced=True), "pyramid"),
        (pages(64, raw=True), "raw file: its preview of 64x64"),
    ],
)
def test_what_is_taken_of_several_pictures_is_said(data: bytes, words: str) -> None:
    assert any(words in note for note in decode_photograph(data, name="x.tif").notes)


@pytest.mark.parametrize("harm", ["circle", "outside", "cut", "wild", "nothing"])
@pytest.mark.parametrize("big", [False, True])
def test_where_the_chain_of_pages_is_broken_the_first_is_shown(harm: str, big: bool) -> None:
    image = Image.fromarray((RAMP * 255).astype(np.uint8))
    image.save(out := io.BytesIO(), "TIFF", big_tiff=big)
    data = bytearray(out.getvalue())
    code, at = ("<Q", 8) if big else ("<I", 4)
    (place,) = struct.unpack_from(code, data, at)
    (count,) = struct.unpack_from("<Q" if big else "<H", data, place)
    link = place + (8 + 20 * count if big else 2 + 12 * count)
    leads = {"circle": place, "outside": len(data) + 1000, "wild": at, "nothing": len(data) - 1}
    if harm == "cut":  # of a file whose directory comes last
        data = bytearray(grey((RAMP * 255).astype(np.uint8)))[:-3]
    else:
        struct.pack_into(code, data, link, leads[harm])
    found = decode_photograph(bytes(data), name="x.tif")
    assert np.array_equal(found.pixels[..., 0], np.asarray(image))
    assert any("the others cannot be found" in note for note in found.notes)


@pytest.mark.parametrize("lead", [0, 1, 2**31, 2**32 - 1])
def test_a_tiff_without_a_first_page_is_refused(lead: int) -> None:
    Image.new("L", (64, 48), 90).save(out := io.BytesIO(), "TIFF")
    data = bytearray(out.getvalue())
    struct.pack_into("<I", data, 4, lead)
    with pytest.raises(ImageError, match="TIFF"):
        decode_photograph(bytes(data), name="x.tif")


@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "group4", "zstd"]
)
@pytest.mark.filterwarnings("ignore:.*Truncated")
def test_libtiff_writes_nothing_to_the_terminal(compression: str, capfd: pytest.CaptureFixture[str]) -> None:
    image = Image.fromarray(colours(3, (320, 240)))
    image = image.convert("1") if compression == "group4" else image
    image.save(out := io.BytesIO(), "TIFF", compression=compression)
    data = bytearray(out.getvalue())
    for place in range(200, len(data) - 400, 37):
        data[place] ^= 0x5A
    with suppress(ImageError):
        decode_photograph(bytes(data), name="x.tif")
    said = capfd.readouterr()
    assert said.err == said.out == ""
    ctypes.CDLL(Image.core.__file__).TIFFErrorExt  # noqa: B018 (libtiff is where it is silenced)


@pytest.mark.parametrize("size", [(8, 60_000), (60_000, 8), (20, 2_000), (9, 5_000), (700, 10)])
def test_photographs_thinner_than_any_grid(size: tuple[int, int]) -> None:
    out = io.BytesIO()
    Image.new("L", size).save(out, "PNG")
    with pytest.raises(ImageError, match="cut it into pieces"):
        decode_photograph(out.getvalue(), name="x.png")


def test_the_range_is_asked_for_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.tif").write_bytes(grey(DEEP["narrow"]))
    (photos / "b.png").write_bytes(png(1))
    words = ("measure", photos, "--models", "pixels", "--grid", 6, "--json", "--no-controls")
    said = {}
    for range_ in ("full", "auto", "300,555"):
        assert run(*words, "--range", range_) == 0
        said[range_] = json.loads(capsys.readouterr().out)["images"]
    assert said["full"] != said["auto"]
    assert [i["digest"] for i in said["full"]][1] == [i["digest"] for i in said["auto"]][1]


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    folder = tmp_path / "classes"
    for i, name in enumerate(("cats", "dogs", "deep/er")):
        write_photographs(folder / name, tuple(f"{i}{k}.png" for k in range(2)))
    for i, path in enumerate(sorted(folder.rglob("*.png"))):
        path.write_bytes(png(i))  # all different
    write_photographs(folder / ".hidden", ("x.png",))
    (folder / "loop").symlink_to(folder)
    return folder


def test_a_folder_of_class_folders_is_named(classes: Path) -> None:
    paths, (failure,) = photograph_paths([classes])
    assert paths == []
    assert "3 folders in it hold 6" in failure.reason and "--recursive" in failure.reason
    paths, failures = photograph_paths([classes], recursive=True)
    assert sorted(path.name for path in paths) == ["00.png", "01.png", "10.png", "11.png", "20.png", "21.png"]
    assert failures == []


@pytest.mark.parametrize("command", ["measure", "compare", "extract"])
def test_recursive_is_everywhere(
    classes: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (command, classes, "--model" if command == "extract" else "--models", "pixels", "--grid", 3)
    assert run(*words, "--out", tmp_path / "out") == 2
    assert "3 folders in it hold 6" in capsys.readouterr().err
    assert run(*words, "--out", tmp_path / "out", "--recursive") == 0
    if command == "extract":
        assert len(list((tmp_path / "out").iterdir())) == 6


def masks(folder: Path, values: np.ndarray, n: int = 3) -> Path:
    folder.mkdir()
    for i in range(n):
        Image.fromarray(values).save(folder / f"{i}.png")
    return folder


SQUARE = np.zeros((48, 64), np.uint8)
SQUARE[10:30, 20:50] = 1


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (SQUARE * 255, None),
        (SQUARE, None),
        (SQUARE * 0, "classes"),
        (SQUARE * 0 + 7, "classes"),
        (SQUARE * 0, None),
        (SQUARE * 0 + 255, None),
        (SQUARE.astype(bool), None),
    ],
    ids=["0-255", "0-1", "one-class", "one-other-class", "all-0", "all-255", "bool"],
)
def test_a_single_class_has_no_score(
    tmp_path: Path, values: np.ndarray, kind: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_photographs(tmp_path / "photos", ("0.png", "1.png", "2.png"))
    folder = masks(tmp_path / "masks", values)
    words = (
        "measure",
        photos,
        "--models",
        "pixels",
        "--grid",
        6,
        "--masks",
        folder,
        "--json",
        "--no-controls",
    )
    code = run(*words, *(() if kind is None else ("--mask-kind", kind)))
    out = capsys.readouterr().out
    assert code in (0, 1, 2)
    if code != 2:
        summary = json.dumps(json.loads(out))
        assert '"knn_miou": 1.0' not in summary and '"linear_miou": 1.0' not in summary

"""Small files that ask for much memory are refused before they get it; what is read stays in its limit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dinoscope.backbones import catalog, memory
from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.random_weights import random_weights
from dinoscope.errors import InputError
from dinoscope.io.limits import DECODED_BYTES
from tests.command_line import run
from tests.hostile import bombs, decoding_peaks
from tests.hostile.files import write_photographs

SLACK_BYTES = 8 * 2**20
"""Of the allocator and of tables that do not grow with the picture: 2 MiB were seen. Two bytes a pixel that
nobody foresaw are 11 MiB of these pictures."""
REFUSED_BYTES = 96 * 2**20

PICTURES = {
    "jpeg-13000.jpg": bombs.jpeg(13_000),
    "jpeg-30000.jpg": bombs.jpeg(30_000),
    "jpeg-progressive.jpg": bombs.jpeg(12_000, scans=3),
    "jpeg-scans.jpg": bombs.jpeg(6_000, scans=2_000),
    "png-rgba.png": bombs.png(13_000, 13_000, colours=6, rows=False),
    "png-rgb.png": bombs.png(13_000, 13_000, colours=2, rows=False),
    "png-grey-alpha.png": bombs.png(13_000, 13_000, colours=4, rows=False),
    "png-16.png": bombs.png(15_000, 15_000, colours=0, depth=16, rows=False),
    "png-1.png": bombs.png(30_000, 30_000, colours=0, depth=1, rows=False),
    "gif.gif": bombs.gif(14_000),
    "gif-65535.gif": bombs.gif(65_535),
    "tiff-grey.tif": bombs.tiff(20_000),
    "tiff-rgb.tif": bombs.tiff(13_000, samples=3),
    "tiff-huge.tif": bombs.tiff(2_000_000_000),
    "bmp.bmp": bombs.bmp(14_000),
    "webp.webp": bombs.webp(16_000),
}


@pytest.fixture(scope="module")
def peaks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, int, str]]:
    """Peak, estimate and refusal of every picture, each in a process of its own."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, data in PICTURES.items():
        (folder / name).write_bytes(data)
    paths = [folder / name for name in PICTURES] + bombs.large_pictures(folder)
    script = Path(decoding_peaks.__file__)
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    command = [sys.executable, script, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return {Path(name).name: (int(peak), int(foreseen), said) for name, peak, foreseen, said in rows}


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_a_picture_that_asks_for_too_much_is_refused(
    peaks: dict[str, tuple[int, int, str]], name: str
) -> None:
    assert len(PICTURES[name]) < 4_000_000
    peak, _, said = peaks[name]
    assert "refused" in said
    assert peak < REFUSED_BYTES


WHOLE = [
    *("base.jpg", "progressive.jpg", "cmyk.jpg", "grey.jpg", "turned.jpg", "phone.heic"),
    *("rgb.png", "rgba.png", "palette.png", "deep.png", "one.gif", "flat.bmp"),
    *("lossy.webp", "rgba.webp", "colour.avif", "alpha.avif"),
    *("plain.tif", "lzw.tif", "jpeg.tif", "one-strip.tif", "deep.tif", "float.tif"),
]


@pytest.mark.parametrize("name", WHOLE)
def test_decoding_takes_no_more_than_was_foreseen(peaks: dict[str, tuple[int, int, str]], name: str) -> None:
    peak, foreseen, said = peaks[name]
    assert said == ""
    assert peak <= foreseen + SLACK_BYTES
    assert foreseen < DECODED_BYTES / 8


@pytest.mark.parametrize(
    "name", ["random:dinov3-vit7b16", "blur:random:dinov3-vit7b16", "random:dinov2-giant"]
)
def test_weights_count(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 4 * 2**30)
    with pytest.raises(InputError, match=r"the weights of .* need about [\d.]+ GiB .* 4.0 GiB are available"):
        load_backbone(name)


def test_weights_are_counted_as_they_are() -> None:
    entry = catalog.find("dinov3-vits16")
    drawn = random_weights(entry.architecture, 0).state
    assert memory.weights_bytes(entry.architecture) == sum(4 * tensor.numel() for tensor in drawn.values())


def test_weights_are_part_of_the_check_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 8 * 2**30)
    write_photographs(tmp_path, ("a.png",))
    words = ("--models", "random:dinov3-vit7b16", "--grid", 2, "--out", tmp_path / "out")
    assert run("compare", tmp_path, *words) == 2
    assert "GiB in float32" in capsys.readouterr().err

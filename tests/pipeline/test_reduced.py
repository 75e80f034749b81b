"""Reduced decoding: how many pixels are left, that they are the photograph's, and what is said of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.data.photograph import Photograph
from dinoscope.io import jpeg
from dinoscope.io.images import decode_photograph
from dinoscope.io.jpeg import REDUCTIONS, largest_reduction, reduced
from dinoscope.pipeline import reduced as reading
from dinoscope.pipeline.certificate import Certificate
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.reduced import LEAST_MEAN_REDUCED, check_decoding, decoding_entry
from dinoscope.pipeline.run import SPARE, Run
from tests.command_line import run

COFFEE = Image.fromarray(skimage.data.coffee())  # 600 x 400
ENOUGH = (150, 100)


def saved(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, quality=92, **options)
    return file.getvalue()


def read(data: bytes, enough: tuple[int, int] = ENOUGH) -> Photograph:
    return decode_photograph(data, name="a", enough=lambda _: enough)


@given(st.tuples(*[st.integers(8, 9000)] * 2), st.tuples(*[st.integers(1, 2000)] * 2))
def test_the_largest_reduction_that_leaves_enough(size: tuple[int, int], enough: tuple[int, int]) -> None:
    chosen = largest_reduction(size, enough)

    def leaves_enough(reduction: int) -> bool:
        return all(-(-pixels // reduction) >= least for pixels, least in zip(size, enough, strict=True))

    assert chosen == max([s for s in REDUCTIONS if leaves_enough(s)], default=1)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_reduced_pixels_are_means_of_the_photographs(mode: str, *, progressive: bool) -> None:
    data = saved(COFFEE.convert(mode), progressive=progressive)
    full = decode_photograph(data, name="a")
    found = read(data)
    assert (full.reduction, found.reduction, found.size, found.digest) == (1, 4, (600, 400), full.digest)
    assert found.pixels.shape == (100, 150, 3)
    means = np.asarray(full.pixels, np.float64).reshape(100, 4, 150, 4, 3).mean(axis=(1, 3))
    assert np.abs(means - found.pixels).mean() < 2.5
    assert "decoded at 1/4 of its size" in found.notes


@pytest.mark.parametrize("size", [(601, 403), (75, 131), (64, 47)])
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_both_decoders_give_the_same(
    monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], reduction: int
) -> None:
    for subsampling in (0, 1, 2):
        data = saved(COFFEE.resize(size), subsampling=subsampling)
        enough = (reduced(size[0], reduction), reduced(size[1], reduction))
        with_it = read(data, enough)
        with monkeypatch.context() as patched:
            patched.setattr(jpeg, "fast_decoder", lambda: None)
            without = read(data, enough)
        assert with_it.pixels.shape == (enough[1], enough[0], 3)
        assert np.array_equal(with_it.pixels, without.pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_turned_and_has_enough_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(COFFEE, exif=exif)
    full = decode_photograph(data, name="a")
    asked = []

    def enough(upright: tuple[int, int]) -> tuple[int, int]:
        asked.append(upright)
        return (200, 100)  # a quarter of 400 or of 600 is too little across

    found = decode_photograph(data, name="a", enough=enough)
    assert asked == [full.size] and found.size == full.size
    assert found.reduction == 2
    small = np.asarray(full.pixels, np.float64)
    small = small.reshape(small.shape[0] // 2, 2, small.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    assert small.shape == found.pixels.shape and np.abs(small - found.pixels).mean() < 2.5


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "BMP"])
def test_other_files_are_read_as_ever(kind: str) -> None:
    data = saved(COFFEE, kind)
    found = read(data)
    assert found.reduction == 1
    assert np.array_equal(found.pixels, decode_photograph(data, name="a").pixels)


def test_nothing_is_reduced_below_what_the_input_needs(tmp_path: Path) -> None:
    mini = load_backbone("mini")
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(COFFEE))
    for grid in (4, 10, 20, 21, 40, 41):
        (f,) = extract(path, mini, grid=grid, decode="reduced")
        height, width = f.grid.input_size
        left = (reduced(600, f.provenance.reduction), reduced(400, f.provenance.reduction))
        assert f.grid.image_size == (600, 400)
        if f.provenance.reduction > 1:
            assert left[0] >= SPARE * width and left[1] >= SPARE * height
        if f.provenance.reduction < 8:
            twice = (reduced(600, 2 * f.provenance.reduction), reduced(400, 2 * f.provenance.reduction))
            assert twice[0] < SPARE * width or twice[1] < SPARE * height


def test_the_certificate_is_of_what_is_read_reduced_alone(tmp_path: Path) -> None:
    mini = load_backbone("mini")
    COFFEE.save(tmp_path / "a.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no photograph")
    assert check_decoding([tmp_path / "a.png", tmp_path / "broken.jpg"], mini, Run(8)) is None
    paths = [tmp_path / "a.png", tmp_path / "broken.jpg", *(tmp_path / f"{i}.jpg" for i in range(3))]
    for path in paths[2:]:
        path.write_bytes(saved(COFFEE))
    proof = check_decoding(paths, mini, Run(8))
    assert proof is not None and (proof.n_images, proof.n_patches) == (2, 2 * 8 * 12)
    assert proof.way == "decoded at 1/4" and "cosine to full decoding" in proof.words
    assert LEAST_MEAN_REDUCED < proof.mean < 1 and proof.minimum < proof.mean and proof.exact_enough
    full, fewer = (
        next(extract(paths[2], mini, grid=8, decode=decode)).values for decode in ("full", "reduced")
    )
    a, b = (values.reshape(-1, mini.spec.dim).astype(np.float64) for values in (full, fewer))
    slow = [float(x @ y / np.sqrt((x @ x) * (y @ y))) for x, y in zip(a, b, strict=True)]
    assert proof.mean == pytest.approx(np.mean(slow), abs=1e-9)
    assert proof.minimum == pytest.approx(min(slow), abs=1e-9)


@pytest.mark.parametrize("resize", ["bilinear", "official"])
def test_sides_that_do_not_divide_cost_nothing(tmp_path: Path, resize: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(COFFEE.crop((0, 0, 451, 339))))  # the last pixels of 113 x 85 lie partly outside
    proof = check_decoding([path], load_backbone("mini"), Run(8, resize=resize))
    assert proof is not None and proof.way == "decoded at 1/4" and proof.exact_enough


def test_a_damaged_reading_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(saved(COFFEE))
    intact = reading.load_photograph

    def mirrored(image: object, **more: object) -> Photograph:
        found = intact(image, **more)
        return Photograph(
            found.name, found.digest, found.size, found.pixels[:, ::-1].copy(), reduction=found.reduction
        )

    monkeypatch.setattr(reading, "load_photograph", mirrored)
    proof = check_decoding([path], load_backbone("mini"), Run(8))
    assert proof is not None and not proof.exact_enough
    entry = decoding_entry(proof, {4: 1})
    assert entry.met is False and "below 0.9999" in entry.detail


def test_what_the_ledger_says() -> None:
    proof = Certificate("m", "decoded at 1/4", 0.99995, 0.998, 2, 100, "full decoding", LEAST_MEAN_REDUCED)
    entry = decoding_entry(proof, {1: 2, 4: 7, 8: 1})
    assert entry.met is False
    assert entry.detail.startswith("7 at 1/4; 1 at 1/8; 2 in full, which are no JPEG files or ")
    assert "0.999950 mean, 0.998000 worst of 100" in entry.detail and "below" not in entry.detail
    assert decoding_entry(None, {1: 3}).met is True


def test_the_command_certifies_prints_and_stores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    photos.mkdir()
    COFFEE.save(photos / "a.png")
    (photos / "b.jpg").write_bytes(saved(COFFEE))
    words = ("extract", photos, "--model", "mini", "--grid", 8, "--out", out, "--decode", "reduced", "--json")
    assert run(*words) == 0
    printed = capsys.readouterr()
    stored = json.loads((out / "ledger.json").read_text())
    assert json.loads(printed.out)["ledger"] == stored["ledger"]
    (entry,) = stored["ledger"]
    assert "1 at 1/4; 1 in full" in entry["detail"] and "worst of 96 patches in 1 photo" in entry["detail"]
    assert entry["detail"] in printed.err


@pytest.mark.parametrize("command", ["compare", "measure"])
def test_measuring_commands_do_not_have_it(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "a.jpg", "--models", "mini", "--decode", "reduced") == 2
    assert "--decode" in capsys.readouterr().err


def test_no_other_way_to_decode() -> None:
    with pytest.raises(ValueError, match="full, reduced"):
        Run(decode="half")

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skimage.data
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor

import dinoscope as ds
from dinoscope.errors import InputError, NoUsablePhotographError
from dinoscope.exports.certificate import Limits
from dinoscope.exports.certify import certify
from dinoscope.exports.export import write_onnx, write_openvino
from dinoscope.exports.onnx_file import OnnxModel
from dinoscope.exports.openvino_file import OpenvinoModel
from dinoscope.exports.outputs import patches_in
from dinoscope.exports.text import certificate_json, certificate_text
from dinoscope.io.features import write_features
from dinoscope.pipeline.extract import extract
from tests.exports.faulty import (
    Halved,
    cropped_table,
    learned,
    normalised_by,
    patches,
    transposed,
    write_with,
)

PHOTO = skimage.data.coffee()[::4, ::4]
MINI = ds.load_backbone("mini")
SMALL = ((6, 9), (8, 8))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_onnx(MINI, tmp_path_factory.mktemp("onnx") / "mini.onnx")


def test_a_sound_export_passes_on_every_grid(exported: Path) -> None:
    found = certify(MINI, exported, [PHOTO, skimage.data.rocket()], grids=(*SMALL, (9, 6)))
    assert found.passed and found.worst > 1 - 1e-9 and found.cause == "" and found.notes == ()
    assert list(found.by_grid) == [(6, 9), (8, 8), (9, 6)] and len(found.readings) == 6
    assert found.verdict.startswith("passes. ") and "344 patches in 2 photographs" in found.verdict


def test_openvino_takes_every_size_and_its_faults_are_found(tmp_path: Path) -> None:
    import openvino

    path = write_openvino(MINI, tmp_path / "mini.xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mini.bin", "mini.xml"]
    found = certify(MINI, path, PHOTO, grids=(*SMALL, (9, 6)))
    assert found.passed and found.worst > 1 - 1e-6 and list(found.by_grid) == [*SMALL, (9, 6)]
    assert OpenvinoModel(path).arithmetic == "float32" and OpenvinoModel(path).size == (None, None)
    pixels = torch.randn(1, 3, 16, 24, generator=torch.Generator().manual_seed(0))
    outputs = OpenvinoModel(path)(pixels.numpy())
    assert set(outputs) == {"patches", "cls"}
    np.testing.assert_allclose(outputs["cls"], MINI.forward(pixels).cls[5], atol=1e-4)
    assert not certify("mini-gram", path, PHOTO, grids=SMALL[:1], name_cause=False).passed
    graph = openvino.Core().read_model(str(path))
    openvino.save_model(graph, str(tmp_path / "half.xml"), compress_to_fp16=True)
    assert OpenvinoModel(tmp_path / "half.xml").arithmetic == "float16"
    side = MINI.spec.patch_size
    graph.reshape([1, 3, 4 * side, 6 * side])
    openvino.save_model(graph, str(tmp_path / "fixed.xml"), compress_to_fp16=False)
    fixed = certify(MINI, tmp_path / "fixed.xml", PHOTO)
    assert fixed.passed and list(fixed.by_grid) == [(4, 6)] and "fixed to" in fixed.notes[0]
    with pytest.raises(InputError, match=r"ends in \.xml"):
        write_openvino(MINI, tmp_path / "mini.bin")


def test_a_backbone_in_16_bits_is_an_export_too() -> None:
    found = certify("mini", MINI.to("cpu", torch.bfloat16), PHOTO, grids=SMALL[:1], name_cause=False)
    assert found.exported == "mini" and 0.99 < found.mean < 1 - 1e-7


def test_the_cosines_lie_where_the_patches_do() -> None:
    """One patch is turned around: an independent loop finds the same map."""

    def run(pixels: Tensor) -> Tensor:
        found = patches(MINI, pixels).clone()
        found[:, 2, 5] *= -1
        return found

    found = certify(MINI, run, PHOTO, grids=[(6, 9)], name_cause=False)
    (reading,) = found.readings
    assert reading.cosines is not None
    ours = next(extract(PHOTO, MINI, grid=(6, 9))).values
    for row in range(6):
        for column in range(9):
            sign = -1 if (row, column) == (2, 5) else 1
            v = ours[row, column].astype(np.float64)
            want = sign * float(v @ v) / float(np.linalg.norm(v)) ** 2
            assert reading.cosines[row, column] == pytest.approx(want, abs=1e-6)
    assert reading.worst_place == pytest.approx((5.5 / 9, 2.5 / 6))
    assert not found.passed and found.mean == pytest.approx(1 - 2 / 54, abs=1e-6)


@pytest.mark.parametrize(
    ("model", "run", "change", "said"),
    [
        (MINI, normalised_by(0.5, 0.5, MINI), "stats=half", "mean and std 0.5"),
        (MINI, normalised_by(0.0, 1.0, MINI), "stats=none", "no normalisation"),
        (MINI, transposed, "layout=columns", "in the order of columns, and cut into rows"),
        (learned(), cropped_table, "positions=cut", "cut to the grid instead of resized"),
    ],
    ids=["normalisation", "none", "transposed", "cropped"],
)
def test_a_planted_fault_is_found_and_named(model: Any, run: Any, change: str, said: str) -> None:
    found = certify(model, run, PHOTO, grids=SMALL)
    assert not found.passed
    assert found.change == change and said in found.cause
    assert said in found.verdict
    without = certify(model, run, PHOTO, grids=SMALL, name_cause=False)
    assert not without.passed and without.cause == ""


def test_an_overflow_in_16_bits_is_found_and_named(tmp_path: Path) -> None:
    whole = write_with(lambda graph: Halved(graph, 1.0), tmp_path / "half.onnx")
    assert certify(MINI, whole, PHOTO, grids=SMALL).passed
    over = write_with(lambda graph: Halved(graph, 1e5), tmp_path / "over.onnx")
    found = certify(MINI, over, PHOTO, grids=SMALL)
    assert not found.passed and found.change == "float16 overflow" and "65,504" in found.cause
    assert sum(r.n_not_finite for r in found.readings) > 0


def test_numbers_that_are_none_are_found_without_a_graph_too() -> None:
    found = certify(MINI, lambda x: patches(MINI, x) / 0, PHOTO, grids=SMALL)
    assert not found.passed and found.change == "not finite" and found.mean == 0.0


def test_8_bits_are_measured_and_named(exported: Path, tmp_path: Path) -> None:
    small = tmp_path / "int8.onnx"
    quantize_dynamic(exported, small, weight_type=QuantType.QInt8)
    assert OnnxModel(small).arithmetic == "8-bit" and OnnxModel(exported).arithmetic == "float32"
    found = certify(MINI, small, PHOTO, grids=SMALL[:1], limits=Limits(1 - 1e-9, 1 - 1e-9))
    assert not found.passed and 0.5 < found.mean < 1 - 1e-6
    assert found.change == "8-bit arithmetic" and "8-bit" in found.cause
    assert certify(MINI, small, PHOTO, grids=SMALL[:1], limits=Limits(0.0, -1.0)).passed


def test_a_fixed_size_is_certified_and_said(exported: Path, tmp_path: Path) -> None:
    side = MINI.spec.patch_size
    model = onnx.load(exported)
    for axis, px in ((2, 4 * side), (3, 6 * side)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = px
    onnx.save(model, tmp_path / "fixed.onnx")
    found = certify(MINI, tmp_path / "fixed.onnx", PHOTO)
    assert found.passed and list(found.by_grid) == [(4, 6)]
    assert f"fixed to {4 * side}x{6 * side} pixels" in found.notes[0]
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 4 * side + 1
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(InputError, match="no whole number"):
        certify(MINI, tmp_path / "odd.onnx", PHOTO)


def test_sizes_that_are_written_into_the_graph_are_named(tmp_path: Path) -> None:
    class Baked(torch.nn.Module):
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner
            self.register_buffer("table", torch.zeros(1, 6, 128))  # for 2x3 patches, as it is traced

        def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
            found, cls = self.inner(pixels)
            return found + self.table, cls

    baked = write_with(Baked, tmp_path / "baked.onnx")
    found = certify(MINI, baked, PHOTO, grids=((2, 3), (3, 2), (4, 6)))
    assert not found.passed and found.change == "fixed size"
    assert "cannot be run on a grid of 4x6" in found.cause
    assert [r.cosines is None for r in found.readings] == [False, False, True]
    assert "cannot be run" in certificate_text(found)


def test_features_of_another_machine(tmp_path: Path) -> None:
    (features,) = extract(PHOTO, MINI, grid=(6, 9))
    np.save(tmp_path / "theirs.npy", features.values)
    assert certify(MINI, tmp_path / "theirs.npy", PHOTO).passed
    np.save(tmp_path / "turned.npy", features.values[::-1])
    assert not certify(MINI, tmp_path / "turned.npy", PHOTO, name_cause=False).passed
    with pytest.raises(InputError, match="one photograph, and 2"):
        certify(MINI, tmp_path / "theirs.npy", [PHOTO, PHOTO])
    path = tmp_path / "theirs.safetensors"
    write_features(path, {11: features}, format_="safetensors")
    assert certify(MINI, path, PHOTO).passed
    with pytest.raises(InputError, match="of another photograph"):
        certify(MINI, path, PHOTO[::-1])
    assert not certify(MINI, path, PHOTO).notes
    (keys,) = extract(PHOTO, MINI, grid=(6, 9), facet="key")
    write_features(path, {11: keys}, format_="safetensors")
    found = certify(MINI, path, PHOTO, name_cause=False)
    assert not found.passed
    assert found.notes == ("the file says that its features are of key:mini, not of mini",)
    np.save(tmp_path / "sequence.npy", features.values.reshape(54, -1))
    with pytest.raises(InputError, match="h w dim"):
        certify(MINI, tmp_path / "sequence.npy", PHOTO)


def test_bad_input_has_its_own_words(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    (tmp_path / "model.xml").write_text("<net/>")
    for model, export, said in [
        (MINI, tmp_path / "broken.onnx", "no ONNX file that can be run"),
        (MINI, tmp_path / "none.onnx", "there is no file"),
        (MINI, tmp_path / "model.xml", "no OpenVINO file that can be run"),
        (MINI, lambda x: x.mean(dim=(2, 3)), "no patch tokens"),
        (MINI, lambda x: patches(MINI, x)[..., :5], "5 channels, mini 128"),
        (MINI.to("cpu", torch.bfloat16), exported, "against float32"),
    ]:
        with pytest.raises(InputError, match=said):
            certify(model, export, PHOTO, grids=SMALL)
    gone: list[Any] = []
    found = certify(MINI, exported, [tmp_path / "gone.jpg", PHOTO], grids=SMALL, on_failure=gone.append)
    assert found.passed and len(gone) == 1
    with pytest.raises(NoUsablePhotographError):
        certify(MINI, exported, [tmp_path / "gone.jpg"], grids=SMALL, on_failure=gone.append)


@pytest.mark.parametrize("shape", [(1, 6, 4), (1, 9, 4), (1, 2, 3, 4)])
def test_patches_are_found_among_the_outputs(shape: tuple[int, ...]) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    found = patches_in({"pooled": np.zeros((1, 4)), "last_hidden_state": values}, (2, 3), 3)
    np.testing.assert_array_equal(found, values.reshape(-1, 4)[-6:])
    with pytest.raises(InputError, match=r"grid of 2x2 .*pooled \(1, 4\)"):
        patches_in({"pooled": np.zeros((1, 4)), "last_hidden_state": values[..., :3]}, (2, 2), 1)


def test_the_file_and_the_figure_hold_what_was_found() -> None:
    found = certify(MINI, transposed, PHOTO, grids=[(6, 9)])
    read = json.loads(certificate_json(found))
    assert read["passed"] is False and read["change"] == "layout=columns"
    assert np.shape(read["readings"][0]["cosines"]) == (6, 9)
    assert read["worst"] == pytest.approx(np.min(read["readings"][0]["cosines"]), abs=1e-6)
    figure = ds.plot_certificate(found)
    (shown,) = [
        image for axes in figure.axes for image in axes.get_images() if image.get_array().shape == (6, 9)
    ]
    np.testing.assert_allclose(
        10.0 ** shown.get_array(), 1 - np.array(read["readings"][0]["cosines"]), rtol=1e-3, atol=1e-6
    )

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from dinoscope.exports.onnx_file import OnnxModel
from tests.command_line import run


def test_what_is_exported_is_certified_and_a_fault_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo, file = tmp_path / "photo.png", tmp_path / "mini.onnx"
    Image.fromarray(skimage.data.coffee()[::4, ::4]).save(photo)
    assert run("export", "mini", "--out", file) == 0
    toy = "note: toy model (mini): to show how things work"
    said = capsys.readouterr().out
    assert "worst patch: drawn scene " in said
    assert "passes." in said and toy in said and OnnxModel(file).size == (None, None)
    assert run("certify", "mini", file, photo, "--grids", "6x9,9x6", "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert toy in printed and "passes." in printed and "6x9" in printed and "9x6" in printed
    read = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert (read["toy"], read["control"]) == (True, False)
    assert read["passed"] and (tmp_path / "out" / "where.png").stat().st_size > 1000
    words = ("certify", "mini-gram", file, photo, "--grids", "4x6", "--no-cause", "--json")
    assert run(*words) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False and np.shape(told["readings"][0]["cosines"]) == (4, 6)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("export", "mini", "--out", "mini.pt"), "ends in .onnx"),
        (("export", "mini", "--out", "m.onnx", "--format", "openvino"), "ends in .xml"),
        (
            ("export", "mini", "--out", "m.onnx", "--format", "coreml"),
            "'coreml' is not one of 'onnx', 'openvino'",
        ),
        (("certify", "mini", "none.onnx", "photo.png"), "no such file"),
        (("certify", "mini", __file__, "photo.png", "--grids", "12"), "--grids takes HxW"),
    ],
)
def test_what_cannot_be_asked(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(skimage.data.coffee()[::4, ::4]).save("photo.png")
    assert run(*words) == 2
    assert said in capsys.readouterr().err


def test_openvino_is_imported_without_telling_its_makers() -> None:
    code = (
        "import sys; from dinoscope.exports.openvino_file import _openvino; _openvino('here').Core(); "
        "assert 'openvino_telemetry' not in sys.modules; import openvino_telemetry"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr

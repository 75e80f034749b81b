"""Machines that lack something, and runs that are stopped: as a user of the commands meets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.errors import InputError
from dinoscope.io.features import read_features
from dinoscope.pipeline import fast, memory
from dinoscope.pipeline.fast import wanted_dtype
from tests.command_line import run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def commands(photos: Path, out: Path) -> list[tuple[object, ...]]:
    return [
        ("extract", photos, "--model", "pixels", "--grid", 4, "--out", out),
        ("measure", photos, "--models", "pixels", "--grid", 4, "--out", out),
        ("compare", photos, "--models", "pixels", "--grid", 4, "--out", out),
    ]


def test_no_gpu_where_one_is_asked_for(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for words in commands(photos, tmp_path / "out"):
        assert run(*words, "--device", "cuda") == 2
        assert "torch sees no CUDA GPU here; use cpu or auto" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_gpu_without_bfloat16(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fast, "capability", lambda device: (7, 5))
    cuda = torch.device("cuda")
    with pytest.raises(InputError, match=r"7\.5.*no bfloat16"):
        wanted_dtype("bfloat16", cuda)
    with pytest.raises(InputError, match=r"7\.5.*no bfloat16"):
        wanted_dtype("bfloat16", cuda, autocast=True)
    assert wanted_dtype("float32", cuda, autocast=True) == torch.float16
    assert wanted_dtype("float32", cuda) == torch.float32
    monkeypatch.setattr(fast, "capability", lambda device: (9, 0))
    assert wanted_dtype("float32", cuda, autocast=True) == torch.bfloat16
    monkeypatch.undo()
    assert wanted_dtype("float32", torch.device("cpu"), autocast=True) == torch.float32
    for module in ("dinoscope.backbones.load", "dinoscope.shell.terminal"):  # a GPU that is there
        monkeypatch.setattr(f"{module}.torch_device", torch.device)
    monkeypatch.setattr(fast, "capability", lambda device: (6, 1))
    for words in commands(photos, tmp_path / "out"):
        assert run(*words, "--device", "cuda", "--dtype", "bfloat16") == 2
        assert "has no bfloat16 arithmetic; use float16 or float32" in capsys.readouterr().err


def test_too_little_memory_is_told_with_the_figure_and_what_fits(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 2**20)
    words = ("extract", photos, "--model", "mini", "--grid", 64, "--out", tmp_path / "out")
    assert run(*words) == 2
    said = capsys.readouterr().err
    assert "GiB" in said and "fits" in said
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("autocast", [False, True])
def test_16_bits_by_command(photos: Path, tmp_path: Path, autocast: bool) -> None:
    words = ("--model", "mini", "--grid", 4, "--out", tmp_path / "out", "--dtype", "bfloat16")
    assert run("extract", photos, *words, *(["--autocast"] if autocast else [])) == 0
    (features, *_) = read_features(next((tmp_path / "out").iterdir())).values()
    assert features.provenance.dtype == "bfloat16"
    assert (
        run("extract", photos, "--model", "mini", "--grid", 4, "--out", tmp_path / "same", "--autocast") == 0
    )
    (features, *_) = read_features(next((tmp_path / "same").iterdir())).values()
    assert features.provenance.dtype == ("float32" if not torch.cuda.is_available() else "bfloat16")


def test_the_certificate_is_in_what_the_commands_write(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fast_way = ("--dtype", "bfloat16", "--allow-inexact", "--profile", "--no-controls")
    for words in commands(photos, tmp_path / "out")[1:]:
        assert run(*words, *fast_way) == 0
        assert "most of it goes to" in capsys.readouterr().err
        written = (tmp_path / "out" / "metrics.json").read_text()
        assert "pixels, bfloat16: cosine to float32 eager" in written
    assert "cosine to float32 eager" in (tmp_path / "out" / "manifest.json").read_text()
    assert "cosine to float32 eager" in (tmp_path / "out" / "report.html").read_text()


def test_ctrl_c_in_mid_batch_leaves_no_process_and_no_half_file(tmp_path: Path) -> None:
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "0000.jpg", quality=95)
    data = (folder / "0000.jpg").read_bytes()
    for i in range(1, 2000):
        (folder / f"{i:04d}.jpg").write_bytes(data)
    words = ["extract", folder, "--model", "pixels", "--out", out]
    started = subprocess.Popen(
        [sys.executable, "-c", "from dinoscope.cli import main; main()", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        until = time.monotonic() + 300
        while not list(out.glob("0*.safetensors")) and time.monotonic() < until:
            time.sleep(0.02)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=300)
    finally:
        started.kill()
    assert started.returncode == 130, said
    assert "Traceback" not in said
    assert "dinoscope: interrupted; nothing half-written is left" in said
    with pytest.raises(ProcessLookupError):
        os.killpg(started.pid, 0)  # nobody of its group is left
    written = list(out.iterdir())
    assert 0 < len(written) < 2000
    assert {path.suffix for path in written} == {".safetensors"}
    for path in written:
        read_features(path)

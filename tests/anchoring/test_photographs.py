from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.anchoring.photographs import read_memory
from dinoscope.errors import InputError, NoUsablePhotographError
from tests.anchoring.small_runs import write_photographs


def test_photographs_are_read_by_name_and_reduced(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path, n=5, side=64)
    (folder / "03x.png").write_bytes(b"not a photograph")
    memory = read_memory(folder, batch=5, crop_px=16, memory_px=32)
    assert memory.names == ("00.png", "01.png", "02.png", "03.png", "04.png")
    assert all(min(pixels.shape[:2]) == 32 for pixels in memory.pixels)
    assert [Path(failure.source).name for failure in memory.failures] == ["03x.png"]
    whole = read_memory(folder, batch=5, crop_px=16, memory_px=0)
    assert whole.pixels[1].shape == (66, 67, 3)
    assert whole.digest != memory.digest
    (folder / "03x.png").unlink()
    assert read_memory(folder, batch=5, crop_px=16, memory_px=32).digest == memory.digest


def test_fewer_photographs_than_a_batch_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="3 photographs are fewer than a batch of 4"):
        read_memory(write_photographs(tmp_path, n=3), batch=4, crop_px=16, memory_px=32)


def test_identical_photographs_are_refused_also_from_different_files(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path, n=1)
    for i in range(3):
        shutil.copy(folder / "00.png", folder / f"copy{i}.png")
    Image.open(folder / "00.png").save(folder / "again.bmp")
    with pytest.raises(InputError, match="all 5 photographs are the same picture"):
        read_memory(folder, batch=2, crop_px=16, memory_px=32)


def test_photographs_smaller_than_a_crop_are_named(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path, n=4)
    Image.fromarray(np.zeros((15, 40, 3), np.uint8)).save(folder / "thin.png")
    with pytest.raises(
        InputError, match=r"1 photographs are smaller than a crop of 16 px.*thin\.png \(40x15\)"
    ):
        read_memory(folder, batch=2, crop_px=16, memory_px=32)


def test_no_photographs_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="neither a folder"):
        read_memory(tmp_path / "nowhere", batch=2, crop_px=16, memory_px=32)
    (tmp_path / "broken.jpg").write_bytes(b"no")
    with pytest.raises(NoUsablePhotographError, match="broken"):
        read_memory(tmp_path, batch=2, crop_px=16, memory_px=32)

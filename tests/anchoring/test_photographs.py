from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.anchoring.photographs import Packed, read_memory
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


def test_a_tar_holds_the_photographs_of_its_folder(tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "folder", n=5, side=40)
    with tarfile.open(tmp_path / "all.tar", "w") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, f"class/{path.name}")
    unpacked, packed = (
        read_memory(source, batch=5, crop_px=16, memory_px=32) for source in (folder, tmp_path / "all.tar")
    )
    assert packed.digest == unpacked.digest and packed.names == unpacked.names
    for i in range(5):
        assert np.array_equal(packed.pixels[i], unpacked.pixels[i])
        assert not packed.pixels[i].flags.writeable
    twice = read_memory([folder, tmp_path / "all.tar"], batch=5, crop_px=16, memory_px=32)
    assert np.array_equal(twice.pixels[7], unpacked.pixels[2])


def test_pictures_come_back_as_they_went_in() -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 256, (3 + i, 7 - i, 3), dtype=np.uint8) for i in range(5)]
    packed = Packed(iter([*pictures, pictures[0][:, ::-1]]))
    assert len(packed) == 6
    assert all(np.array_equal(a, b) for a, b in zip(packed, pictures, strict=False))
    assert np.array_equal(packed[-1], pictures[0][:, ::-1])
    with pytest.raises(IndexError):
        packed[6]


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

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import ImageError
from dinoscope.io.region_mask import read_region_mask


def inside() -> np.ndarray:
    mask = np.zeros((6, 8), bool)
    mask[1:4, 2:7] = True
    return mask


@pytest.mark.parametrize("kind", ["8 bits", "1 bit", "16 bits", "grey RGB", "faint"])
def test_what_is_not_black_is_inside(tmp_path: Path, kind: str) -> None:
    path, mask = tmp_path / "mask.png", inside()
    image = {
        "8 bits": Image.fromarray(mask.astype(np.uint8) * 255),
        "1 bit": Image.fromarray(mask),
        "16 bits": Image.fromarray(mask.astype(np.uint16) * 700),
        "grey RGB": Image.fromarray(np.repeat(mask[..., None].astype(np.uint8) * 200, 3, axis=2)),
        "faint": Image.fromarray(mask.astype(np.uint8)),
    }[kind]
    image.save(path)
    np.testing.assert_array_equal(read_region_mask(path, (8, 6)), mask)


def test_other_sizes_empty_masks_and_pictures_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(inside()).save(path)
    with pytest.raises(ImageError, match="8x6 px, the photograph 6x8"):
        read_region_mask(path, (6, 8))
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(path)
    with pytest.raises(ImageError, match="empty"):
        read_region_mask(path, (8, 6))
    for image in (
        Image.new("RGB", (8, 6), "red"),
        Image.new("RGBA", (8, 6)),
        Image.new("RGB", (8, 6), "white").quantize(2),
    ):
        image.save(path)
        with pytest.raises(ImageError, match="greyscale"):
            read_region_mask(path, (8, 6))
    path.write_bytes(b"no image")
    for missing in (path, tmp_path / "nowhere.png"):
        with pytest.raises(ImageError, match="cannot be read"):
            read_region_mask(missing, (8, 6))

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.masks import find_masks, read_annotation, read_labels
from dinoscope.scenes.write import write_scenes

SIZE = (40, 30)


def photograph(name: str = "a.jpg") -> Photograph:
    return Photograph(name, "0" * 64, SIZE, np.zeros((30, 40, 3), np.uint8))


def labels(*, high: int = 3, shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    return (np.arange(shape[0] * shape[1]).reshape(shape) % (high + 1)).astype(np.uint8)


def test_a_mask_is_found_by_the_photographs_name(tmp_path: Path) -> None:
    Image.fromarray(labels()).save(tmp_path / "a.png")
    found = read_annotation(find_masks(tmp_path), photograph())
    np.testing.assert_array_equal(found.regions, labels())
    assert found.classes is found.regions and found.second is None
    with pytest.raises(ImageError, match=r"no mask b\.png"):
        read_annotation(find_masks(tmp_path), photograph("b.jpg"))


def test_instances_and_classes_lie_apart(tmp_path: Path) -> None:
    for kind, high in (("instance", 3), ("class", 1)):
        (tmp_path / kind).mkdir()
        Image.fromarray(labels(high=high)).save(tmp_path / kind / "a.png")
    found = read_annotation(find_masks(tmp_path), photograph())
    assert found.regions.max() == 3 and found.classes.max() == 1


def test_scenes_bring_their_second_view(tmp_path: Path) -> None:
    write_scenes(tmp_path / "s", 1, 0, size=(48, 32))
    image = Photograph("0000.png", "0" * 64, (48, 32), np.zeros((32, 48, 3), np.uint8))
    for folder in (tmp_path / "s", tmp_path / "s" / "masks"):
        masks = find_masks(folder)
        assert read_annotation(masks, image).second is None
        second = read_annotation(masks, image, second_view=True).second
        assert second is not None
        assert second.flow.shape == (32, 48, 2) and second.valid.shape == (32, 48)
        assert second.photograph.size == (48, 32)


def test_255_in_8_bits_is_unknown_and_256_in_16_is_a_label(tmp_path: Path) -> None:
    values = labels()
    values[0, 0] = 255
    Image.fromarray(values).save(tmp_path / "a.png")
    assert read_labels(tmp_path / "a.png", SIZE)[0, 0] == -1
    wide = values.astype(np.uint16)
    wide[0, 1] = 256
    Image.fromarray(wide).save(tmp_path / "b.png")
    assert read_labels(tmp_path / "b.png", SIZE)[0, :2].tolist() == [255, 256]


def test_a_palette_means_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(labels()).convert("P")
    image.putdata(labels().ravel().tolist())
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "a.png", SIZE), labels())


def test_another_resolution_is_fine_and_another_shape_is_not(tmp_path: Path) -> None:
    Image.fromarray(labels(shape=(15, 20))).save(tmp_path / "half.png")
    assert read_labels(tmp_path / "half.png", SIZE).shape == (15, 20)
    Image.fromarray(labels(shape=(40, 30))).save(tmp_path / "turned.png")
    with pytest.raises(ImageError, match="30x40 px, the photograph 40x30"):
        read_labels(tmp_path / "turned.png", SIZE)


def test_what_is_no_label_image_is_refused_in_words(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "colour.png")
    (tmp_path / "noise.png").write_bytes(b"\x89PNG nothing")
    np.save(tmp_path / "real.npy", np.zeros((30, 40)))
    np.save(tmp_path / "below.npy", np.full((30, 40), -2))
    for name, words in (
        ("colour.png", "one channel"),
        ("noise.png", "cannot be read"),
        ("real.npy", "whole numbers"),
        ("below.npy", "labels start at -1"),
    ):
        with pytest.raises(ImageError, match=words):
            read_labels(tmp_path / name, SIZE)


def test_a_folder_without_masks_says_what_would_be_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no label images"):
        find_masks(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find_masks(tmp_path / "missing")

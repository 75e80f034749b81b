from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io import masks as masks_module
from dinoscope.io.images import read_photograph
from dinoscope.io.label_images import read_labels, read_values, without_grey_edges
from dinoscope.io.masks import SAMPLED, find_masks, read_annotation
from dinoscope.io.region_mask import read_region_mask
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
    assert found.second is None
    with pytest.raises(ImageError, match=r"no mask b\.png"):
        read_annotation(find_masks(tmp_path), photograph("b.jpg"))


def test_instances_and_classes_lie_apart(tmp_path: Path) -> None:
    for kind, high in (("instance", 3), ("class", 1)):
        (tmp_path / kind).mkdir()
        Image.fromarray(labels(high=high)).save(tmp_path / kind / "a.png")
    found = read_annotation(find_masks(tmp_path), photograph())
    assert found.regions.max() == 3
    assert found.classes is not None and found.classes.max() == 1
    assert find_masks(tmp_path).kind.has_objects and find_masks(tmp_path).kind.has_classes


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


@pytest.mark.parametrize(("kind", "orientation"), [("png", 6), ("png", 3), ("tif", 8), ("png", 1)])
def test_masks_are_turned_by_exif_as_photographs_are(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = labels()
    Image.fromarray(stored).save(tmp_path / f"a.{kind}", exif=exif)
    Image.fromarray(np.repeat(stored[..., None], 3, axis=2)).save(tmp_path / "photograph.png", exif=exif)
    beside = read_photograph(tmp_path / "photograph.png")
    seen = read_labels(tmp_path / f"a.{kind}", beside.size)
    np.testing.assert_array_equal(seen, beside.pixels[..., 0])
    inside = read_region_mask(tmp_path / f"a.{kind}", beside.size)
    np.testing.assert_array_equal(inside, beside.pixels[..., 0] > 0)


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


def save(folder: Path, name: str, values: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(folder / f"{name}.png")


def bands(*numbers: int) -> np.ndarray:
    return np.repeat(np.array(numbers, np.uint8), 60 // len(numbers))[:, None] * np.ones((1, 80), np.uint8)


def test_the_whole_folder_says_what_its_numbers_mean(tmp_path: Path) -> None:
    for k in range(6):
        save(tmp_path / "people", f"{k}", bands(*range(1, k + 3)))
        save(tmp_path / "street", f"{k}", bands(1, 2, 4 + k % 2, 255) if k else bands(1, 2, 3))
        save(tmp_path / "things", f"{k}", bands(*range(k + 1)))
    found = {name: find_masks(tmp_path / name).kind for name in ("people", "street", "things")}
    assert {name: kind.name for name, kind in found.items()} == {
        "people": "regions",
        "street": "classes",
        "things": "instances",
    }
    assert all(kind.sure for kind in found.values())
    first = read_annotation(find_masks(tmp_path / "street"), photograph("0.jpg"))
    assert first.classes is first.regions and first.kind.has_classes
    assert read_annotation(find_masks(tmp_path / "people"), photograph("0.jpg")).classes is None
    assert read_annotation(find_masks(tmp_path / "things"), photograph("0.jpg")).classes is None


def test_the_kind_can_be_said(tmp_path: Path) -> None:
    save(tmp_path, "0", bands(0, 1, 2))
    for kind in ("regions", "instances", "classes"):
        masks = find_masks(tmp_path, kind)
        assert masks.kind.name == kind and masks.kind.sure
        assert (masks.classes is not None) == (kind == "classes")
        assert masks.kind.has_background == (kind != "regions")
    with pytest.raises(InputError, match="regions, instances or classes, not 'things'"):
        find_masks(tmp_path, "things")


def test_a_large_folder_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(SAMPLED + 20):
        save(tmp_path, f"{k:03d}", bands(1, 2))
    read: list[str] = []

    def count(path: Path) -> np.ndarray:
        read.append(path.stem)
        return read_values(path)

    monkeypatch.setattr(masks_module, "read_values", count)
    find_masks(tmp_path)
    assert len(read) == SAMPLED and {read[0], read[-1]} == {"000", f"{SAMPLED + 19:03d}"}


def test_0_and_255_alone_are_a_background_and_an_object(tmp_path: Path) -> None:
    save(tmp_path, "0", bands(0, 255))
    save(tmp_path, "1", bands(0))
    masks = find_masks(tmp_path)
    assert masks.kind.name == "instances" and masks.kind.binary
    found = read_annotation(masks, photograph("0.jpg")).regions
    assert sorted(np.unique(found)) == [0, 1] and found[-1, 0] == 1
    for kind in ("regions", "classes"):
        assert read_annotation(find_masks(tmp_path, kind), photograph("0.jpg")).regions.max() == 1
    save(tmp_path, "2", bands(0, 3, 255))
    three = find_masks(tmp_path)
    assert not three.kind.binary
    assert sorted(np.unique(read_annotation(three, photograph("0.jpg")).regions)) == [-1, 0]
    with pytest.raises(ImageError, match="besides 0 and 255"):
        read_annotation(masks, photograph("2.jpg"))


def test_two_masks_of_one_photograph_are_refused_and_itself_is_none(tmp_path: Path) -> None:
    save(tmp_path, "a", bands(0, 1))
    Image.fromarray(labels(high=200)).save(tmp_path / "a.tif")
    beside = replace(photograph("a.tif"), source=str(tmp_path / "a.tif"))
    assert read_annotation(find_masks(tmp_path), beside).regions.max() == 1
    with pytest.raises(ImageError, match=r"which of the masks 'a.png' and 'a.tif' is meant"):
        read_annotation(find_masks(tmp_path), photograph())


def test_0_and_1_beside_0_and_255_is_told(tmp_path: Path) -> None:
    for i in range(8):
        save(tmp_path, str(i), bands(0, 1, 255) if i % 2 else bands(0, 1))
    assert find_masks(tmp_path).kind.sure
    save(tmp_path, "8", bands(0, 255))
    mixed = find_masks(tmp_path).kind
    assert not mixed.sure and mixed.reason.startswith("1 of 9 label images hold 0 and 255 alone")


def test_a_folder_is_known_by_its_name_and_by_what_it_holds(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        save(tmp_path / name / "masks-1", "0", bands(1, 2) if name != "b" else bands(*range(1, 7)))
    first, second, third = (find_masks(tmp_path / name / "masks-1") for name in ("a", "b", "c"))
    assert first.name == second.name == "masks-1"
    assert first.digest == third.digest != second.digest


def test_messages_do_not_tell_where_masks_lie(tmp_path: Path) -> None:
    save(tmp_path / "mine", "0", bands(1, 2))
    with pytest.raises(ImageError) as error:
        read_annotation(find_masks(tmp_path / "mine"), photograph("9.jpg"))
    assert "'mine'" in str(error.value) and str(tmp_path) not in str(error.value)


def test_a_folder_none_of_whose_label_images_can_be_read_says_why(tmp_path: Path) -> None:
    for name in "ab":
        Image.new("RGB", SIZE).save(tmp_path / f"{name}.png")
    kind = find_masks(tmp_path).kind
    assert not kind.sure and "none of the label images looked at can be read" in kind.because
    assert "'a.png'" in kind.because and "this one is RGB" in kind.because
    Image.fromarray(labels()).save(tmp_path / "b.png")
    assert "can be read" not in find_masks(tmp_path).kind.because


def test_grey_edges_of_a_mask_of_0_and_255_are_cut_at_half() -> None:
    rows, cols = np.mgrid[:120, :160]
    disc = (((rows - 60) ** 2 + (cols - 80) ** 2 < 40**2) * 255).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(disc).resize((81, 61), Image.Resampling.BILINEAR))
    hard = without_grey_edges(smooth)
    assert set(np.unique(hard)) == {0, 255} and len(np.unique(smooth)) > 34
    np.testing.assert_array_equal(hard == 255, smooth >= 128)
    np.testing.assert_array_equal(without_grey_edges(disc), disc)


def test_the_noise_of_a_jpeg_at_both_ends_is_cut_at_half(tmp_path: Path) -> None:
    plain = np.zeros((60, 80), np.uint8)
    plain[10:40, 10:30] = plain[5:20, 50:70] = 255
    Image.fromarray(plain).save(tmp_path / "a.png", "JPEG")
    with Image.open(tmp_path / "a.png") as image:
        assert len(np.unique(np.asarray(image))) > 4
    np.testing.assert_array_equal(read_values(tmp_path / "a.png"), plain)


@pytest.mark.parametrize(
    "kind",
    ["cells", "classes with unknown borders", "16 bits", "noise between", "first and last classes"],
)
def test_labels_are_no_grey_edges(kind: str) -> None:
    labels = np.zeros((120, 160), np.uint8)
    for k in range(80):  # little squares, numbered over the whole range
        labels[12 * (k // 16) : 12 * (k // 16) + 8, 10 * (k % 16) : 10 * (k % 16) + 5] = 3 * k + 15
    if kind == "classes with unknown borders":
        labels = np.where(labels > 0, labels % 21, 0).astype(np.uint8)
        labels[:, ::20] = 255
    elif kind == "16 bits":
        labels = labels.astype(np.uint16)
    elif kind == "first and last classes":
        labels = np.where(labels > 120, labels % 3 + 240, labels % 14).astype(np.uint8)
        labels[:, :30] = 100
    elif kind == "noise between":
        labels = np.random.default_rng(0).integers(0, 256, labels.shape, dtype=np.uint8)
    np.testing.assert_array_equal(without_grey_edges(labels), labels)

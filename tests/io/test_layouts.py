"""Small copies of public data sets' folders: the right labels, and what they mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.comparison.masks import open_masks
from dinoscope.errors import ImageError, InputError
from dinoscope.io.layouts import LAYOUTS, find_layout
from tests.command_line import run

PALETTE = list(range(256)) * 3

PLACES = {  # photograph, its labels, values in the file, what they mean
    "voc": ("JPEGImages/a.jpg", "SegmentationClass/a.png", [0, 15, 255], [0, 15, -1]),
    "ade20k": ("images/validation/a.jpg", "annotations/validation/a.png", [0, 1, 150], [-1, 1, 150]),
    "cityscapes": (
        "leftImg8bit/val/ulm/ulm_1_leftImg8bit.png",
        "gtFine/val/ulm/ulm_1_gtFine_labelIds.png",
        [7, 4, 26],
        [7, -1, 26],
    ),
    "coco-stuff": ("images/val2017/1.jpg", "stuffthingmaps/val2017/1.png", [0, 181, 255], [0, 181, -1]),
    "davis": ("JPEGImages/480p/bear/00000.jpg", "Annotations/480p/bear/00000.png", [0, 1, 2], [0, 1, 2]),
}


def lay_out(root: Path, name: str, values: list[int] | None = None, *, palette: bool = False) -> Path:
    """One photograph with its labels, three stripes; returns the photograph."""
    image, labels, held, _ = PLACES[name]
    for place in (image, labels):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (48, 48, 3), dtype=np.uint8)).save(root / image)
    stripes = np.repeat(np.array(values or held, np.uint8), 16)[None].repeat(48, axis=0)
    picture = Image.fromarray(stripes)
    if palette:
        picture.putpalette(PALETTE)
    picture.save(root / labels)
    return root / image


@pytest.mark.parametrize("name", LAYOUTS)
def test_labels_are_found_below_the_same_folders_and_read_as_the_data_set_means_them(
    name: str, tmp_path: Path
) -> None:
    photograph = ds.read_photograph(lay_out(tmp_path, name, palette=name in ("voc", "davis")))
    masks = find_layout(tmp_path, name)
    assert masks.has(photograph)
    annotation = masks.read(photograph)
    assert annotation.regions[0, [0, 16, 32]].tolist() == PLACES[name][3]
    assert annotation.kind.has_classes == (name != "davis") == (annotation.classes is not None)
    assert annotation.kind.has_objects == (name == "davis")
    assert annotation.kind.has_background == (name in ("voc", "davis"))
    (opened,) = open_masks(masks)
    assert opened.has(photograph) and opened.read(photograph, print) is not None and name in opened.name
    before = masks.digest
    (tmp_path / PLACES[name][1]).write_bytes(b"other")
    assert masks.digest != before


def test_objects_of_0_and_255_are_objects(tmp_path: Path) -> None:
    """DAVIS 2016 has one object, 255; in 2017 they are counted from 1."""
    photograph = ds.read_photograph(lay_out(tmp_path, "davis", [0, 255, 0]))
    assert find_layout(tmp_path, "davis").read(photograph).regions[0, [0, 16]].tolist() == [0, 1]


def test_frames_of_one_name_in_two_sequences_have_their_own_labels(tmp_path: Path) -> None:
    first = lay_out(tmp_path, "davis")
    other = tmp_path / "JPEGImages/480p/camel/00000.jpg"
    labels = tmp_path / "Annotations/480p/camel/00000.png"
    for place in (other, labels):
        place.parent.mkdir(parents=True)
    Image.open(first).rotate(90).save(other)
    Image.fromarray(np.full((48, 48), 7, np.uint8)).save(labels)
    masks = find_layout(tmp_path, "davis")
    assert masks.read(ds.read_photograph(other)).regions.min() == 7
    assert masks.read(ds.read_photograph(first)).regions.max() == 2


def test_what_does_not_fit_a_layout(tmp_path: Path) -> None:
    lay_out(tmp_path, "voc")
    masks = find_layout(tmp_path, "voc")
    Image.new("RGB", (48, 48), "red").save(tmp_path / "elsewhere.jpg")
    with pytest.raises(ImageError, match="lies below no folder 'JPEGImages'"):
        masks.read(ds.read_photograph(tmp_path / "elsewhere.jpg"))
    Image.new("RGB", (48, 48), "red").save(tmp_path / "JPEGImages" / "b.jpg")
    with pytest.raises(ImageError, match=r"no labels 'b\.png'"):
        masks.read(ds.read_photograph(tmp_path / "JPEGImages" / "b.jpg"))
    for root, name, said in [
        (tmp_path, "pascal", "there are voc, ade20k"),
        (tmp_path, "cityscapes", "no folder gtFine or gtCoarse"),
        (tmp_path / "none", "voc", "not laid out as voc"),
    ]:
        with pytest.raises(InputError, match=said):
            find_layout(root, name)
    (tmp_path / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(InputError, match="holds no label images"):
        find_layout(tmp_path, "voc")


def test_the_command_scores_against_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay_out(tmp_path, "voc", [0, 15, 0])
    words = ("measure", tmp_path / "JPEGImages", "--models", "pixels", "--grid", 6, "--no-controls")
    assert run(*words, "--masks", tmp_path, "--layout", "voc", "--json") == 0
    assert '"boundary_auc"' in capsys.readouterr().out
    assert run(*words, "--layout", "voc") == 2 and "name that folder, too" in capsys.readouterr().err
    assert run(*words, "--masks", tmp_path, "--layout", "voc", "--mask-kind", "regions") == 2
    assert "laid out as classes" in capsys.readouterr().err


def test_a_data_sets_label_images_are_no_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in PLACES:
        lay_out(tmp_path / name, name)
        root = tmp_path / name
        words = ("--masks", root, "--layout", name, "--models", "pixels", "--grid", "4", "--json")
        assert run("measure", root, "--recursive", *words) == 0
        assert len(json.loads(capsys.readouterr().out)["images"]) == 1
    labels = tmp_path / "voc" / "SegmentationClass"
    voc = ("--masks", tmp_path / "voc", "--layout", "voc", "--models", "pixels")
    assert run("measure", labels, *voc, "--grid", "4") == 2
    assert "lie below a folder 'JPEGImages'" in capsys.readouterr().err
    assert run("choose", tmp_path / "voc", "--recursive", *voc, "--grids", "4") == 2
    told = capsys.readouterr().err
    assert "1 photograph with masks" in told and "skipped" not in told


def test_what_is_left_out_of_a_choice_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photograph = lay_out(tmp_path, "voc")
    Image.open(photograph).rotate(180).save(photograph.parent / "b.jpg")
    words = ("--masks", tmp_path, "--layout", "voc", "--models", "pixels", "--grids", "4")
    assert run("choose", photograph.parent, *words) == 2
    assert "left out, for its mask in" in capsys.readouterr().err
    lay_out(tmp_path / "davis", "davis")
    davis = ("--masks", tmp_path / "davis", "--layout", "davis", "--models", "pixels", "--grids", "4")
    assert run("choose", tmp_path / "davis" / "JPEGImages", "--recursive", *davis) == 2
    told = capsys.readouterr().err
    assert "(--by)" in told and "--mask-kind" not in told  # a layout says what they are

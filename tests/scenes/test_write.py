import csv
import json

import numpy as np
import pytest
from PIL import Image

from dinoscope.errors import InputError
from dinoscope.scenes import write
from dinoscope.scenes.classes import class_names
from dinoscope.scenes.generate import scenes
from dinoscope.scenes.write import write_scenes

SETTINGS = {"size": (40, 32), "n_classes": 6, "background_correlation": 0.5}


class StoppedError(Exception):
    pass


def everything(folder):
    """Every file's bytes by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "new" / "three"
    assert write_scenes(folder, 3, 4, **SETTINGS) == 3
    return folder


def test_the_folder_holds_every_scene_as_it_was_drawn(three):
    made = list(scenes(3, 4, **SETTINGS))
    for each in made:
        name = f"{each.index:04d}"
        for place, view in ((three, each.first), (three / "second", each.second)):
            for kind, expected in (
                ("images", view.image),
                ("masks/instance", view.instances),
                ("masks/class", view.classes),
                ("masks/part", view.parts),
            ):
                with Image.open(place / kind / f"{name}.png") as found:
                    np.testing.assert_array_equal(np.asarray(found), expected)
        np.testing.assert_array_equal(np.load(three / "depth" / f"{name}.npy"), each.first.depth)
        with np.load(three / "flow" / f"{name}.npz") as found:
            np.testing.assert_array_equal(found["flow"], each.flow)
            np.testing.assert_array_equal(found["valid"], each.valid)
        record = json.loads((three / "objects" / f"{name}.json").read_text("utf-8"))
        assert record["order"] == list(each.order)
        assert record["label"]["background"] == each.label.background
        for said, known in zip(record["objects"], each.objects, strict=True):
            assert said["parts"] == list(known.parts)
            assert said["box"] == (None if known.box is None else list(known.box))
            assert (said["class_name"], said["depth"], said["visible"]) == (
                known.class_name,
                known.depth,
                known.visible,
            )
    with (three / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "name": f"{each.index:04d}.png",
            "label": each.label.class_name,
            "class_id": str(each.label.class_id),
            "background": each.label.background,
        }
        for each in made
    ]
    about = json.loads((three / "scenes.json").read_text("utf-8"))
    assert about["classes"] == list(class_names(6))
    assert (about["seed"], about["settings"]["size"]) == (4, [40, 32])
    assert len(everything(three)) == 2 + 3 * (4 + 4 + 3)


def test_a_run_stopped_in_the_middle_of_a_scene_goes_on_to_the_same_bytes(three, tmp_path, monkeypatch):
    views, write_view = [], write._write_view

    def stop(place, name, view):
        if len(views) == 3:
            raise StoppedError
        views.append(name)
        write_view(place, name, view)

    folder = tmp_path / "stopped"
    monkeypatch.setattr(write, "_write_view", stop)
    with pytest.raises(StoppedError):
        write_scenes(folder, 3, 4, **SETTINGS)
    assert views == ["0000", "0000", "0001"]
    assert not (folder / "labels.csv").exists()
    monkeypatch.undo()
    said = []
    assert write_scenes(folder, 3, 4, **SETTINGS, on_progress=said.append) == 2
    assert said == [1, 2, 3]
    assert everything(folder) == everything(three)


def test_more_scenes_are_added_and_none_is_drawn_twice(three, tmp_path, monkeypatch):
    folder = tmp_path / "grown"
    assert write_scenes(folder, 1, 4, **SETTINGS) == 1
    assert write_scenes(folder, 3, 4, **SETTINGS) == 2
    assert everything(folder) == everything(three)
    monkeypatch.setattr(write, "draw_scene", None)  # nothing is left to draw
    said = []
    assert write_scenes(folder, 3, 4, **SETTINGS, on_progress=said.append) == 0
    assert said == [3]
    assert write_scenes(folder, 2, 4, **SETTINGS) == 0  # fewer: what is there stays, and stays listed
    assert everything(folder) == everything(three)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 5}, "seed: 4 there, 5 asked for"),
        ({"blur": 0.9}, "blur: 0.3 there, 0.9 asked for"),
        ({"size": (32, 32)}, r"size: \[40, 32\] there"),
        ({"n_classes": 7}, "n_classes: 6 there"),
        ({"background_correlation": 0.0}, "background_correlation"),
    ],
)
def test_scenes_of_another_seed_or_other_settings_do_not_mix(three, changed, said):
    before = everything(three)
    with pytest.raises(InputError, match=said):
        write_scenes(three, 3, **{"seed": 4} | SETTINGS | changed)
    assert everything(three) == before


def test_a_folder_that_is_somebody_elses_is_refused_and_left_alone(tmp_path):
    foreign = tmp_path / "photographs"
    foreign.mkdir()
    (foreign / "cat.png").write_bytes(b"mine")
    with pytest.raises(InputError, match="other files"):
        write_scenes(foreign, 1, 0, size=(32, 32))
    assert everything(foreign) == {"cat.png": b"mine"}
    with pytest.raises(InputError, match="is a file"):
        write_scenes(foreign / "cat.png", 1, 0, size=(32, 32))


@pytest.mark.parametrize(
    ("text", "said"), [("{", "damaged"), ("[]", "not written by this"), ('{"settings": 1}', "not written")]
)
def test_a_description_that_is_not_ours_is_refused(tmp_path, text, said):
    (tmp_path / "scenes.json").write_text(text, "utf-8")
    with pytest.raises(InputError, match=said):
        write_scenes(tmp_path, 1, 0, size=(32, 32))


def test_bad_arguments_are_refused_before_a_folder_is_made(tmp_path):
    folder = tmp_path / "none"
    for n, seed, settings in ((0, 0, {}), (1, -1, {}), (1, 0, {"noise": 3.0}), (1, 0, {"size": (8, 8)})):
        with pytest.raises(InputError):
            write_scenes(folder, n, seed, **settings)
    assert not folder.exists()


def test_an_empty_folder_will_do(tmp_path):
    assert write_scenes(str(tmp_path), 1, 0, size=(32, 32)) == 1
    assert (tmp_path / "images" / "0000.png").is_file()

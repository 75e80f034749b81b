"""Every way of looking, held to the function that makes it; models are made comparable; gaps say why."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

import dinoscope as ds
from dinoscope.backbones.facets import facet_of
from dinoscope.errors import BackboneError, GridMismatchError, InputError
from dinoscope.looking.colouring import colouring
from dinoscope.looking.figure import plot_views
from dinoscope.looking.look import WAYS, LookSettings, look
from dinoscope.looking.views import Views
from tests.command_line import run
from tests.pipeline.test_text import saved

AT = (0.3, 0.7)
SETTINGS = LookSettings(at=AT, grid=8, clusters=3)


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return np.asarray(small.resize((128, 96), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def views(image: np.ndarray) -> Views:
    return look(image, ["mini", "pixels"], SETTINGS)


def named(views: Views, model: int) -> dict[str, object]:
    return {view.name: view for view in views.models[model].views}


def test_each_map_is_the_one_its_function_makes(views: Views, image: np.ndarray) -> None:
    mini = ds.load_backbone("mini")
    (f,) = ds.extract(image, mini, grid=8)
    (keys,) = ds.extract(image, facet_of(mini, "key"), grid=8)
    found = named(views, 0)
    assert np.array_equal(found["cosine with the patch"].values, ds.similarity_map(f, at=AT).values)
    assert np.array_equal(found["cosine of its key"].values, ds.similarity_map(keys, at=AT).values)
    row = ds.attention(image, mini, at=AT, grid=8)
    np.testing.assert_allclose(found["attention of the patch"].values, row.values * (row.values.size + 5))
    cls = ds.attention(image, mini, grid=8)
    np.testing.assert_allclose(found["class-token attention"].values, cls.values * (cls.values.size + 5))
    assert found["attention of the patch"].note.startswith("mean over heads; ")
    one = named(look(image, [mini], replace(SETTINGS, head=1)), 0)
    assert all(
        one[name].note.startswith("head 1; ") for name in ("attention of the patch", "class-token attention")
    )
    assert np.array_equal(found["clusters"].values, ds.fit_clusters(f, 3).label(f))
    assert found["2 times as fine"].values.shape == (16, 22, 3)
    assert found["guided upsampling"].values.shape == (32, 44, 3)
    # The finer map's own patches have the colours of the plain map.
    np.testing.assert_allclose(
        found["2 times as fine"].values[::2, ::2], found["principal components"].values
    )


def test_the_second_models_colours_and_numbers_follow_the_first(views: Views, image: np.ndarray) -> None:
    twice = look(image, ["mini", "mini"], SETTINGS)
    first, second = named(twice, 0), named(twice, 1)
    for name, view in first.items():
        np.testing.assert_allclose(second[name].values, view.values, atol=1e-9)
    labels = named(views, 0)["clusters"].values, named(views, 1)["clusters"].values
    (f,) = ds.extract(image, "pixels", grid=8)
    assert adjusted_rand_score(labels[1].ravel(), ds.fit_clusters(f, 3).label(f).ravel()) == 1.0


def test_what_a_model_has_not_says_why(views: Views) -> None:
    found = named(views, 1)
    for name in (
        "cosine of its key",
        "cosine of its value",
        "attention of the patch",
        "class-token attention",
    ):
        assert found[name].values is None
        assert "no attention blocks" in found[name].note
    assert [model.kind for model in views.models] == ["toy", "control"]
    assert sum(view.values is not None for view in views.models[1].views) == len(WAYS) - 4


def test_the_figure_has_every_map_that_there_is(views: Views) -> None:
    figure = plot_views(views)
    drawn = [axes for axes in figure.axes if axes.images]
    assert len(drawn) == 2 + 2 * len(WAYS) - 4
    texts = " ".join(text.get_text() for text in figure.texts)
    assert "control, not a trained model" in texts and "toy model; layer 5" in texts
    assert "no attention blocks" in " ".join(texts.split())
    for model in views.models:
        assert all(view.note in " ".join(texts.split()) for view in model.views), "a note is cut"


def test_long_notes_keep_off_the_headings_below_them(views: Views) -> None:
    first, *others = views.models[0].views
    long = replace(first, note="words that take three lines below so small a map " * 2)
    model = replace(views.models[0], views=(long, *others[:-1], replace(others[-1], note=long.note)))
    figure = plot_views(replace(views, models=(model, views.models[1])))
    boxes = [(t.get_text(), t.get_window_extent()) for t in figure.texts if t.get_text()]
    for one, (said, box) in enumerate(boxes):
        for other, beside in boxes[:one]:
            assert not box.overlaps(beside), (said, other)
    heading = next(box for said, box in boxes if said == "pixels")
    lowest = min(box.y0 for said, box in boxes if box.y0 > heading.y1)
    assert lowest - heading.y1 > heading.height, "a note sits close to the next model's heading"


def test_means_below_zero_have_a_minus_sign() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:16, :16] = 255
    (model,) = look(image, ["pixels"], replace(SETTINGS, at=(0.1, 0.1))).models
    (view,) = (view for view in model.views if view.name == "cosine with the patch")
    assert view.values.mean() < -0.01 and view.note.startswith("mean −0.")


def test_colours_turn_with_a_turn_of_the_scores() -> None:
    rng = np.random.default_rng(0)
    flat = rng.standard_normal((42, 3))
    scores = np.linalg.qr(flat - flat.mean(axis=0))[0].reshape(6, 7, 3) * [
        3,
        2,
        1,
    ]  # uncorrelated, as components
    reference = colouring(scores, None)
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    turned = reference.scores(scores) @ turn
    back = colouring(turned, reference.scores(scores))
    np.testing.assert_allclose(back.colours(turned), reference.colours(scores), atol=1e-6)
    even = colouring(np.ones((2, 2, 2)), None)
    assert np.array_equal(even.colours(np.ones((2, 2, 2))), np.full((2, 2, 3), 0.5))


def test_the_command_writes_a_picture_and_says_what_is_in_it(
    image: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "a.png", tmp_path / "out"
    Image.fromarray(image).save(path)
    words = ["look", path, "--models", "mini,pixels", "--grid", 8, "--at", "0.3,0.7", "--out", out]
    assert run(*words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("mini: 10 maps, layer 5")
    assert said[1].startswith("pixels: 6 maps") and "no cosine of its key" in said[1]
    assert said[2] == str(out / "look.png")
    with Image.open(out / "look.png") as picture:
        assert picture.width > 1500
    assert run(*words, "--json") == 0
    content = json.loads(capsys.readouterr().out)
    assert content == json.loads((out / "look.json").read_text())
    assert [m["label"] for m in content["models"]] == ["mini", "pixels"]
    assert [(m["toy"], m["control"]) for m in content["models"]] == [(True, False), (False, True)]
    assert content["at"] == [0.3, 0.7]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", "0.1,0.1", "--at", "0.2,0.2"], "one place at a time"),
        (["--at", "1.2,0.1"], "in [0, 1]"),
        (["--head", 9], "no head 9"),
        (["--clusters", 0], "0 clusters"),
        (["--layer", 12], "layer 12"),
        (["--finer", 3], "does not fit patches of 8 px; these do: 2, 4, 8"),
        (["--finer", 0], "these do: 2, 4, 8"),
    ],
)
def test_bad_input_gets_one_line(
    image: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[object], said: str
) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    assert run("look", path, "--models", "mini", "--grid", 8, "--out", tmp_path / "out", *words) == 2
    assert said in capsys.readouterr().err


def test_models_must_lie_on_one_grid(image: np.ndarray) -> None:
    with pytest.raises(InputError, match="at least one backbone"):
        look(image, [])
    with pytest.raises(GridMismatchError):
        look(image, ["mini", "random:dinov3-convnext-tiny"], LookSettings(grid=2, layer=0))


def test_words_are_looked_for_by_who_reads_them_and_shown_in_all(image: np.ndarray, tmp_path: Path) -> None:
    reader = ds.load_backbone(f"hf:{saved('tipsv2', tmp_path)}")
    settings = LookSettings(at=AT, grid=4, clusters=2, texts=("cat", "sky"))
    found = look(image, [reader, "mini"], settings)
    words = ds.text_map(image, reader, ["cat", "sky"], grid=4)
    first, second = named(found, 0), named(found, 1)
    np.testing.assert_allclose(first['"sky"'].values, words.values[1], atol=1e-6)
    (f,) = ds.extract(image, "mini", grid=4)
    want = ds.similarity_map(f, at=words.best(1)).values
    assert np.array_equal(second['where "sky" is'].values, want)
    plot_views(found)
    with pytest.raises(BackboneError, match="none of these models reads words"):
        look(image, ["mini"], settings)

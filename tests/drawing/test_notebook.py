"""A notebook draws maps, says values in one line, and shows a comparison; a script opens the browser."""

from __future__ import annotations

import io
from typing import Any

import nbclient
import nbformat
import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.data.features import PatchFeatures
from dinoscope.drawing.notebook import features_png, similarity_png
from dinoscope.drawing.style import cosine_colours


def features(dim: int = 6) -> PatchFeatures:
    values = np.random.default_rng(0).standard_normal((5, 7, dim)).astype(np.float32)
    return PatchFeatures.from_array(values, image_size=(70, 50), name="mine", image="a.jpg")


def picture(png: bytes | None) -> np.ndarray:
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)))


def test_a_map_is_drawn_patch_by_patch_in_whole_squares():
    f = features()
    drawn = picture(features_png(f))
    assert drawn.shape == (5 * 64, 7 * 64, 3)
    basis = ds.fit_pca(f)
    colours = np.round(255 * ds.to_rgb(basis.project(f), limits=basis.limits)).astype(np.uint8)
    assert np.array_equal(drawn[32::64, 32::64], colours)
    assert np.array_equal(drawn[:64, :64], np.broadcast_to(colours[0, 0], (64, 64, 3)))
    assert features_png(features(dim=2)) is None


def test_a_similarity_map_is_drawn_on_the_scale_of_every_figure():
    similarity = ds.similarity_map(features(), at=(0.5, 0.5))
    colours, scale = cosine_colours()
    want = np.round(255 * colours(scale(similarity.values))[..., :3]).astype(np.uint8)
    assert np.array_equal(picture(similarity_png(similarity))[32::64, 32::64], want)


def test_values_say_what_they_are_in_one_line():
    f = features()
    basis = ds.fit_pca([f], n=2)
    assert repr(f) == "PatchFeatures(mine: 5x7 patches, 6 channels, 'a.jpg')"
    share = f"{basis.explained_variance_ratio.sum():.1%}"
    assert repr(basis) == f"PatchPCA(2 of 6 components, {share} of the variance of 35 patches)"
    similarity = ds.similarity_map(f, at=(0.5, 0.25))
    low, high = similarity.values.min(), similarity.values.max()
    assert repr(similarity) == f"SimilarityMap(5x7 patches, cosines {low:.2f} to {high:.2f}, at (0.5, 0.25))"
    for value in (ds.fit_spectral(f, n=5), ds.fit_clusters(f, 3)):
        assert len(repr(value).splitlines()) == 1
        assert len(repr(value)) < 110
    assert "5 of" not in repr(ds.fit_clusters(f, 3))


CELL = """
import numpy as np
import dinoscope as ds
image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
found = next(iter(ds.extract(image, "pixels", grid=8)))
"""


def outputs(cell: Any, kind: str) -> list[Any]:
    return [o["data"][kind] for o in cell.outputs if kind in o.get("data", {})]


def test_a_notebook_shows_a_picture_and_a_view():
    book = nbformat.v4.new_notebook()
    book.cells = [
        nbformat.v4.new_code_cell(CELL + "found"),
        nbformat.v4.new_code_cell("ds.similarity_map(found, at=(0.5, 0.5))"),
        nbformat.v4.new_code_cell(
            'c = ds.compare([image], ["pixels"], grid=8, controls=False)\nds.show(c)\nc'
        ),
    ]
    nbclient.NotebookClient(book, timeout=120, kernel_name="python3").execute()
    first, second, third = book.cells
    for cell, word in ((first, "PatchFeatures("), (second, "SimilarityMap(")):
        assert len(outputs(cell, "image/png")) == 1
        assert outputs(cell, "text/plain")[0].startswith(word)
    (frame,) = outputs(third, "text/html")
    assert frame.startswith("<iframe srcdoc=")
    assert "&lt;dinoscope-view&gt;" in frame
    assert outputs(third, "text/plain")[-1] == "Comparison(1 photograph: pixels)"


def test_a_script_opens_the_report(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    ds.show(ds.compare([image], ["pixels"], grid=8, controls=False))
    path = capsys.readouterr().out.strip()
    assert opened == [f"file://{path}"]
    with open(path, encoding="utf-8") as page:
        assert "<html" in page.read()

"""Draw what is drawn of words, with a shrunken reader and random weights in the place of a model.

A part of ``python docs/draw_pictures.py``, seconds of one core. No model that reads words comes with
dinoscope: the picture shows what is drawn, and says on itself that it holds no results.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import skimage
from PIL import Image

import dinoscope as ds
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.looking.look import LookSettings, look
from tests.pipeline.test_text import saved

SAID = "No results: the reader of words is a shrunken network with random weights"
READER = "tipsv2, shrunken, random weights"
TEXTS = ("a cat", "grass")
WIDEST = 1600


def draw_words(path: Path) -> None:
    """Two prompts in one photograph by the reader and by `mini`, with `SAID` on it."""
    photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
    with tempfile.TemporaryDirectory() as folder:
        reader = ds.load_backbone(f"hf:{saved('tipsv2', Path(folder))}")
        views = look(photograph, [reader, "mini"], LookSettings(grid=20, clusters=2, texts=TEXTS))
    models = tuple(replace(m, label=label) for m, label in zip(views.models, (READER, "mini"), strict=True))
    figure = ds.plot_views(replace(views, models=models))
    width, height = figure.get_size_inches()
    figure.text(1.2 / width, 1 - 0.24 / height, SAID, size=7.5, weight="bold", color="#b0201a")
    shown = path.with_suffix(".png")
    shown.write_bytes(png_bytes(figure))
    picture = Image.open(shown).convert("RGB")
    shown.unlink()
    picture.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
    picture.save(path, quality=86, method=6)

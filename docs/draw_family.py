"""Draw the family's figure, with shrunken networks and random weights in the places of the models.

A part of ``python docs/draw_pictures.py``, a minute of one core. The weights of the family do not come with
dinoscope: the picture shows what the page draws, and says on itself that it holds no results.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.backbones import catalog, licences
from dinoscope.comparison.recipe.cells import read_cells
from dinoscope.comparison.recipe.figures import plot_family
from dinoscope.comparison.recipe.recipes import RECIPES
from dinoscope.drawing.figure_files import png_bytes
from tests.backbones.shrunken import hub_files, shrink_catalog
from tests.backbones.stand_in_hub import StandInHub, point_at
from tests.command_line import run

SAID = "No results: shrunken networks with random weights in the places of the models"
FAMILY = RECIPES["v2-v3"]
WIDEST = 1600


def draw_family(path: Path) -> None:
    """The recipe on scenes, from a hub on this machine; its first figure, with `SAID` on it."""
    with pytest.MonkeyPatch.context() as patched, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        patched.setattr(licences, "_given", set())
        shrink_catalog(patched)
        entries = [catalog.ENTRIES[kind] for kind in FAMILY.kinds]
        repos = {e.sources[0].repo: hub_files(e.architecture, seed) for seed, e in enumerate(entries)}
        ds.write_scenes(folder / "scenes", 12, seed=3, size=(96, 96))
        with StandInHub(repos) as hub:
            point_at(patched, hub.url, folder / "cache")
            words = ("--recipe", "v2-v3", "--grids", "8,12", "--no-controls", "--masks", folder / "scenes")
            if run("compare", folder / "scenes" / "images", *words, "-o", folder / "family"):
                raise SystemExit("the recipe failed")
        figure = plot_family(FAMILY, read_cells(folder / "family"))
        assert figure is not None
        figure.text(0.022, 0.9, SAID, size=7.5, weight="bold", color="#b0201a")
        (folder / "family.png").write_bytes(png_bytes(figure))
        picture = Image.open(folder / "family.png").convert("RGB")
        picture.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
        picture.save(path, quality=86, method=6)

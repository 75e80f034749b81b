"""Remake the pictures of README, gallery and documentation.

    OMP_NUM_THREADS=1 MPLBACKEND=Agg python docs/draw_pictures.py [screen overview scenes search ...]

Ten minutes of one core; words name some of them. Writes docs/pictures: ``view.png``, the first screen of the
demo's report, ``overview.png``, its figure of all photographs, ``scenes.jpg``, ``search.webp``, the search
page, ``family.webp``, ``words.webp``, and the gallery, of which `draw_gallery.py` draws single figures by
name. Needs the group `test` and Chromium. Pictures of validation, benchmarks, retrieval and the Gram
experiment belong to their own results, and are made with them.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import draw_gallery  # noqa: E402
from draw_family import draw_family  # noqa: E402
from draw_first_screen import draw_first_screen  # noqa: E402
from draw_search_page import draw_search_page  # noqa: E402
from draw_words import draw_words  # noqa: E402

import dinoscope as ds  # noqa: E402
from dinoscope.data.results import Comparison  # noqa: E402
from dinoscope.drawing.figure_files import png_bytes  # noqa: E402
from examples.demo import MODELS, demo_photographs  # noqa: E402
from examples.scene_sheet import contact_sheet  # noqa: E402

PICTURES = HERE / "pictures"
WIDEST = 1600


@cache
def demo() -> Comparison:
    """The demo's comparison."""
    return ds.compare(demo_photographs(), MODELS.split(","))


def screen() -> None:
    """The README's first picture."""
    draw_first_screen(demo(), PICTURES / "view.png")


def overview() -> None:
    """All photographs in both models."""
    path = PICTURES / "overview.png"
    path.write_bytes(png_bytes(ds.plot_overview(demo())))
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
    image.quantize(256, dither=Image.Dither.NONE).save(path, "png", optimize=True)


def scenes() -> None:
    """A contact sheet of procedural photographs."""
    contact_sheet().save(PICTURES / "scenes.jpg", quality=88, optimize=True)


def search() -> None:
    """The search page with two models side by side."""
    draw_search_page(PICTURES / "search.png")


def family() -> None:
    """The figure of a whole family, with random weights."""
    draw_family(PICTURES / "family.webp")


def words() -> None:
    """What is drawn of words, with random weights."""
    draw_words(PICTURES / "words.webp")


PARTS = {
    "screen": screen,
    "overview": overview,
    "scenes": scenes,
    "search": search,
    "family": family,
    "words": words,
    "gallery": draw_gallery.main,
}


def main() -> None:
    """Those that are named, or all."""
    for name in sys.argv[1:] or PARTS:
        if name not in PARTS:
            sys.exit(f"no pictures {name!r}; there are {', '.join(PARTS)}")
        PARTS[name]()
        print(name, flush=True)


if __name__ == "__main__":
    main()

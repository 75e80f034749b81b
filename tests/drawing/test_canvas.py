"""A panel without ticks draws what axes draw whose ticks are hidden, and a PNG holds what was drawn."""

import io

import numpy as np
from matplotlib.axes import Axes
from PIL import Image

from dinoscope.drawing.canvas import DPI, Canvas, Panel, footprint, patch_map, picture
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.style import cosine_colours

RNG = np.random.default_rng(0)
PHOTOGRAPH = RNG.integers(0, 256, (30, 40, 3), dtype=np.uint8)
COSINES = RNG.uniform(-1, 1, (6, 8))


def drawn(kind: type[Axes]) -> Canvas:
    canvas = Canvas(3.0, 1.5)
    places = [canvas.axes(x, 0.2, 1.2, 0.9, kind) for x in (0.1, 1.5)]
    for axes in places:
        axes.set_axis_off()
    picture(places[0], PHOTOGRAPH, (40, 30))
    footprint(places[0], (5, 5, 12, 15), "1")
    colours, scale = cosine_colours()
    patch_map(places[1], COSINES, colours=colours, scale=scale)
    footprint(places[1], (1.5, 1.5, 2.5, 2.5))
    return canvas


def test_a_panel_draws_what_axes_without_ticks_do() -> None:
    bare, whole = (drawn(kind).figure for kind in (Panel, Axes))
    for figure in (bare, whole):
        figure.canvas.draw()
    np.testing.assert_array_equal(
        *(np.asarray(figure.canvas.buffer_rgba()) for figure in (bare, whole))  # type: ignore[attr-defined]
    )
    assert isinstance(Canvas(1, 1).panel(0, 0, 1, 1), Panel)


def test_a_png_holds_every_pixel_that_was_drawn() -> None:
    figure = drawn(Panel).figure
    with Image.open(io.BytesIO(png_bytes(figure))) as image:
        assert image.mode == "RGB" and round(image.info["dpi"][0]) == DPI
        found = np.asarray(image)
    figure.canvas.draw()
    want = np.asarray(figure.canvas.buffer_rgba())  # type: ignore[attr-defined]
    assert (want[..., 3] == 255).all()
    np.testing.assert_array_equal(found, want[..., :3])


def photograph_drawn(pixels: np.ndarray, *, whole: bool) -> np.ndarray:
    canvas = Canvas(1.2, 1.2)
    axes = canvas.panel(0.1, 0.1, 1.0, 1.0)
    if whole:
        axes.imshow(pixels, extent=(0, 1, 1, 0), aspect="auto", interpolation="antialiased")
    else:
        picture(axes, pixels, (1, 1))
        assert axes.images[0].get_array().shape == (500, 500, 3)
    canvas.figure.canvas.draw()
    return np.asarray(canvas.figure.canvas.buffer_rgba())[..., :3].astype(float)  # type: ignore[attr-defined]


def test_a_large_photograph_is_drawn_from_two_pixels_for_each_and_looks_the_same() -> None:
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 16, 3), dtype=np.uint8))
    pixels = np.asarray(coarse.resize((900, 1300), Image.Resampling.BICUBIC))
    apart = np.abs(photograph_drawn(pixels, whole=True) - photograph_drawn(pixels, whole=False))
    assert apart.mean() < 1.0
    assert np.quantile(apart, 0.999) < 12


def test_a_small_photograph_is_drawn_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 600, 3), dtype=np.uint8)
    axes = Canvas(1.2, 1.2).panel(0.1, 0.1, 1.0, 1.0)
    picture(axes, pixels, (600, 40))
    assert axes.images[0].get_array().shape == (40, 500, 3)
    picture(axes, pixels[:, :500], (500, 40))
    assert (axes.images[1].get_array() == pixels[:, :500]).all()

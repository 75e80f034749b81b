"""Pictures of the laboratory: the film strip, its animation, and Gram matrices beside the teacher's."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from dinoscope.anchoring.findings import AFTER_DAMAGE, TRUNK, Frame, Laboratory, Strip
from dinoscope.anchoring.report.curves import colour_of
from dinoscope.drawing.canvas import Canvas, colour_bar, footprint, panel_size, patch_map, picture
from dinoscope.drawing.style import QUIET, cosine_colours, difference_colours

_MARGIN, _GAP, _NAMES = 0.12, 0.05, 0.95
_AREA = 0.72
"""Square inches of a map in the strip."""

DIFFERENCE = 0.5
"""Differences of Gram matrices are drawn from minus to plus this, whatever they hold."""

_FRAME_MS, _LAST_MS, _SCALE = 600, 1800, 7


def plot_strip(strip: Strip, *, title: str = "The same photographs at every checkpoint") -> Figure:
    """Rows are networks; for each photograph its components in the shared basis, and its reference map."""
    sizes = [panel_size(p.size, area=_AREA) for p in strip.photographs]
    tallest = max(h for _, h in sizes)
    width = _MARGIN * 2 + _NAMES + sum(2 * w + _GAP + 3 * _GAP for w, _ in sizes)
    top = 0.42
    height = top + (len(strip.frames) + 1) * (tallest + _GAP) + 0.62
    canvas = Canvas(width, height)
    shares = ", ".join(f"{100 * s:.0f}%" for s in strip.explained)
    canvas.words(_MARGIN, 0.2, title, size=8, weight="bold")
    said = (
        f"left: three components of one basis over everything shown here ({shares} of the variance); "
        "right: cosine with the marked patch"
    )
    canvas.words(_MARGIN, 0.34, said, size=6, colour=QUIET, longest=width - 2 * _MARGIN)
    colours, scale = cosine_colours()
    for row in range(len(strip.frames) + 1):
        y = top + row * (tallest + _GAP)
        if row:
            _name(canvas, strip.frames[row - 1], y)
        x = _MARGIN + _NAMES
        for i, (photograph, (w, h)) in enumerate(zip(strip.photographs, sizes, strict=True)):
            if row == 0:
                picture(canvas.panel(x, y, w, h), np.asarray(photograph.pixels), photograph.size)
                canvas.words(x + w + _GAP, y + 0.1, photograph.name, size=6, colour=QUIET, longest=w)
            else:
                frame = strip.frames[row - 1]
                patch_map(canvas.panel(x, y, w, h), frame.colours[i])
                axes = canvas.panel(x + w + _GAP, y, w, h)
                patch_map(axes, frame.cosines[i], colours=colours, scale=scale)
                r, c = strip.patches[i]
                footprint(axes, (c - 0.5, r - 0.5, c + 0.5, r + 0.5))
            x += 2 * w + 4 * _GAP
    canvas.cosine_bar(_MARGIN + _NAMES, height - 0.5, 2.3)
    return canvas.figure


def plot_grams(laboratory: Laboratory) -> Figure:
    """Rows are networks: their cosine matrix, the frozen teacher's, and the difference."""
    side, top = 1.75, 0.46
    height = top + len(laboratory.grams) * (side + 0.12) + 0.72
    canvas = Canvas(_MARGIN * 2 + _NAMES + 3 * (side + 0.12), height)
    canvas.words(
        _MARGIN, 0.2, "Gram matrices: cosines of all patches of one photograph", size=8, weight="bold"
    )
    colours, scale = cosine_colours()
    apart, centred = difference_colours(DIFFERENCE)
    for row, pair in enumerate(laboratory.grams):
        y = top + row * (side + 0.12)
        canvas.words(_MARGIN, y + 0.12, pair.run, size=7, weight="bold", colour=colour_of(pair.run))
        canvas.words(_MARGIN, y + 0.25, f"step {pair.step:,}", size=6, colour=QUIET)
        canvas.words(_MARGIN, y + 0.36, f"seed {pair.seed}", size=6, colour=QUIET)
        difference = pair.student - pair.teacher
        canvas.words(_MARGIN, y + 0.52, "Gram distance", size=6, colour=QUIET)
        canvas.words(_MARGIN, y + 0.63, f"{pair.distance:.3f}", size=6, colour=QUIET)
        heads = ("network", f"teacher, step {pair.teacher_step:,}", "network minus teacher")
        for column, (head, values) in enumerate(
            zip(heads, (pair.student, pair.teacher, difference), strict=True)
        ):
            x = _MARGIN + _NAMES + column * (side + 0.12)
            if row == 0:
                canvas.words(x, top - 0.08, head, size=6.5, longest=side)
            last = column == 2
            patch_map(
                canvas.panel(x, y, side, side),
                values,
                colours=apart if last else colours,
                scale=centred if last else scale,
            )
    x = _MARGIN + _NAMES
    for place, of, with_scale, ticks in (
        (x, colours, scale, [-1, 0, 1]),
        (x + 2 * (side + 0.12), apart, centred, [-DIFFERENCE, 0, DIFFERENCE]),
    ):
        axes = canvas.axes(place, height - 0.58, side, 0.09)
        colour_bar(canvas.figure, axes, of, with_scale, ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    canvas.words(x, height - 0.2, "cosine", size=6, colour=QUIET)
    canvas.words(x + 2 * (side + 0.12), height - 0.2, "difference of cosines", size=6, colour=QUIET)
    return canvas.figure


def animation(strip: Strip) -> bytes:
    """The trunk's frames as a GIF that runs three times; empty with fewer than two frames."""
    frames = [_painted(strip, f) for f in strip.frames if f.run == TRUNK]
    if len(frames) < 2:
        return b""
    out = io.BytesIO()
    durations = [_FRAME_MS] * (len(frames) - 1) + [_LAST_MS]
    first, *others = [
        frame.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE) for frame in frames
    ]
    first.save(out, "GIF", save_all=True, append_images=others, duration=durations, loop=2, optimize=True)
    return out.getvalue()


def film(strip: Strip) -> list[tuple[str, bytes]]:
    """Every frame by itself: its network in words, its component maps as PNG; all of one size."""
    found = []
    for frame in strip.frames:
        out = io.BytesIO()
        _painted(strip, frame).save(out, "PNG", optimize=True)
        run = frame.run if frame.run == TRUNK else f"{frame.run}, seed {frame.seed}"
        found.append((f"{run}, step {frame.step:,}", out.getvalue()))
    return found


def _painted(strip: Strip, frame: Frame) -> Image.Image:
    tiles = [_enlarged(frame, i) for i in range(len(strip.photographs))]
    gap, band = 8, 26
    height = max(tile.shape[0] for tile in tiles)
    width = sum(tile.shape[1] for tile in tiles) + gap * (len(tiles) - 1)
    image = Image.new("RGB", (width, height + band), "white")
    x = 0
    for tile in tiles:
        image.paste(Image.fromarray(tile), (x, band))
        x += tile.shape[1] + gap
    font = ImageFont.load_default(size=15)
    said = f"step {frame.step:,}" if frame.run == TRUNK else f"{frame.run}, step {frame.step:,}"
    ImageDraw.Draw(image).text((2, 3), said, fill="#161616", font=font)
    return image


def _enlarged(frame: Frame, photograph: int) -> UInt8[np.ndarray, "H W 3"]:
    pixels = np.rint(255 * np.clip(frame.colours[photograph], 0, 1)).astype(np.uint8)
    return np.ascontiguousarray(pixels.repeat(_SCALE, axis=0).repeat(_SCALE, axis=1))


def _name(canvas: Canvas, frame: Frame, y: float) -> None:
    run = frame.run.removeprefix(AFTER_DAMAGE)
    canvas.words(_MARGIN, y + 0.12, run, size=7, weight="bold", colour=colour_of(run))
    canvas.words(_MARGIN, y + 0.25, f"step {frame.step:,}", size=6, colour=QUIET)
    if frame.run != TRUNK:
        canvas.words(_MARGIN, y + 0.36, f"seed {frame.seed}", size=6, colour=QUIET)
    if run != frame.run:
        canvas.words(_MARGIN, y + 0.47, "after planted damage", size=6, colour=QUIET)

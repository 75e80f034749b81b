"""One photograph in every model, as HTML: the photograph, the colour maps, the similarity maps."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison import words
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import (
    colours_uri,
    cosines_uri,
    jpeg_uri,
    name,
    outlines,
    picture,
    text,
)
from dinoscope.drawing.style import COSINE_LIMITS


def legend(comparison: Comparison) -> str:
    """How to read the maps: once, above the first."""
    return f"""<div class="legend">
<p>Reference patches are numbered on each photograph. For each model there is a colour map of principal
components {words.component_list(comparison)}, with the share of variance they hold, and for each reference
patch the cosine of its features with those of every patch of the photograph. Maps are drawn patch by patch,
nothing is smoothed.</p>
</div>
"""


def _scale() -> str:
    """The colour scale of cosines, which is the same for every map."""
    low, high = COSINE_LIMITS
    bar = cosines_uri(np.linspace(low, high, 256)[None, :])
    below = cosines_uri(np.full((1, 1), low - 1.0))
    said = (
        f"Colour scale of cosines: grey below {low:g}, then from dark blue at {low:g} over green to yellow "
        f"at {high:g}; the same for every map"
    )
    return f"""<div class="scale" role="img" aria-label="{said}"><span>cosine</span>
<img class="under pixels" src="{below}" width="1" height="1" alt=""><span>below {low:g}</span>
<span>{low:g}</span><img class="bar pixels" src="{bar}" width="256" height="1" alt="">
<span>{high:g}</span></div>"""


def plate(comparison: Comparison, photograph: int) -> str:
    """The section of one photograph."""
    photo, features = comparison.photographs[photograph], comparison.features[photograph]
    maps = comparison.maps[photograph]
    n_maps = 1 + max(len(drawn.similarity) for drawn in maps)
    grid = features[0].grid
    width, height = photo.size
    boxes = [grid.box(*grid.patch_at(*place)) for place in comparison.points]
    marks = "".join(
        f'<span class="mark{" left" if box[2] > 0.92 * width else ""}" '
        f'style="left:{100 * (box[0] if box[2] > 0.92 * width else box[2]) / width:.2f}%;'
        f'top:{50 * (box[1] + box[3]) / height:.2f}%">{k}</span>'
        for k, box in enumerate(boxes, 1)
    )
    shape = (photo.pixels.shape[1], photo.pixels.shape[0])
    described = f"Photograph {photograph + 1}, {text(photo.name)}, with numbered reference patches"
    shown = picture(jpeg_uri(photo.pixels), shape, described, pixelated=False)
    cells = "".join(_model(comparison, photograph, j) for j in range(len(maps)))
    notes = "".join(f"; {text(note)}" for note in photo.notes)
    key = f"photo-{photograph + 1}"
    wide, fit = min(1.15 * len(maps) + 0.25, 2.6), min(100.0, max(30.0, 130.0 * width / height))
    style = (
        f"--models:{len(maps)};--maps:{n_maps};--rows:{3 * len(maps)};--aspect:{width / height:.5f};"
        f"--wide:{wide:g}fr;--fit:{fit:.0f}%"
    )
    return f"""<article class="plate" id="{key}" aria-labelledby="{key}-title" style="{style}">
<div class="title"><h3 id="{key}-title"><span class="count">{photograph + 1}</span> {name(photo.name)}
<small>{width}×{height} px{notes}</small></h3>
{_scale()}</div>
<div class="sheet">
<figure class="photograph"><div class="frame">{shown}{outlines(photo.size, boxes)}{marks}</div></figure>
{cells}</div>
</article>
"""


def _model(comparison: Comparison, photograph: int, j: int) -> str:
    model, drawn = comparison.models[j], comparison.maps[photograph][j]
    h, w = drawn.colours.shape[:2]
    of = f"of photograph {photograph + 1} by {text(model.label)}"
    numbers = "".join(
        f"<span><i>{text(title)}</i> {value}</span> "
        for title, value in words.triple(comparison, photograph, j)
    )
    kind = f'<b class="control">{words.CONTROL}</b>' if model.spec.control else words.kind(model)
    share = words.percent(words.variance_shown(comparison, model))
    listed = words.component_list(comparison)
    turned = ", rotated" if model.alignment is not None else ""
    cells = [
        f'<div class="head" style="--m:{j}"><h4>{name(model.label)}</h4>'
        f'<p class="facts">{kind}; {words.input_facts(comparison, photograph, j)}</p></div>\n',
        _cell(
            j,
            0,
            picture(
                colours_uri(drawn.colours),
                (w, h),
                f"Colour map {of}: principal components {listed}",
                pixelated=True,
            ),
            f"PC {listed}: {share}{turned}",
        ),
    ]
    for k, similarity in enumerate(drawn.similarity, 1):
        row, col = similarity.patch
        h, w = similarity.values.shape
        mean = words.number(float(similarity.values.mean()), digits=2)
        image = picture(
            cosines_uri(similarity.values),
            (w, h),
            f"Similarity map {of}: patch {k}, mean {mean}",
            pixelated=True,
        )
        over = outlines((w, h), [(col, row, col + 1, row + 1)])
        cells.append(_cell(j, k, f"{image}{over}", f'<span class="count">{k}</span> mean {mean}'))
    cells.append(f'<p class="triple" style="--m:{j}">{numbers}</p>\n')
    return "".join(cells)


def _cell(model: int, place: int, shown: str, caption: str) -> str:
    return (
        f'<figure class="map" style="--m:{model};--k:{place}"><div class="frame">{shown}</div>'
        f"<figcaption>{caption}</figcaption></figure>\n"
    )

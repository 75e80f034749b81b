"""The parts of the report that need masks, controls or curves: the plane, every metric, distance, Gram."""

from __future__ import annotations

from matplotlib.figure import Figure

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.columns import Column, columns_of, curve_columns, grouped
from dinoscope.comparison.figures.curves import KINDS, plot_curve
from dinoscope.comparison.figures.gram import plot_gram
from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.comparison.plane_words import plane_axes, plane_notes, plane_readings
from dinoscope.comparison.tables.paper import notes_of, sentences
from dinoscope.data.results import Comparison
from dinoscope.drawing import verdicts
from dinoscope.drawing.figure_files import jpeg_bytes, svg_bytes
from dinoscope.drawing.html import file_uri, name, text
from dinoscope.metrics.facts import Metric

MOST_GRAMS = 3
"""Photographs whose Gram matrices are in the report."""

_PX_PER_INCH = 130


def measured_links(comparison: Comparison) -> str:
    """Links to those of this module's sections that the report has."""
    links = []
    if _has_more(comparison):
        links.append(f'<a href="#plane">{_plane_title(comparison)}</a>')
    if comparison.measurements.curves:
        links.append('<a href="#curves">Curves</a>')
    if _two_on_one_grid(comparison):
        links.append('<a href="#gram">Gram matrices</a>')
    return " ".join(links)


def plane_section(comparison: Comparison) -> str:
    """The plane, then every metric by group; nothing where only smoothness was measured."""
    if not _has_more(comparison):
        return ""
    measured = comparison.measurements
    parts = []
    if plane_axes(measured):
        readings = plane_readings(comparison)
        described = f"{PLANE[plane_axes(measured)[0]].described}. {' '.join(readings)}"
        parts.append(_figure(plot_plane(comparison, captioned=False), described))
        parts += [f"<p>{text(said)}</p>\n" for said in readings]
        parts.append(f'<p class="quiet">{text(" ".join(plane_notes(comparison)))}</p>\n')
    told = sentences((*masks_told(measured), *others_told(measured)))
    if told:
        parts.append(f'<p class="quiet">{text(told)}</p>\n')
    columns = columns_of(comparison)
    for group, metrics in grouped(measured).items():
        rows = "".join(_metric(metric, columns, measured.undefined.get(metric.key, "")) for metric in metrics)
        parts.append(
            f'<table class="metrics"><caption>{text(group.capitalize())}</caption><thead><tr>'
            '<th scope="col">Metric</th><th scope="col">Model</th><th scope="col">Mean [95% interval]</th>'
            f'<th scope="col">Minus {name(measured.models[0])}, paired</th>'
            f'<th scope="col">{verdicts.SHARES.capitalize()}</th>'
            '<th scope="col">Photographs</th></tr></thead>\n'
            f"{rows}</table>\n"
        )
    return _section("plane", _plane_title(comparison), "".join(parts))


def curves_section(comparison: Comparison) -> str:
    """Cosine against distance, and the spectra; nothing where they were not measured."""
    parts = []
    for kind in (kind for kind in KINDS if kind in comparison.measurements.curves):
        described = f"{KINDS[kind][0]} for {', '.join(c.label for c in curve_columns(comparison, kind))}"
        parts.append(_figure(plot_curve(comparison, kind), described))
    return _section("curves", "Curves", "".join(parts)) if parts else ""


def gram_section(comparison: Comparison) -> str:
    """Gram matrices of the first photographs by the first two models."""
    if not _two_on_one_grid(comparison):
        return ""
    n, shown = len(comparison.photographs), min(len(comparison.photographs), MOST_GRAMS)
    first, second = comparison.models[0].label, comparison.models[1].label
    parts = [
        "<p>How alike every two patches of a photograph are, by region of similar colour. Both models "
        f"have the same scale. {f'The first {shown} of {n} photographs.' if shown < n else ''}</p>\n"
    ]
    for i in range(shown):
        described = f"Gram matrices of photograph {i + 1} by {first} and {second}, and their difference"
        parts.append(_figure(plot_gram(comparison, i, order="superpixels"), described, pixels=True))
    return _section("gram", "Gram matrices", "".join(parts))


def _metric(metric: Metric, columns: tuple[Column, ...], undefined: str) -> str:
    """One row a model, grey ones for controls; the metric and what must be read beside it at their left."""
    meaning = f"<small>{text(metric.meaning)}</small>" if metric.meaning else ""
    chance = f"<small>chance level {metric.chance:g}</small>" if metric.chance is not None else ""
    notes = "".join(f'<small class="caution">{text(note)}</small>' for note in notes_of(metric, undefined))
    columns = tuple(c for c in columns if not c.person or c.has(metric.key))
    head = (
        f'<th scope="rowgroup" rowspan="{len(columns)}"><strong>{text(metric.title)}</strong>'
        f"{meaning}{chance}{notes}</th>"
    )
    rows = []
    for k, column in enumerate(columns):
        interval = column.interval(metric.key)
        mean, _, rest = words.interval(interval).partition(" ")
        difference = None if metric.group == "between models" else column.difference(metric.key)
        gap, share = "", ""
        if difference is not None:
            gap = words.interval(difference.interval, sign="+")
            share = verdicts.shares(difference)
        count = "" if metric.collection else str(interval.n)
        cells = "".join(
            f'<td data-head="{head_}">{cell}</td>'
            for head_, cell in (
                ("mean", f'<span class="mean">{mean}</span> <span class="interval">{rest}</span>'),
                ("difference", f'<span class="interval">{gap}</span>' if gap else ""),
                (verdicts.SHARES, share),
                ("photographs", count),
            )
        )
        grey = ' class="grey"' if column.control else ""
        rows.append(
            f'<tr{grey}>{head if k == 0 else ""}<th scope="row">{name(_label(column))}</th>{cells}</tr>\n'
        )
    return f"<tbody>\n{''.join(rows)}</tbody>\n"


def _label(column: Column) -> str:
    return f"{column.label} (people, not a model)" if column.person else column.label


def _figure(figure: Figure, described: str, *, pixels: bool = False) -> str:
    """A figure with words instead; as lines where it has no pictures in it."""
    width, height = (round(float(side) * _PX_PER_INCH) for side in figure.get_size_inches())
    uri = file_uri(jpeg_bytes(figure), "jpeg") if pixels else file_uri(svg_bytes(figure), "svg+xml")
    return (
        f'<figure class="plot"><img src="{uri}" width="{width}" height="{height}" '
        f'alt="{text(described)}"></figure>\n'
    )


def _plane_title(comparison: Comparison) -> str:
    held = plane_axes(comparison.measurements)
    return PLANE[held[0]].title if held else "Every metric"


def _has_more(comparison: Comparison) -> bool:
    measured = comparison.measurements
    beyond = set(measured.values) - set(words.TRIPLE)
    return bool(beyond or measured.collection or measured.controls is not None)


def _two_on_one_grid(comparison: Comparison) -> bool:
    shown = comparison.features[:MOST_GRAMS]
    return len(comparison.models) > 1 and all(row[0].grid.shape == row[1].grid.shape for row in shown)


def _section(key: str, title: str, body: str) -> str:
    heading = f'<h2 id="{key}-title">{title}</h2>'
    return f'<section id="{key}" aria-labelledby="{key}-title">\n{heading}\n{body}</section>\n'

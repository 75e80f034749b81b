"""The numbers as text for the terminal: ASCII apart from names, no wider than `text_width`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.columns import Column, columns_of, grouped
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.comparison.plane_words import plane_axes, plane_readings
from dinoscope.data.results import Interval, Measurements
from dinoscope.drawing import verdicts
from dinoscope.drawing.text_table import text_table, text_width, wrapped
from dinoscope.metrics.facts import Metric
from dinoscope.metrics.registry import AXES
from dinoscope.names import printable

_TITLE = 28
"""Columns left for the titles of metrics."""

_SHARES = "> / = / < 0, %"

_ASCII = str.maketrans(
    {"−": "-", "–": "-", "²": "2", "×": "x", "“": '"', "”": '"', "’": "'", "…": "...", "�": "?"}
)


def measurements_text(measurements: Measurements) -> str:
    """The smoothness metrics as a table, those of the plane as another with what they say, the rest by group.

    A line a model, then the paired differences; what cannot be printed is escaped, long names are cut.
    """
    columns = columns_of(measurements)
    parts = [_main(columns, words.smoothness(measurements))]
    for kind in plane_axes(measurements):
        title = PLANE[kind].title.lower() + (" (proxies, not objects)" if kind == "proxies" else "")
        parts.append(f"{title}\n{_main(columns, AXES[kind])}")
        parts.append("\n".join(map(_ascii_wrapped, plane_readings(measurements, axes=kind))))
    shown = [*words.smoothness(measurements), *(k for kind in plane_axes(measurements) for k in AXES[kind])]
    parts.append(_rest(grouped(measurements, without=shown), columns))
    notes = ["mean [95% interval over photographs, Student's t]", *measurements.warnings]
    if len(measurements.models) > 1:
        notes.insert(1, f"'minus' rows: paired by photograph, minus {printable(measurements.models[0])}")
        notes.insert(2, f"'{_SHARES}': in how many photographs that is above 0, tied and below")
    if measurements.collection:
        notes.append("(c): over the collection, no interval")
    if measurements.controls is not None and len(parts) > 1:
        notes.append("in (brackets): controls, not trained models; all their numbers are in the files")
    named = [m for m, control in zip(measurements.models, measurements.is_control, strict=True) if control]
    if named:
        notes.append(f"controls, not trained models: {', '.join(map(printable, named))}")
    if measurements.people is not None:
        notes.append("in [brackets]: people, neither models nor controls")
    notes += [printable(told) for told in (*others_told(measurements), *masks_told(measurements))]
    parts.append("\n".join(_ascii_wrapped(f"note: {note}", " " * 6) for note in notes))
    return "\n\n".join(part for part in parts if part)


def _ascii_wrapped(said: str, indent: str = "  ") -> str:
    return wrapped(ascii_text(said), indent)


def _main(columns: Sequence[Column], metrics: Sequence[str]) -> str:
    """One line a model, two a paired difference, one a control."""
    if not metrics:
        return ""
    rows = [_row(column.label, column, metrics) for column in columns if not column.beside]
    for column in columns:
        known = [column.difference(key) for key in metrics]
        differences = [d for d in known if d is not None]
        if differences:
            intervals = [d.interval for d in differences]
            shown = [ascii_text(words.interval(i, sign="+")) for i in intervals]
            rows.append([f"{column.label} minus", _counts(intervals), *shown])
            rows.append([f"  {_SHARES}", "", *(ascii_text(verdicts.shares(d)) for d in differences)])
    for column in columns:
        if column.beside and any(column.has(key) for key in metrics):
            label = f"[{column.label}]" if column.person else f"({column.label})"
            rows.append(_row(label, column, metrics))
    return text_table(rows, ["model", "photos", *(title(key).removesuffix(" (proxy)") for key in metrics)])


def _row(label: str, column: Column, metrics: Sequence[str]) -> list[str]:
    intervals = [column.interval(key) for key in metrics]
    return [label, _counts(intervals), *(ascii_text(words.interval(i)) for i in intervals)]


def _rest(groups: Mapping[str, Sequence[Metric]], columns: Sequence[Column]) -> str:
    """A line a metric, a column a model and a paired difference; as many tables as there is width for."""
    models = [c for c in columns if not c.beside]
    if not groups:
        return ""
    titles, cells = [], [[c.label] for c in models] + [[f"{c.label} minus"] for c in models[1:]]
    for group, metrics in groups.items():
        titles += [group, *(f"  {ascii_text(m.title)}{' (c)' if m.collection else ''}" for m in metrics)]
        for cell, column in zip(cells, models, strict=False):
            cell += ["", *(ascii_text(words.interval(column.interval(m.key))) for m in metrics)]
        for cell, column in zip(cells[len(models) :], models[1:], strict=True):
            cell += ["", *(_minus(column, m) for m in metrics)]
    tables: list[list[list[str]]] = []
    used = text_width()
    for cell in cells:
        width = 2 + max(map(len, cell))
        if used + width > text_width():
            tables.append([])
            used = _TITLE
        tables[-1].append(cell)
        used += width
    shown = ([titles, *(cell[1:] for cell in table)] for table in tables)
    heads = (["", *(cell[0] for cell in table)] for table in tables)
    return "\n\n".join(
        text_table(_said(list(zip(*cells, strict=True))), head)
        for cells, head in zip(shown, heads, strict=True)
    )


def _said(rows: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows without those that say nothing, and without headings that nothing is left under."""
    told = [row for row in rows if any(cell != "-" for cell in row[1:])]
    following = [*told[1:], ("",)]
    return [r for r, after in zip(told, following, strict=True) if any(r[1:]) or after[0].startswith(" ")]


def _minus(column: Column, metric: Metric) -> str:
    difference = None if metric.group == "between models" else column.difference(metric.key)
    return "-" if difference is None else ascii_text(words.interval(difference.interval, sign="+"))


def title(metric: str) -> str:
    """The title of a metric, in ASCII."""
    return ascii_text(words.title(metric))


def ascii_text(text: str) -> str:
    """Text with the signs that we write ourselves in ASCII."""
    return text.translate(_ASCII)


def _counts(intervals: Sequence[Interval]) -> str:
    """How many photographs each mean is over; one number where they agree."""
    counts = [str(i.n) for i in intervals]
    return counts[0] if len(set(counts)) == 1 else ", ".join(counts)

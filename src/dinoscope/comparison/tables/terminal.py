"""The numbers as text for the terminal: ASCII apart from names, at most `WIDTH` columns."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.columns import Column, columns_of, grouped
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.comparison.plane_words import plane_axes, plane_readings
from dinoscope.data.results import Comparison, Interval, Measurements
from dinoscope.drawing import verdicts
from dinoscope.metrics.facts import Metric
from dinoscope.metrics.registry import AXES
from dinoscope.names import printable

WIDTH = 100
_TITLE, _SHORTEST, _HEAD = 26, 9, 20
_SHARES = "> / = / < 0, %"


def measurements_text(measurements: Measurements) -> str:
    """The smoothness metrics as a table, those of the plane as another with what they say, the rest by group.

    A line a model, then the paired differences; what cannot be printed is escaped, long names are cut.
    """
    columns = columns_of(measurements)
    parts = [_main(columns, words.smoothness(measurements))]
    for kind in plane_axes(measurements):
        title = PLANE[kind].title.lower() + (" (proxies, not objects)" if kind == "proxies" else "")
        parts.append(f"{title}\n{_main(columns, AXES[kind])}")
        parts.append("\n".join(map(_wrapped, plane_readings(measurements, axes=kind))))
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
    if measurements.people is not None:
        notes.append("in [brackets]: people, neither models nor controls")
    notes += [printable(told) for told in (*others_told(measurements), *masks_told(measurements))]
    parts.append("\n".join(_wrapped(f"note: {note}", " " * 6) for note in notes))
    return "\n\n".join(part for part in parts if part)


def summary_text(comparison: Comparison) -> str:
    """The main figures of a comparison for the terminal."""
    text = measurements_text(comparison.measurements)
    controls = [printable(model.label) for model in comparison.models if model.spec.control]
    return f"{text}\nnote: controls, not trained models: {', '.join(controls)}" if controls else text


def _wrapped(said: str, indent: str = "  ") -> str:
    return textwrap.fill(_ascii(printable(said)), WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _main(columns: Sequence[Column], metrics: Sequence[str]) -> str:
    """One line a model, two a paired difference, one a control."""
    if not metrics:
        return ""
    head = ["", "photos", *(_title(key).partition(" (")[0] for key in metrics)]
    rows, names = [head], ["model"]
    for column in columns:
        if column.beside:
            continue
        intervals = [column.interval(key) for key in metrics]
        names.append(printable(column.label))
        rows.append(["", _counts(intervals), *(_ascii(words.interval(i)) for i in intervals)])
    for column in columns:
        known = [column.difference(key) for key in metrics]
        differences = [d for d in known if d is not None]
        if not differences:
            continue
        intervals = [d.interval for d in differences]
        names.append(f"{printable(column.label)} minus")
        rows.append(["", _counts(intervals), *(_ascii(words.interval(i, sign="+")) for i in intervals)])
        names.append(f"  {_SHARES}")
        rows.append(["", "", *(_ascii(verdicts.shares(d)) for d in differences)])
    for column in columns:
        if column.beside and any(column.has(key) for key in metrics):
            intervals = [column.interval(key) for key in metrics]
            label = printable(column.label)
            names.append(f"[{label}]" if column.person else f"({label})")
            rows.append(["", _counts(intervals), *(_ascii(words.interval(i)) for i in intervals)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(head))]
    room = WIDTH - sum(widths) - 2 * (len(widths) - 1)
    widths[0] = max(min(max(len(name) for name in names), room), _SHORTEST)
    for row, name in zip(rows, names, strict=True):
        row[0] = _cut(name, widths[0])
    return "\n".join(_line(row, widths) for row in rows)


def _rest(groups: Mapping[str, Sequence[Metric]], columns: Sequence[Column]) -> str:
    """A line a metric, a column a model and a paired difference; as many blocks as there is width for."""
    models = [c for c in columns if not c.beside]
    metrics = [metric for group in groups.values() for metric in group]
    if not metrics:
        return ""
    cells = [
        [printable(c.label), *(_ascii(words.interval(c.interval(m.key))) for m in metrics)] for c in models
    ]
    for column in models[1:]:
        cells.append([f"{printable(column.label)} minus", *(_minus(column, m) for m in metrics)])
    blocks: list[list[list[str]]] = []
    used = WIDTH
    for cell in cells:
        width = max(*(len(text) for text in cell[1:]), min(len(cell[0]), _HEAD))
        if used + 2 + width > WIDTH:
            blocks.append([])
            used = _TITLE
        blocks[-1].append([_cut(cell[0], width).ljust(width), *(text.ljust(width) for text in cell[1:])])
        used += 2 + width
    return "\n\n".join("\n".join(_block(groups, block)) for block in blocks)


def _block(groups: Mapping[str, Sequence[Metric]], block: Sequence[Sequence[str]]) -> list[str]:
    shown = ["  ".join([" " * _TITLE, *(cell[0] for cell in block)]).rstrip()]
    k = 0
    for group, metrics in groups.items():
        shown.append(group)
        for metric in metrics:
            k += 1
            title = _ascii(metric.title) + (" (c)" if metric.collection else "")
            first, *more = textwrap.wrap(title, _TITLE - 4) or [""]
            shown.append("  ".join([f"  {first}".ljust(_TITLE), *(cell[k] for cell in block)]).rstrip())
            shown += [f"    {line}" for line in more]
    return shown


def _minus(column: Column, metric: Metric) -> str:
    difference = None if metric.group == "between models" else column.difference(metric.key)
    return "-" if difference is None else _ascii(words.interval(difference.interval, sign="+"))


def _title(metric: str) -> str:
    return _ascii(words.title(metric))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, longest: int) -> str:
    """The middle of what is too long is left out."""
    if len(text) <= longest:
        return text
    tail = (longest - 2) // 2
    return f"{text[: longest - 2 - tail]}..{text[len(text) - tail :]}"


def _ascii(text: str) -> str:
    return text.replace("−", "-").replace("–", "-").replace("²", "2")


def _counts(intervals: Sequence[Interval]) -> str:
    """How many photographs each mean is over; one number where they agree."""
    counts = [str(i.n) for i in intervals]
    return counts[0] if len(set(counts)) == 1 else ", ".join(counts)

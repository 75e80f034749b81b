"""The numbers as tables that a paper can print: Markdown, and LaTeX with booktabs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from dinoscope.comparison import words
from dinoscope.comparison.columns import Column, columns_of, grouped
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.data.results import Interval, Measurements, PairedDifference
from dinoscope.drawing import verdicts
from dinoscope.drawing.escapes import latex_text, markdown_text
from dinoscope.drawing.style import plain
from dinoscope.metrics.facts import Metric
from dinoscope.metrics.registry import METRICS


class _Grid(NamedTuple):
    """A table before it is written: groups of rows under one head, all plain text.

    The first column is text, the others numbers; ``marks`` are raised behind the first.
    """

    head: tuple[str, ...]
    groups: tuple[tuple[str, tuple[tuple[str, tuple[int, ...], tuple[str, ...]], ...]], ...]


def metrics_markdown(measurements: Measurements) -> str:
    """Models with intervals and the paired differences to the first, then the controls, then the notes.

    Names are escaped: nothing in them is markup.
    """
    grids, notes = _grids(measurements)
    parts = []
    for title, grid in grids:
        lines = [f"**{markdown_text(title)}**", ""]
        lines.append("| " + " | ".join(markdown_text(cell) for cell in grid.head) + " |")
        lines.append("|:--|" + "--:|" * (len(grid.head) - 1))
        for group, rows in grid.groups:
            empty = " |" * (len(grid.head) - 1)
            lines.append(f"| **{markdown_text(group)}** |{empty}")
            for name, marks, cells in rows:
                raised = f"<sup>{','.join(map(str, marks))}</sup>" if marks else ""
                named = f"{markdown_text(name)}{raised}"
                lines.append("| " + " | ".join([named, *map(markdown_text, cells)]) + " |")
        parts.append("\n".join(lines))
    parts.append("\n".join(f"{k}. {markdown_text(note)}" for k, note in enumerate(notes, 1)))
    parts.append(markdown_text(" ".join(_facts(measurements))))
    return "\n\n".join(part for part in parts if part) + "\n"


_FITTED = r"\resizebox{\ifdim\width>\columnwidth\columnwidth\else\width\fi}{!}{"
"""Opens a box that is made smaller only where it is wider than the column."""

_NAMES = r"p{0.31\columnwidth}"
"""The column of metrics' names, which are broken into lines."""


def metrics_latex(measurements: Measurements) -> str:
    r"""For a column of a paper: means with half their 95% interval, and paired differences to the first.

    What `metrics_markdown` has beside is left out: chance, and shares of photographs. ``tabular``
    environments that never are wider than ``\columnwidth``; they need ``\usepackage{booktabs,graphicx}``.
    Names are escaped: nothing in them is a command.
    """
    grids, notes = _fitted_grids(measurements)
    parts = ["% needs \\usepackage{booktabs,graphicx}"]
    for title, grid in grids:
        lines = [
            rf"{{\noindent\scriptsize\textbf{{{latex_text(title)}}}\par\smallskip\noindent",
            r"\setlength{\tabcolsep}{2pt}",
            rf"{_FITTED}\begin{{tabular}}{{@{{}}{_NAMES}{'r' * (len(grid.head) - 1)}@{{}}}}",
            r"\toprule",
            " & ".join(latex_text(cell) for cell in grid.head) + r" \\",
        ]
        for _, rows in grid.groups:
            lines.append(r"\midrule")
            for name, marks, cells in rows:
                raised = rf"\textsuperscript{{{','.join(map(str, marks))}}}" if marks else ""
                named = rf"\raggedright {latex_text(name)}{raised}"
                lines.append(" & ".join([named, *map(latex_text, cells)]) + r" \\")
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}}\par}"]))
    said = [rf"\textsuperscript{{{k}}}~{latex_text(note)}" for k, note in enumerate(notes, 1)]
    parts.append(
        "\\smallskip\n{\\scriptsize\\raggedright\n"
        + "\\\\\n".join([*said, latex_text(" ".join(_facts(measurements)))])
        + "\\par}"
    )
    return "\n\n".join(parts) + "\n"


class _Shown(NamedTuple):
    """Who is in a table: trained models and controls asked about, people, controls beside."""

    models: list[Column]
    people: list[Column]
    controls: list[Column]


def _shown(measurements: Measurements) -> _Shown:
    columns = columns_of(measurements)
    return _Shown(
        [c for c in columns if not c.beside],
        [c for c in columns if c.person],
        [c for c in columns if c.beside and not c.person],
    )


def _grids(measurements: Measurements) -> tuple[list[tuple[str, _Grid]], list[str]]:
    shown = _shown(measurements)
    notes: list[str] = []
    first = plain(measurements.models[0], 40)
    head = ["Metric", "Chance", *map(_name, shown.models)]
    for column in shown.models[1:]:
        head += [f"{plain(column.label, 40)} minus {first}", verdicts.SHARES.capitalize()]

    def main(metric: Metric) -> tuple[str, ...]:
        chance = "–" if metric.chance is None else f"{metric.chance:g}"
        cells = [chance, *(words.interval(c.interval(metric.key)) for c in shown.models)]
        for column in shown.models[1:]:
            difference = _difference(metric, column)
            cells += [words.interval(difference.interval, sign="+") if difference else "–"]
            cells += [verdicts.shares(difference) if difference else "–"]
        return tuple(cells)

    grids = [("Models, mean [95% interval]", _grid(measurements, head, main, notes))]
    grids += _beside(measurements, shown, words.interval, " [95% interval]")
    return grids, notes


def _fitted_grids(measurements: Measurements) -> tuple[list[tuple[str, _Grid]], list[str]]:
    shown = _shown(measurements)
    notes: list[str] = []
    first, others = shown.models[0], shown.models[1:]
    several = len(others) > 1
    head = ["Metric", *map(_name, shown.models)]
    head += [f"{plain(c.label, 40)} − {plain(first.label, 40)}" if several else "Difference" for c in others]

    def main(metric: Metric) -> tuple[str, ...]:
        found = [_difference(metric, column) for column in others]
        return (
            *(words.spread(c.interval(metric.key)) for c in shown.models),
            *(words.spread(d.interval, sign="+") if d else "–" for d in found),
        )

    title = "Models, mean ± half the 95% interval"
    if len(others) == 1:
        title += f"; difference: {plain(others[0].label, 40)} minus {plain(first.label, 40)}"
    grids = [(title, _short(_grid(measurements, head, main, notes)))]
    beside = _beside(measurements, shown, words.spread, " ± half the 95% interval")
    return [*grids, *((said, _short(grid)) for said, grid in beside)], notes


def _short(grid: _Grid) -> _Grid:
    """A grid with metrics' short names, and groups without a title."""
    short = {metric.title: metric.short[:1].upper() + metric.short[1:] for metric in METRICS.values()}
    groups = tuple(
        (group, tuple((short.get(name, name), marks, cells) for name, marks, cells in rows))
        for group, rows in grid.groups
    )
    return grid._replace(groups=groups)


def _beside(
    measurements: Measurements, shown: _Shown, said: Callable[[Interval], str], suffix: str
) -> list[tuple[str, _Grid]]:
    """Controls and people, each a table where there are any."""
    grids = []
    if shown.controls:
        labels = ["Metric", *(plain(c.label, 60) for c in shown.controls)]

        def means(metric: Metric) -> tuple[str, ...]:
            return tuple(words.number(c.interval(metric.key).mean) for c in shown.controls)

        grids.append(("Controls, not trained models: mean", _grid(measurements, labels, means, None)))
    if shown.people and measurements.people is not None:
        labels = ["Metric", *(plain(c.label, 60) for c in shown.people)]

        def persons(metric: Metric) -> tuple[str, ...]:
            return tuple(said(c.interval(metric.key)) for c in shown.people)

        title = f"People, whose segmentations are scored as features: mean{suffix}"
        grids.append((title, _grid(measurements.people, labels, persons, None)))
    return grids


def _name(column: Column) -> str:
    return plain(column.label, 60) + (" (control)" if column.control else "")


def _difference(metric: Metric, column: Column) -> PairedDifference | None:
    return None if metric.group == "between models" else column.difference(metric.key)


def _grid(
    measurements: Measurements,
    head: Sequence[str],
    cells: Callable[[Metric], tuple[str, ...]],
    notes: list[str] | None,
) -> _Grid:
    """Rows by group; what belongs beside a metric becomes a note, each sentence once.

    Without notes nothing could say why a row is empty: it is left out.
    """
    groups, undefined = [], measurements.undefined
    for group, metrics in grouped(measurements).items():
        rows = []
        for metric in metrics:
            marks = []
            for note in notes_of(metric, undefined.get(metric.key, "")) if notes is not None else ():
                if notes is not None and note not in notes:
                    notes.append(note)
                marks.append((notes or []).index(note) + 1)
            row = cells(metric)
            if notes is not None or any(cell != "–" for cell in row):
                rows.append((metric.title, tuple(marks), row))
        if rows:
            groups.append((group.capitalize(), tuple(rows)))
    return _Grid(tuple(head), tuple(groups))


def notes_of(metric: Metric, undefined: str = "") -> tuple[str, ...]:
    """What must be read beside a metric, after why it is undefined, if it is."""
    if undefined:
        return (f"Undefined: {undefined}.",)
    notes = [metric.warning[:1].upper() + metric.warning[1:] + "."] if metric.warning else []
    if metric.collection:
        notes.append("Over the collection, no interval.")
    if metric.group == "proxies":
        notes.append("A proxy, measured against the photograph itself; not to be compared with masks.")
    return tuple(notes)


def _facts(measurements: Measurements) -> list[str]:
    taken = words.count(len(measurements.images), "photograph")
    facts = [f"{taken}; mean and 95% interval (Student's t) over photographs."]
    if len(measurements.models) > 1:
        facts.append("Differences are paired by photograph.")
    told = (*measurements.warnings, *others_told(measurements), *masks_told(measurements))
    facts += [sentences((w,)) for w in told if w]
    return facts


def sentences(told: Sequence[str]) -> str:
    """Begun with capitals, ended with full stops, on one line; a label keeps its first letter."""
    begun = (w if w.startswith(("other:", "person:")) else w[:1].upper() + w[1:] for w in told)
    return " ".join(plain(w).rstrip(".") + "." for w in begun)

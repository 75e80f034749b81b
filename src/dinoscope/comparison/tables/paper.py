"""The numbers as tables that a paper can print: Markdown, and LaTeX with booktabs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dinoscope.comparison import words
from dinoscope.comparison.columns import columns_of, grouped
from dinoscope.comparison.mask_words import masks_told, others_told
from dinoscope.data.results import Measurements
from dinoscope.drawing import verdicts
from dinoscope.drawing.style import plain
from dinoscope.metrics.facts import Metric

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\textasciigrave{}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "²": r"\textsuperscript{2}",
    "…": r"\ldots{}",
    "\N{REPLACEMENT CHARACTER}": "?",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~#$!@])")


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
        lines = [f"**{_markdown(title)}**", ""]
        lines.append("| " + " | ".join(_markdown(cell) for cell in grid.head) + " |")
        lines.append("|:--|" + "--:|" * (len(grid.head) - 1))
        for group, rows in grid.groups:
            empty = " |" * (len(grid.head) - 1)
            lines.append(f"| **{_markdown(group)}** |{empty}")
            for name, marks, cells in rows:
                raised = f"<sup>{','.join(map(str, marks))}</sup>" if marks else ""
                lines.append("| " + " | ".join([f"{_markdown(name)}{raised}", *map(_markdown, cells)]) + " |")
        parts.append("\n".join(lines))
    parts.append("\n".join(f"{k}. {_markdown(note)}" for k, note in enumerate(notes, 1)))
    parts.append(_markdown(" ".join(_facts(measurements))))
    return "\n\n".join(part for part in parts if part) + "\n"


def metrics_latex(measurements: Measurements) -> str:
    r"""What `metrics_markdown` shows, as ``tabular`` environments; needs ``\usepackage{booktabs}``.

    Names are escaped: nothing in them is a command.
    """
    grids, notes = _grids(measurements)
    parts = ["% needs \\usepackage{booktabs}"]
    for title, grid in grids:
        n = len(grid.head)
        lines = [
            rf"\begin{{tabular}}{{@{{}}l{'r' * (n - 1)}@{{}}}}",
            rf"\multicolumn{{{n}}}{{@{{}}l}}{{\textbf{{{_latex(title)}}}}} \\",
            r"\toprule",
        ]
        lines.append(" & ".join(_latex(cell) for cell in grid.head) + r" \\")
        for group, rows in grid.groups:
            lines += [r"\midrule", rf"\multicolumn{{{n}}}{{@{{}}l}}{{\emph{{{_latex(group)}}}}} \\"]
            for name, marks, cells in rows:
                raised = rf"\textsuperscript{{{','.join(map(str, marks))}}}" if marks else ""
                lines.append(" & ".join([f"{_latex(name)}{raised}", *map(_latex, cells)]) + r" \\")
        parts.append("\n".join([*lines, r"\bottomrule", r"\end{tabular}"]))
    said = [rf"\textsuperscript{{{k}}}~{_latex(note)}" for k, note in enumerate(notes, 1)]
    parts.append(
        "\\par\\smallskip\n{\\footnotesize\n"
        + "\\\\\n".join([*said, _latex(" ".join(_facts(measurements)))])
        + "\\par}"
    )
    return "\n\n".join(parts) + "\n"


def _grids(measurements: Measurements) -> tuple[list[tuple[str, _Grid]], list[str]]:
    columns = columns_of(measurements)
    models, people = [c for c in columns if not c.beside], [c for c in columns if c.person]
    controls = [c for c in columns if c.beside and not c.person]
    notes: list[str] = []
    first = plain(measurements.models[0], 40)
    head = ["Metric", "Chance", *(plain(c.label, 60) + (" (control)" if c.control else "") for c in models)]
    for column in models[1:]:
        head += [f"{plain(column.label, 40)} minus {first}", verdicts.SHARES.capitalize()]

    def main(metric: Metric) -> tuple[str, ...]:
        cells = [_chance(metric), *(words.interval(c.interval(metric.key)) for c in models)]
        for column in models[1:]:
            difference = None if metric.group == "between models" else column.difference(metric.key)
            shown = words.interval(difference.interval, sign="+") if difference else "–"
            cells += [shown, verdicts.shares(difference) if difference else "–"]
        return tuple(cells)

    def beside(metric: Metric) -> tuple[str, ...]:
        return tuple(words.number(c.interval(metric.key).mean) for c in controls)

    def persons(metric: Metric) -> tuple[str, ...]:
        return tuple(words.interval(c.interval(metric.key)) for c in people)

    grids = [("Models, mean [95% interval]", _grid(measurements, head, main, notes))]
    if controls:
        labels = ["Metric", *(plain(c.label, 60) for c in controls)]
        grids.append(("Controls, not trained models: mean", _grid(measurements, labels, beside, None)))
    if people and measurements.people is not None:
        labels = ["Metric", *(plain(c.label, 60) for c in people)]
        title = "People, whose segmentations are scored as features: mean [95% interval]"
        grids.append((title, _grid(measurements.people, labels, persons, None)))
    return grids, notes


def _grid(
    measurements: Measurements,
    head: Sequence[str],
    cells: Callable[[Metric], tuple[str, ...]],
    notes: list[str] | None,
) -> _Grid:
    """Rows by group; what belongs beside a metric becomes a note, each sentence once."""
    groups, undefined = [], measurements.undefined
    for group, metrics in grouped(measurements).items():
        rows = []
        for metric in metrics:
            marks = []
            for note in notes_of(metric, undefined.get(metric.key, "")) if notes is not None else ():
                if notes is not None and note not in notes:
                    notes.append(note)
                marks.append((notes or []).index(note) + 1)
            rows.append((metric.title, tuple(marks), cells(metric)))
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


def _chance(metric: Metric) -> str:
    return "–" if metric.chance is None else f"{metric.chance:g}"


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


def _latex(text: str) -> str:
    """A bracket at the start would be read as an argument of the line break before it."""
    shown = "".join(_LATEX.get(c, c) for c in plain(text))
    return "{[}" + shown[1:] if shown.startswith("[") else shown


def _markdown(text: str) -> str:
    escaped = _MARKDOWN.sub(r"\\\1", plain(text)).replace("&", "&amp;")
    return escaped.replace("<", "&lt;").replace(">", "&gt;").replace("://", r"\://")

"""The last lines of `dinoscope compare`: the verdict, three numbers a model, and where the rest is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dinoscope.comparison import words
from dinoscope.comparison.columns import columns_of
from dinoscope.comparison.tables.terminal import ascii_text, title
from dinoscope.comparison.verdict import verdict
from dinoscope.data.results import Comparison
from dinoscope.drawing.style import plain
from dinoscope.drawing.text_table import text_table, wrapped
from dinoscope.names import printable

MOST = 12
"""Lines at most, whatever there is to say."""

_VERDICT = 3
"""Lines that are kept for the verdict, however many models there are."""

_LONGEST_NAME = 32

MORE = "--full"


def closing_text(comparison: Comparison, report: Path, *, notes: Sequence[str] = ()) -> str:
    """At most `MOST` lines of ASCII, apart from the report's path; nothing is left out without a count.

    Args:
        comparison: what was found.
        report: where it was written.
        notes: further sentences, at most two, each kept on one line.
    """
    last = [*map(ascii_text, notes), _counted(comparison), f"report: {printable(str(report))}"]
    last.append(f"open it in a browser, or add --open; every number: {MORE}, or table.md beside it")
    last = [line for line in last if line]
    table = _numbers(comparison, MOST - len(last) - _VERDICT)
    said = _fitted(verdict(comparison), MOST - len(last) - len(table))
    return "\n".join([*said, *table, *last])


def _numbers(comparison: Comparison, room: int) -> list[str]:
    """A line a model with the smoothness triple, and how many models there is no room for."""
    measured = comparison.measurements
    columns = [column for column in columns_of(comparison) if not column.beside]
    keys = words.smoothness(measured)
    rows = [
        [
            ascii_text(plain(column.label, _LONGEST_NAME)) + (" (control)" if column.control else ""),
            *(ascii_text(words.interval(column.interval(key))) for key in keys),
        ]
        for column in columns[: room - 1 if room > len(columns) else room - 2]
    ]
    lines = text_table(rows, ["model", *(title(key) for key in keys)], unbroken=True).splitlines()
    rest = len(columns) - len(rows)
    return [*lines, f"and {words.count(rest, 'more model')}: {MORE}"] if rest > 0 else lines


def _counted(comparison: Comparison) -> str:
    """How many inputs failed and how many warnings there are; empty without any."""
    failed, warned = len(comparison.failures), len(comparison.measurements.warnings)
    told = [f"{words.count(failed, 'input')} could not be used (listed above)"] if failed else []
    told += [f"{words.count(warned, 'warning')} to read beside the numbers: {MORE}"] if warned else []
    return "; ".join(told)


def _fitted(sentences: Sequence[str], room: int) -> list[str]:
    """Whole sentences as long as there is room; the first is cut where even that is too long."""
    lines: list[str] = []
    for sentence in sentences:
        more = wrapped(ascii_text(sentence)).splitlines()
        if len(lines) + len(more) <= room:
            lines += more
        elif not lines:
            lines = [*more[: room - 1], f"  ... ({MORE})"]
    return lines

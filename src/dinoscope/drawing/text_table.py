"""Tables and sentences as plain text, for a terminal or a file: no colour, no lines between cells."""

from __future__ import annotations

import io
import shutil
import sys
import textwrap
from collections.abc import Sequence

from dinoscope.names import printable

WIDTH = 100
"""Columns wherever output is no terminal, so that it is the same everywhere."""

SHORTEST = 9
"""Columns that the flexible column keeps at least."""


def text_width() -> int:
    """Columns to use: those of the terminal, up to `WIDTH`; `WIDTH` where stdout is none."""
    return min(WIDTH, shutil.get_terminal_size().columns) if sys.stdout.isatty() else WIDTH


def text_table(
    rows: Sequence[Sequence[str]],
    header: Sequence[str],
    *,
    flexible: int = 0,
    right: Sequence[int] = (),
    unbroken: bool = False,
) -> str:
    """A table with two spaces between its columns; control characters are escaped, indents kept in wraps.

    Args:
        rows: cells, as many in each as in the header.
        header: of the columns.
        flexible: the column that is wrapped first where the table is too wide; only where that is not enough
            are others.
        right: columns that are aligned to the right.
        unbroken: one line a row however wide, for what is copied or searched through line by line.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    shown = [[printable(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    whole = sum(widths) + 2 * len(widths)
    width = whole if unbroken else text_width()
    fits = whole - 2 - widths[flexible] + min(SHORTEST, widths[flexible]) <= width
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for i, title in enumerate(shown[0]):
        table.add_column(
            title,
            justify="right" if i in right else "left",
            no_wrap=fits and i != flexible,
            overflow="fold",
        )
    for row in shown[1:]:
        indented = (Padding(cell.lstrip(), (0, 0, 0, len(cell) - len(cell.lstrip()))) for cell in row)
        table.add_row(*indented)
    file = io.StringIO()
    console = Console(
        file=file,
        width=width,
        color_system=None,
        highlight=False,
        markup=False,
        emoji=False,
        force_terminal=False,
        force_jupyter=False,  # in a notebook it would be shown instead of returned
        legacy_windows=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


def wrapped(said: str, indent: str = "  ") -> str:
    """A sentence on lines of the width; words that are longer, such as commands, stay whole."""
    return textwrap.fill(
        printable(said),
        text_width(),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )

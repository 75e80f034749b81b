"""`dinoscope models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from dinoscope.backbones.listing import ModelRow, models
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option
from dinoscope.shell.panels import INPUT, OUTPUT

WIDTH = 80
"""Columns that the short list keeps to."""

NAME_WIDTH = 21


@examples("dinoscope models dinov3 --ungated", "dinoscope models --cached --full")
def models_command(
    words: Annotated[list[str] | None, argument("Only names that contain all of these.", INPUT)] = None,
    *,
    cached: Annotated[bool, option("Only those whose weights are here.", INPUT, "--cached")] = False,
    ungated: Annotated[
        bool,
        option("Only those whose authors ask for no acceptance.", INPUT, "--ungated"),
    ] = False,
    full: Annotated[bool, option("Whole repositories and licences.", OUTPUT, "--full")] = False,
    as_json: options.Json = False,
) -> None:
    """List every model: source, licence, gate, size, cached or not."""
    rows = [
        row
        for row in models()
        if all(word in row.name for word in words or ())
        and not (cached and not row.cached)
        and not (ungated and row.gated)
    ]
    if as_json:
        from dinoscope.strict_json import strict_json  # reaches numpy

        print(strict_json({"models": rows}))
    else:
        print(models_text(rows, full=full))


def models_text(rows: Sequence[ModelRow], *, full: bool = False) -> str:
    """The list as a table for a terminal: one model a line, then the names that take another name.

    Args:
        rows: what is listed.
        full: with whole repositories, however wide that is; otherwise within `WIDTH` columns.
    """
    from dinoscope.drawing.text_table import text_table

    listed = [
        (
            row.name,
            _short(row.n_parameters, ("", "k", "M", "G")),
            _short(row.size_bytes, ("B", "kB", "MB", "GB")),
            "yes" if row.cached else "no",
            row.licence if full else row.licence.removesuffix("-License"),
            ", ".join(dict.fromkeys(_told(source, row, full=full) for source in row.sources)),
        )
        for row in rows
        if row.sources
    ]
    header = ("NAME", "PARAMS", "SIZE", "HERE", "LICENCE", "FROM")
    others = [_described(row) for row in rows if not row.sources]
    if not listed and not others:
        return "no model's name fits"
    parts = [text_table(listed, header, unbroken=True)] if listed else []
    return "\n\n".join([*parts, *(["\n".join(others)] if others else [])])


def _told(source: str, row: ModelRow, *, full: bool) -> str:
    if source == "bundled":
        return "bundled toy"
    gate = " (gated)" if source in row.gated_sources else ""
    return (source if full else source.partition("/")[0]) + gate


def _described(row: ModelRow) -> str:
    """A name that takes another name, and what it means."""
    import textwrap

    indent = " " * (NAME_WIDTH + 2)
    return textwrap.fill(f"{row.name:<{NAME_WIDTH}}  {row.description}", WIDTH, subsequent_indent=indent)


def _short(number: int, units: tuple[str, ...]) -> str:
    """Three digits and a unit of thousands."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {units[unit]}".rstrip()

"""`dinoscope models`."""

from __future__ import annotations


def models_command() -> None:
    """List every model: source, licence, gate, size, cached or not."""
    print(models_text())


def models_text() -> str:
    """The list as a table for a terminal: one model a line, then the names that take another name."""
    from dinoscope.backbones.listing import models
    from dinoscope.drawing.text_table import text_table

    rows = [
        (
            row.name,
            _short(row.n_parameters, ("", "k", "M", "G")),
            _short(row.size_bytes, ("B", "kB", "MB", "GB")),
            "yes" if row.cached else "no",
            row.licence,
            "gated" if row.gated else "open",
            ", ".join(row.sources),
        )
        for row in models()
        if row.sources
    ]
    header = ("NAME", "PARAMETERS", "SIZE", "CACHED", "LICENCE", "GATE", "SOURCES")
    longest = max(len(row[0]) for row in rows)
    others = [f"{row.name.ljust(longest)}  {row.description}" for row in models() if not row.sources]
    return "\n".join([text_table(rows, header, unbroken=True), "", *others])


def _short(number: int, units: tuple[str, ...]) -> str:
    """Three digits and a unit of thousands."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {units[unit]}".rstrip()

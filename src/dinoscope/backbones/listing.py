"""What `dinoscope models` lists."""

from __future__ import annotations

from dataclasses import dataclass

from dinoscope.backbones import hub
from dinoscope.backbones.catalog import CONTROLS, ENTRIES, PREFIXES


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One line of the list of models.

    Attributes:
        name: as the user writes it; placeholders in capitals.
        sources: hub repositories, in the order they are tried, or ``bundled``; empty where none is needed.
        licence: of the weights.
        gated: whether the authors' own repository asks for a licence to be accepted.
        n_parameters: 0 where there are none, or where the name is a placeholder.
        size_bytes: of the float32 weights; likewise.
        cached: whether complete weights lie in this package or in the local hub cache; None where none are
            needed.
        description: one sentence.
    """

    name: str
    sources: tuple[str, ...]
    licence: str
    gated: bool
    n_parameters: int
    size_bytes: int
    cached: bool | None
    description: str


def models() -> tuple[ModelRow, ...]:
    """Every name `load_backbone` takes, in order; the cache is looked up without a request."""
    published = tuple(
        ModelRow(
            name=entry.name,
            sources=("bundled",) if entry.bundled else tuple(source.repo for source in entry.sources),
            licence=entry.licence,
            gated=entry.gated,
            n_parameters=entry.parameters,
            size_bytes=entry.size_bytes,
            cached=entry.bundled or any(hub.cached(source.repo) is not None for source in entry.sources),
            description=entry.description,
        )
        for entry in ENTRIES.values()
    )
    others = tuple(
        ModelRow(name, (), "none" if name in CONTROLS else "depends", False, 0, 0, None, description)
        for name, description in {**CONTROLS, **PREFIXES}.items()
    )
    return published + others


def models_text() -> str:
    """The list as a table for a terminal: one model a line, then the names that take another name."""
    table = [("NAME", "PARAMETERS", "SIZE", "CACHED", "LICENCE", "GATE", "SOURCES")]
    for row in models():
        if row.sources:
            table.append(
                (
                    row.name,
                    _short(row.n_parameters, ("", "k", "M", "G")),
                    _short(row.size_bytes, ("B", "kB", "MB", "GB")),
                    "yes" if row.cached else "no",
                    row.licence,
                    "gated" if row.gated else "open",
                    ", ".join(row.sources),
                )
            )
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in table]
    others = [f"{row.name.ljust(widths[0])}  {row.description}" for row in models() if not row.sources]
    return "\n".join(line.rstrip() for line in (*lines, "", *others))


def _short(number: int, units: tuple[str, ...]) -> str:
    """Three digits and a unit of thousands."""
    value, unit = float(number), 0
    while value >= 999.5 and unit < len(units) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {units[unit]}".rstrip()

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
        gated_sources: those of them that ask for a licence to be accepted.
        licence: of the weights.
        gated: whether the authors' own repository asks for a licence to be accepted.
        n_parameters: 0 where there are none, or where the name is a placeholder.
        size_bytes: of the weights; likewise.
        cached: whether complete weights lie in this package or in the local hub cache; None where none are
            needed.
        description: one sentence.
    """

    name: str
    sources: tuple[str, ...]
    gated_sources: tuple[str, ...]
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
            gated_sources=tuple(source.repo for source in entry.sources if source.gated),
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
        ModelRow(name, (), (), "none" if name in CONTROLS else "depends", False, 0, 0, None, description)
        for name, description in {**CONTROLS, **PREFIXES}.items()
    )
    return published + others

"""The report's sections. Every module here is asked for its own, so that a new figure is a new file."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

from dinoscope.data.results import Comparison
from dinoscope.drawing.pages import Section


def sections_of(comparison: Comparison) -> Iterator[Section]:
    """What each module's ``sections(comparison)`` gives."""
    for found in pkgutil.iter_modules(__path__):
        yield from import_module(f"{__name__}.{found.name}").sections(comparison)

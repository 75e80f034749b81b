"""The report's sections. Every module here is asked for its own, so that a new figure is a new file."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

from dinoscope.data.results import Comparison
from dinoscope.drawing.pages import Section


def found() -> tuple[ModuleType, ...]:
    """The modules of this package, by name."""
    return tuple(import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))


MODULES = found()
"""Imported with this package, so never first in a thread."""


def sections_of(comparison: Comparison) -> Iterator[Section]:
    """What each module's ``sections(comparison)`` gives."""
    for module in MODULES:
        yield from module.sections(comparison)

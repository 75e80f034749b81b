"""Packages of the optional parts, where they are installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dinoscope.errors import MissingExtraError


def extra_package(name: str, what: str, extra: str) -> Any:
    """A package that an extra brings.

    Args:
        name: of the package.
        what: needs it, for the error.
        extra: that brings it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(what, extra) from error

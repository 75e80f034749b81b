"""One option of a command line, as one thinks of it: what it says, where it stands, its names."""

from __future__ import annotations

from typing import Any

import typer

from dinoscope.shell.panels import OUTPUT


def option(says: str, panel: str | None = None, *names: str, **more: Any) -> Any:
    """A `typer.Option`.

    Args:
        says: its help.
        panel: the group it stands in; None for the rest.
        names: where they do not follow from the parameter's.
        more: as `typer.Option` takes it: ``metavar``, ``min``, ``max``, …
    """
    return typer.Option(*names, help=says, rich_help_panel=panel, **more)


def argument(says: str, panel: str, **more: Any) -> Any:
    """A `typer.Argument`, likewise."""
    return typer.Argument(help=says, rich_help_panel=panel, **more)


def out_option(says: str, *, metavar: str = "DIR") -> Any:
    """``--out``, ``-o``: where a command writes."""
    return option(says, OUTPUT, "--out", "-o", metavar=metavar)

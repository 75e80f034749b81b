"""How much a command says beside its result: ``--quiet`` and ``--verbose``."""

from __future__ import annotations

from contextvars import ContextVar

QUIET, USUAL, VERBOSE = -1, 0, 1
_level: ContextVar[int] = ContextVar("verbosity", default=USUAL)


def be_quiet(asked: bool) -> None:  # noqa: FBT001 (Typer passes an option's value by place)
    """From now on in this context: results, failures and errors alone."""
    if asked:
        _level.set(QUIET)


def be_verbose(asked: bool) -> None:  # noqa: FBT001 (likewise)
    """From now on in this context: progress every few seconds, and how long every stage took."""
    if asked:
        _level.set(VERBOSE)


def level() -> int:
    """`QUIET`, `USUAL` or `VERBOSE`."""
    return _level.get()

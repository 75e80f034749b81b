"""A command line, run in this process."""

from __future__ import annotations

import sys

from dinoscope import cli


def run(*words: object) -> int:
    """The exit code of ``dinoscope WORDS``."""
    old = sys.argv
    sys.argv = ["dinoscope", *map(str, words)]
    try:
        cli.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = old
    return 0

"""``dinoscope``, and ``python -m dinoscope``: Ctrl-C is answered before anything else is imported."""

from __future__ import annotations

import sys

from dinoscope.shell.interrupts import INTERRUPTED, answer_interrupts
from dinoscope.shell.streams import open_closed_streams


def main() -> None:
    """Run the command line."""
    open_closed_streams()
    answer_interrupts()
    try:
        from dinoscope import cli

        cli.main()
    except KeyboardInterrupt:  # while the command line itself was imported
        print("dinoscope: interrupted before anything was done", file=sys.stderr)
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()

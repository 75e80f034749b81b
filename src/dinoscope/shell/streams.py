"""Standard streams that are there, whoever started this process."""

from __future__ import annotations

import os
import sys


def open_closed_streams() -> None:
    """A standard stream that was closed before we began leads nowhere, and not into the next file opened.

    Python has none in its place, and would print errors among results, or fail where it flushes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free is this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 (as long as the process)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115

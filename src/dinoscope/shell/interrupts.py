"""Ctrl-C is answered at once, whatever the main thread is busy with; a second one ends the process now.

Python raises KeyboardInterrupt between two of its own instructions, which may be minutes away inside one
operation of a library. The signal itself is told to a thread, whose words are on the terminal at once.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from functools import cache

INTERRUPTED = 130
_FIRST = (
    "dinoscope: interrupted: ending after the operation in hand; Ctrl-C again ends now (every file is "
    "written whole or not at all)\n"
)
_SHOW_CURSOR = "\x1b[?25h"


@cache
def answer_interrupts() -> None:
    """Answer Ctrl-C from now on, for the rest of the process; nothing outside its main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    threading.Thread(target=_answer, args=(told,), name="dinoscope-interrupts", daemon=True).start()


def _answer(told: int) -> None:
    before = False
    while number := os.read(told, 1):
        if number[0] != signal.SIGINT:
            continue
        if before:
            if sys.stderr.isatty():
                os.write(2, _SHOW_CURSOR.encode())  # a bar of progress hides it
            os._exit(INTERRUPTED)
        before = True
        os.write(2, _FIRST.encode())

"""Runs a command line and says on stderr which modules threads other than the main one were first to import.

``python threaded_imports.py WORDS...``
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MARK = "IMPORTED IN A THREAD:"
_found: set[str] = set()


class Watch:
    """Asked for every module before it is looked for; finds none."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if threading.current_thread() is not threading.main_thread():
            _found.add(name)
        return None


if __name__ == "__main__":
    sys.meta_path.insert(0, Watch())  # type: ignore[arg-type]
    from dinoscope.cli import main

    try:
        main()
    finally:
        print(MARK, *sorted(_found), file=sys.stderr)

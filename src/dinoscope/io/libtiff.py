"""While images are decoded, libtiff, inside Pillow, writes nothing to the terminal by itself."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PIL import _imaging

_turn = threading.Lock()
_inside = 0
_before: list[int | None] = []


@contextmanager
def quiet_libtiff() -> Iterator[None]:
    """Inside, in any thread, what is wrong with a TIFF is told by Pillow's exceptions alone."""
    global _inside
    with _turn:
        if _inside == 0:
            _before[:] = [setter(None) for setter in _setters()]
        _inside += 1
    try:
        yield
    finally:
        with _turn:
            _inside -= 1
            if _inside == 0:
                for setter, handler in zip(_setters(), _before, strict=True):
                    setter(handler)


@cache
def _setters() -> tuple[Any, ...]:
    """Libtiff's own functions that take its handlers of errors and warnings, and return those before.

    None where Pillow was built without it, or so that it cannot be reached.
    """
    try:
        library = ctypes.CDLL(_imaging.__file__)
        found = tuple(getattr(library, f"TIFFSet{kind}Handler") for kind in ("Error", "Warning"))
    except (OSError, AttributeError):
        return ()
    for setter in found:
        setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
    return found

"""The last answers, so that what is asked again is not worked out again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """The last answers by what they answer, so many or of so much in all; from any thread."""

    def __init__(self, kept: int, size: Callable[[_V], int] = lambda _: 1) -> None:
        self._kept = kept
        self._size = size
        self._lock = threading.Lock()
        self._answers: OrderedDict[_K, _V] = OrderedDict()

    def have(self, key: _K) -> _V | None:
        """An answer that is kept."""
        with self._lock:
            if key in self._answers:
                self._answers.move_to_end(key)
            return self._answers.get(key)

    def keep(self, key: _K, answer: _V) -> _V:
        """The answer, kept; the one not asked for longest goes."""
        with self._lock:
            self._answers[key] = answer
            self._answers.move_to_end(key)
            while len(self._answers) > 1 and sum(map(self._size, self._answers.values())) > self._kept:
                self._answers.popitem(last=False)
        return answer

    def either(self, key: _K, make: Callable[[], _V]) -> _V:
        """The answer that is kept, else one made now."""
        found = self.have(key)
        return self.keep(key, make()) if found is None else found

"""The first photographs of a collection, looked at before it is measured."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from dinoscope.data.photograph import Photograph
from dinoscope.errors import DinoscopeError
from dinoscope.pipeline.extract import ImageLike, load_photograph


class FirstPhotographs:
    """The photographs that can be read, from the first on, as often as asked for; those read are kept."""

    def __init__(self, source: Iterator[ImageLike]) -> None:
        self._source = source
        self._taken: list[ImageLike] = []
        self._read: list[Photograph] = []

    def __iter__(self) -> Iterator[Photograph]:
        yield from self._read
        for image in self._source:
            self._taken.append(image)
            try:
                photograph = load_photograph(image)
            except DinoscopeError:
                continue  # told when it is its turn to be measured
            self._read.append(photograph)
            yield photograph

    def all(self) -> Iterator[ImageLike]:
        """Everything given, in order."""
        self._read = []
        return chain(self._taken, self._source)

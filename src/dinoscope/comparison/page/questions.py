"""What the live page asks beside its payload: a question as its script puts it, and an answer's bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError

QUESTION_BYTES = 64 * 2**10
"""Most bytes of one question."""

MOST_CLICKS = 500
_TYPES = {"float32": "<f4", "uint8": "u1", "int8": "i1"}


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        way: of looking, such as ``attention``.
        grid: patches on the short side.
        digests: of the photographs that the page shows, in its order.
        words: everything else, as JSON gave it; read with the methods below, which raise `InputError`.
    """

    way: str
    grid: int
    digests: tuple[str, ...]
    words: Mapping[str, object]

    def choice(self, name: str, among: tuple[str, ...]) -> str:
        """One of these words; the first where nothing is said."""
        said = self.words.get(name, among[0])
        if said not in among:
            raise InputError(f"{name} is one of {', '.join(among)}, not {said!r}")
        return str(said)

    def number(self, name: str, low: int, high: int) -> int:
        """A whole number from ``low`` to ``high``."""
        said = self.words.get(name)
        if isinstance(said, bool) or not isinstance(said, int) or not low <= said <= high:
            raise InputError(f"{name} is a whole number from {low} to {high}, not {said!r}")
        return said

    def photograph(self, name: str = "image") -> str:
        """Digest of a photograph, which is named by its number on the page."""
        return self.digests[self.number(name, 0, len(self.digests) - 1)]

    def place(self) -> tuple[float, float] | None:
        """(x, y) in [0, 1]²; None for the class token."""
        said = self.words.get("at")
        return None if said == "cls" else _place(said)

    def clicks(self) -> tuple[tuple[float, float, bool], ...]:
        """Places and whether each belongs."""
        said = self.words.get("clicks")
        if not isinstance(said, list) or len(said) > MOST_CLICKS:
            raise InputError(f"clicks are a list of at most {MOST_CLICKS}")
        found = []
        for one in said:
            if not isinstance(one, list) or len(one) != 3 or not isinstance(one[2], bool):
                raise InputError("a click is [x, y, whether it belongs]")
            found.append((*_place(one[:2]), one[2]))
        return tuple(found)

    def texts(self) -> tuple[str, ...]:
        """Words, as people typed them."""
        said = self.words.get("texts")
        if not isinstance(said, list) or not all(isinstance(text, str) for text in said) or len(said) > 20:
            raise InputError("texts are a list of words, 20 at most")
        return tuple(text.strip() for text in said if text.strip())


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What was found.

    Attributes:
        facts: JSON values; arrays are named in it by their numbers.
        arrays: float32, uint8 or int8.
    """

    facts: Mapping[str, object]
    arrays: tuple[np.ndarray, ...] = ()

    def as_bytes(self) -> bytes:
        """Length of the header, four bytes little-endian; the header, JSON; the arrays, four-byte aligned."""
        kinds = [{"type": one.dtype.name, "length": one.nbytes} for one in self.arrays]
        header = json.dumps({**self.facts, "arrays": kinds}, allow_nan=False).encode("ascii")
        header += b" " * (-(4 + len(header)) % 4)  # arrays of four-byte numbers begin where they may
        parts = (one.astype(_TYPES[one.dtype.name]).tobytes() for one in self.arrays)
        padded = (part + bytes(-len(part) % 4) for part in parts)
        return b"".join([len(header).to_bytes(4, "little"), header, *padded])


@runtime_checkable
class Answerer(Protocol):
    """Who knows the answers."""

    def needs_model(self, question: Question) -> bool:
        """Whether a model has to run, so that the question waits for its turn behind extraction."""

    def answer(self, question: Question, read: Callable[[str], Photograph]) -> Answer:
        """The answer, or a `DinoscopeError`; ``read`` gives a photograph by its digest."""


def question_from(body: bytes) -> Mapping[str, object]:
    """The words of a question.

    Raises:
        InputError: no JSON object, or too long.
    """
    if len(body) > QUESTION_BYTES:
        raise InputError(f"a question may have {QUESTION_BYTES:,} bytes at most")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError("a question is a JSON object") from error
    if not isinstance(said, dict):
        raise InputError("a question is a JSON object")
    return said


def _place(said: object) -> tuple[float, float]:
    numbers = [v for v in said if isinstance(v, int | float)] if isinstance(said, list) else []
    if len(numbers) != 2 or not all(0.0 <= v <= 1.0 for v in numbers):
        raise InputError(f"a place is [x, y] in [0, 1]², not {said!r}")
    return float(numbers[0]), float(numbers[1])

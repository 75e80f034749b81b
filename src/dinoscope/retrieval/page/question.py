"""What the search page asks, and who answers it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hits, Match, PatchHit
from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.errors import InputError
from dinoscope.retrieval.page.filters import condition_of
from dinoscope.store.shots import NO_SHOTS, ShotFacts

MOST_HITS = 200
MOST_LISTED = 200
MOST_TOGETHER = 16
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TableFacts:
    """One table of a store.

    Attributes:
        name, backbone: its own and its model's.
        n: its photographs.
        dense: whether it keeps whole maps.
        shots: what its photographs' EXIF blocks say, to filter by.
        kind: of its model, as in `BackboneSpec.kind`.
    """

    name: str
    backbone: str
    n: int
    dense: bool = False
    shots: ShotFacts = NO_SHOTS
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A photograph as the page knows it.

    Attributes:
        digest: sha256 of it.
        name: to show. Data, never markup.
        size: ``(W, H)`` of the upright original in pixels.
        source: where it was found; empty for one that was dropped on the page. Data, never markup.
        shot: what its EXIF block says.
    """

    digest: str
    name: str
    size: tuple[int, int]
    source: str = ""
    shot: Shot = UNKNOWN


@dataclass(frozen=True, slots=True)
class Question:
    """One search.

    Attributes:
        table: searched in.
        query: digest of a photograph of the table, or of one that was dropped on the page.
        pooling, suppress: by name.
        k: hits.
        components: directions the suppression removes; None for its own choice.
        box: left, top, right, bottom in [0, 1]² of the query.
        patch: a place (x, y) in [0, 1]² of the query: the patch there.
        more: digests of further photographs that are searched for.
        against: digests of photographs that are searched against.
        where: a condition on the columns.
    """

    table: str
    query: str
    pooling: str
    suppress: str
    k: int
    components: int | None = None
    box: tuple[float, float, float, float] | None = None
    patch: tuple[float, float] | None = None
    more: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The answer: hits, their photographs in the same order, and the ``(h, w)`` of the query's patches."""

    hits: Hits
    shown: tuple[Shown, ...]
    grid: tuple[int, int]


@dataclass(frozen=True, slots=True)
class FoundPatches:
    """Patches like one patch, the best of each photograph; otherwise as `Found` and `Hits`."""

    hits: tuple[PatchHit, ...]
    shown: tuple[Shown, ...]
    grid: tuple[int, int]
    suppression: str
    k_removed: int | None
    fitted_on: str
    notes: tuple[str, ...]


@runtime_checkable
class Finder(Protocol):
    """Who knows a store. Everything raises `DinoscopeError` where it cannot be done.

    `picture` and `search` may be called from several threads, also while one other calls anything else.
    """

    @property
    def poolings(self) -> Sequence[str]:
        """By name, the one to begin with first."""

    @property
    def suppressions(self) -> Sequence[str]:
        """By name; ``none`` is among them."""

    def tables(self) -> Sequence[TableFacts]:
        """Tables of the store, the one to begin with first."""

    def listed(self, table: str, first: int, n: int) -> Sequence[Shown]:
        """At most ``n`` photographs in row order, from the 0-based place ``first``."""

    def take(self, data: bytes, name: str) -> Shown:
        """Make an uploaded file something to search for; the last few are kept."""

    def shown(self, table: str, digest: str) -> Shown:
        """A photograph of the table, or one that was taken."""

    def picture(self, table: str, digest: str, longest_px: int) -> Photograph:
        """The photograph, in small."""

    def search(self, question: Question) -> Found:
        """The photographs of the table that are most like the query."""

    def patches(self, question: Question) -> FoundPatches:
        """The patches of the table's other photographs that are most like one patch of the query."""

    def duplicates(self, table: str, pooling: str, least: float) -> Sequence[Sequence[Shown]]:
        """Groups of photographs of the table that are nearly the same, the most alike first."""

    def why(self, question: Question, hit: str) -> tuple[Match, Photograph, Photograph]:
        """What every patch gives to one hit's score, with the query's and the hit's photograph."""


def question_of(words: Mapping[str, str], finder: Finder) -> Question:
    """A search from the words of an address.

    Raises:
        InputError: something that cannot be asked.
    """
    pooling, suppress = words.get("pooling", "mean"), words.get("suppress", "none")
    if pooling not in finder.poolings:
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(finder.poolings)}")
    if suppress not in finder.suppressions:
        raise InputError(f"no suppression {suppress!r}; there are {', '.join(finder.suppressions)}")
    box, patch = _numbers(words, "box", 4), _numbers(words, "patch", 2)
    if box is not None and patch is not None:
        raise InputError("a region is a box or a patch, not both")
    if box is not None and not (box[0] < box[2] and box[1] < box[3]):
        raise InputError("a box is left, top, right, bottom and needs an area")
    return Question(
        table=words.get("table", ""),
        query=digest_of(words.get("query", "")),
        pooling=pooling,
        suppress=suppress,
        k=whole_number(words, "k", 1, MOST_HITS),
        components=whole_number(words, "components", 1, 9999) if words.get("components") else None,
        box=None if box is None else (box[0], box[1], box[2], box[3]),
        patch=None if patch is None else (patch[0], patch[1]),
        more=_digests(words, "more"),
        against=_digests(words, "against"),
        where=condition_of(words),
    )


def digest_of(words: str) -> str:
    """A digest from text.

    Raises:
        InputError: it is none.
    """
    if _DIGEST.fullmatch(words) is None:
        raise InputError("a photograph is named by its digest: 64 hexadecimal digits")
    return words


def _digests(words: Mapping[str, str], name: str) -> tuple[str, ...]:
    found = tuple(digest_of(word) for word in words.get(name, "").split(",") if word)
    if len(found) > MOST_TOGETHER:
        raise InputError(f"at most {MOST_TOGETHER} photographs are searched for, or against, at once")
    return found


def whole_number(words: Mapping[str, str], name: str, least: int, most: int) -> int:
    """A number within limits.

    Raises:
        InputError: it is none, or beyond them.
    """
    given = words.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 9 and least <= int(given) <= most):
        raise InputError(f"{name} is a whole number from {least} to {most:,}")
    return int(given)


def share(words: Mapping[str, str], name: str) -> float:
    """A number in [0, 1].

    Raises:
        InputError: it is none.
    """
    return (_numbers(words, name, 1) or (0.0,))[0]


def _numbers(words: Mapping[str, str], name: str, count: int) -> tuple[float, ...] | None:
    if not words.get(name):
        return None
    try:
        numbers = tuple(float(word) for word in words[name].split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count or not all(math.isfinite(v) and 0 <= v <= 1 for v in numbers):
        raise InputError(f"{name} takes {count} numbers in [0, 1] separated by commas")
    return numbers

"""The photographs of the live page, and what is known of them. Shared by everything that looks at it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, runtime_checkable

from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison, Failure
from dinoscope.drawing.view.payload import Payload, comparison_payload
from dinoscope.errors import DinoscopeError, ImageError, InputError

KEPT_FAILURES = 50
KEPT_PAYLOADS = 2

Say = Callable[[Mapping[str, object]], None]
"""Told of each step of a job."""


@runtime_checkable
class Extractor(Protocol):
    """Who turns photographs into features and features into comparisons, each photograph and grid once."""

    def check(self, grid: int) -> None:
        """Raise `InputError` where the grid is impossible."""

    def has(self, digest: str, grid: int) -> bool:
        """Whether these features are there already."""

    def add(
        self,
        photograph: Photograph,
        grid: int,
        on_progress: Callable[[int, int], None],
        cancelled: Callable[[], bool],
    ) -> bool:
        """Extract; False where it was cancelled. Raises `DinoscopeError` where it cannot be done."""

    def comparison(self, digests: Sequence[str], grid: int) -> Comparison:
        """Compare what was added."""

    def forget(self, digest: str) -> None:
        """Let go of a photograph."""


@dataclass(frozen=True, slots=True)
class LivePhotograph:
    """One photograph of the page: how to have its pixels again, without holding them."""

    digest: str
    name: str
    read: Callable[[], Photograph]
    kept_bytes: int


class LivePhotographs:
    """An ordered set of photographs (by content), and payloads of them at any grid.

    `take` and `prepare`, which may take long, are for one thread, and all others but `snapshot` and `has` for
    another.

    Args:
        extractor: does the work.
        named: files of the user's own choice, added by the first `prepare`.
        read: a named file's photograph.
        decode: an uploaded file's photograph, from its bytes and name; its digest is the sha256 of the
            bytes.
        total_bytes: of uploaded files held in memory.
    """

    def __init__(
        self,
        extractor: Extractor,
        named: Sequence[Path],
        *,
        read: Callable[[Path], Photograph],
        decode: Callable[[bytes, str], Photograph],
        total_bytes: int,
    ) -> None:
        self._extractor = extractor
        self._named = list(named)
        self._read = read
        self._decode = decode
        self._total_bytes = total_bytes
        self._lock = threading.Lock()
        self._photographs: dict[str, LivePhotograph] = {}
        self._failures: tuple[Failure, ...] = ()
        self._unusable: dict[int, dict[str, Failure]] = {}
        self._revision = 0
        self._payloads: dict[tuple[int, tuple[str, ...]], Payload] = {}

    def snapshot(self) -> dict[str, object]:
        """What every page shows: revision, photographs, failures. From any thread."""
        with self._lock:
            return {
                "revision": self._revision,
                "photographs": [{"digest": s.digest, "name": s.name} for s in self._photographs.values()],
                "failures": [{"name": f.source, "reason": f.reason} for f in self._failures],
            }

    @property
    def has_named(self) -> bool:
        """Whether files named at the start are still to be read."""
        return bool(self._named)

    def has(self, digest: str) -> bool:
        """Whether a photograph of this content is on the page. From any thread."""
        with self._lock:
            return digest in self._photographs

    def take(self, data: bytes, name: str, grid: int, say: Say, cancelled: Callable[[], bool]) -> None:
        """Add an uploaded file, or say why not; then nothing else has changed."""
        digest = hashlib.sha256(data).hexdigest()
        if self.has(digest) and self._extractor.has(digest, grid):
            say({"kind": "known", "digest": digest})
            return
        with self._lock:
            held = sum(one.kept_bytes for one in self._photographs.values())
        try:
            self._extractor.check(grid)
        except DinoscopeError as error:
            say({"kind": "refused", "reason": str(error)})
            return
        try:
            if not data:
                raise ImageError(name, "the file is empty")
            if not self.has(digest) and held + len(data) > self._total_bytes:
                raise ImageError(name, f"{held / 2**20:,.0f} MiB are held already; take some away first")
            read = partial(self._decode, data, name)
            photograph = read()
            if self._extract(photograph, grid, say, cancelled):
                self._put(LivePhotograph(digest, photograph.name, read, len(data)))
                say({"kind": "added", "digest": digest})
            else:
                say({"kind": "cancelled"})
        except DinoscopeError as error:
            say({"kind": "failed", "name": name, "reason": self._fail(name, error).reason})

    def prepare(self, grid: int, say: Say, cancelled: Callable[[], bool]) -> None:
        """Extract whatever is on the page and missing at this grid."""
        try:
            self._extractor.check(grid)
        except DinoscopeError as error:
            say({"kind": "refused", "reason": str(error)})
            return
        while self._named:
            if cancelled():
                say({"kind": "cancelled"})
                return
            path = self._named[0]
            say({"kind": "reading", "name": path.name})
            try:
                photograph = self._read(path)
                self._put(LivePhotograph(photograph.digest, photograph.name, partial(self._read, path), 0))
            except DinoscopeError as error:
                self._fail(path.name, error)
            del self._named[0]
        with self._lock:
            known = list(self._photographs.values())
        unusable = self._unusable.setdefault(grid, {})
        for i, one in enumerate(known):
            if cancelled():
                say({"kind": "cancelled"})
                return
            say({"kind": "photograph", "name": one.name, "done": i, "of": len(known)})
            if one.digest in unusable or self._extractor.has(one.digest, grid):
                continue
            try:
                photograph = _read_again(one)
                if not self._extract(photograph, grid, say, cancelled):
                    say({"kind": "cancelled"})
                    return
            except DinoscopeError as error:
                unusable[one.digest] = Failure(one.name, _reason(error))
        say(
            {
                "kind": "ready",
                "revision": self._revision,
                "n": len(self._usable(grid)),
                "unusable": [{"name": f.source, "reason": f.reason} for f in list(unusable.values())],
            }
        )

    def payload(self, grid: int) -> tuple[int, Payload]:
        """What the view is fed, and the revision it is of; the last few are kept.

        Raises:
            InputError: no photograph can be shown at this grid.
        """
        key = (grid, tuple(self._usable(grid)))
        if key not in self._payloads:
            kept = list(self._payloads.items())[1 - KEPT_PAYLOADS :]
            self._payloads = dict([*kept, (key, comparison_payload(self.comparison(grid)))])
        return self._revision, self._payloads[key]

    def comparison(self, grid: int) -> Comparison:
        """Compare everything prepared at this grid; with every failure.

        Raises:
            InputError: there is nothing.
        """
        compared = self._extractor.comparison(self._usable(grid), grid)
        unusable = list(self._unusable.get(grid, {}).values())
        return replace(compared, failures=(*compared.failures, *self._failures, *unusable))

    def shown(self, grid: int, revision: object) -> tuple[str, ...]:
        """Digests of the photographs of a payload at this grid, in its order. From any thread.

        Raises:
            InputError: they are others by now.
        """
        if revision != self._revision:
            raise InputError("the photographs have changed; the page will show them in a moment")
        return tuple(self._usable(grid))

    def photograph(self, digest: str) -> Photograph:
        """All of a photograph's pixels, read again.

        Raises:
            ImageError: the file has gone, or has changed.
            InputError: there is no such photograph any more.
        """
        with self._lock:
            one = self._photographs.get(digest)
        if one is None:
            raise InputError("the photograph has been taken away")
        return _read_again(one)

    def remove(self, digest: str) -> None:
        """Take a photograph away; nothing happens where there is none."""
        with self._lock:
            if self._photographs.pop(digest, None) is None:
                return
            self._revision += 1
        for unusable in list(self._unusable.values()):
            unusable.pop(digest, None)
        self._extractor.forget(digest)

    def clear_failures(self) -> None:
        """Forget what could not be used."""
        with self._lock:
            self._failures = ()
            self._revision += 1

    def _usable(self, grid: int) -> list[str]:
        with self._lock:
            digests = list(self._photographs)
        return [digest for digest in digests if self._extractor.has(digest, grid)]

    def _extract(self, photograph: Photograph, grid: int, say: Say, cancelled: Callable[[], bool]) -> bool:
        def told(done: int, of: int) -> None:
            say({"kind": "model", "name": photograph.name, "done": done, "of": of})

        return self._extractor.add(photograph, grid, told, cancelled)

    def _put(self, photograph: LivePhotograph) -> None:
        with self._lock:
            if photograph.digest not in self._photographs:
                self._photographs[photograph.digest] = photograph
                self._revision += 1

    def _fail(self, name: str, error: DinoscopeError) -> Failure:
        failure = Failure(name, _reason(error))
        with self._lock:
            self._failures = (*self._failures, failure)[-KEPT_FAILURES:]
            self._revision += 1
        return failure


def _read_again(one: LivePhotograph) -> Photograph:
    found = one.read()
    if found.digest != one.digest:
        raise ImageError(one.name, "the file has changed since it was first read")
    return found


def check_grid_words(words: str) -> int:
    """A grid from text.

    Raises:
        InputError: not a whole number from 1 to 9,999.
    """
    if not (words.isascii() and words.isdigit() and len(words) <= 4 and int(words) >= 1):
        raise InputError("the grid is a whole number from 1 to 9,999")
    return int(words)


def _reason(error: DinoscopeError) -> str:
    return error.reason if isinstance(error, ImageError) else str(error)

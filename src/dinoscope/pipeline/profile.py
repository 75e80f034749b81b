"""Where the time of an extraction went, and what held it up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

STAGES = ("decode", "resize", "transfer", "model", "copy", "write")
"""What is timed, in the order in which a photograph passes through."""

PHOTOGRAPHS, DEVICE = "photographs", "device"
"""What the caller's thread may have to wait for: the decoding threads, or the accelerator."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Seconds by stage.

    Attributes:
        wall_s: from start to stop.
        blocking_s: by stage, in the caller's thread: nothing else was done for this run meanwhile.
        overlapped_s: by stage, summed over other threads and the accelerator; may exceed ``wall_s``.
        waiting_s: in the caller's thread, for ``photographs`` or for the ``device``.
    """

    wall_s: float
    blocking_s: Mapping[str, float] = field(default_factory=dict)
    overlapped_s: Mapping[str, float] = field(default_factory=dict)
    waiting_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def rest_s(self) -> float:
        """In the caller's thread outside every stage: measuring, drawing, the caller's own work."""
        known = sum(self.blocking_s.values()) + sum(self.waiting_s.values())
        return max(0.0, self.wall_s - known)

    @property
    def hidden_share(self) -> float | None:
        """Share of the decoding and resizing in other threads that the caller did not wait for, in [0, 1];
        None where there was none.
        """
        ahead = self.overlapped_s.get("decode", 0.0) + self.overlapped_s.get("resize", 0.0)
        if ahead <= 0:
            return None
        return max(0.0, 1.0 - self.waiting_s.get(PHOTOGRAPHS, 0.0) / ahead)

    @property
    def bottleneck(self) -> str:
        """What most of the caller's time went to: a stage, or ``rest``.

        Waiting counts for the busiest stage of what was waited for.
        """
        shares = {stage: self.blocking_s.get(stage, 0.0) for stage in STAGES}
        for cause, stages in ((PHOTOGRAPHS, ("decode", "resize")), (DEVICE, ("transfer", "model", "copy"))):
            busiest = max(stages, key=lambda stage: self.overlapped_s.get(stage, 0.0))
            shares[busiest] += self.waiting_s.get(cause, 0.0)
        shares["rest"] = self.rest_s
        return max(shares, key=lambda stage: shares[stage])


class Stopwatch:
    """Collects the times of one run, from any thread; one made in a thread takes that for the caller's."""

    def __init__(self) -> None:
        self._caller = threading.get_ident()
        self._lock = threading.Lock()
        self._start = time.perf_counter()
        self._end: float | None = None
        self._blocking: dict[str, float] = {}
        self._overlapped: dict[str, float] = {}
        self._waiting: dict[str, float] = {}

    def add(self, stage: str, seconds: float, *, overlapped: bool | None = None) -> None:
        """Time spent in a stage; overlapped where it was spent in another thread, unless said."""
        if overlapped is None:
            overlapped = threading.get_ident() != self._caller
        self._note(self._overlapped if overlapped else self._blocking, stage, seconds)

    def add_waiting(self, cause: str, seconds: float) -> None:
        """Time in which the caller's thread could do nothing."""
        self._note(self._waiting, cause, seconds)

    def stop(self) -> None:
        """The end of the run."""
        self._end = time.perf_counter()

    def profile(self) -> Profile:
        """What was collected so far."""
        with self._lock:
            wall = (self._end or time.perf_counter()) - self._start
            return Profile(wall, dict(self._blocking), dict(self._overlapped), dict(self._waiting))

    def _note(self, where: dict[str, float], name: str, seconds: float) -> None:
        with self._lock:
            where[name] = where.get(name, 0.0) + seconds


_current: ContextVar[Stopwatch | None] = ContextVar("dinoscope_stopwatch", default=None)


def current_stopwatch() -> Stopwatch | None:
    """The one that is running for this code; None outside `profiled`."""
    return _current.get()


@contextmanager
def profiled() -> Iterator[Stopwatch]:
    """Times every extraction inside, whoever starts it; ``.profile()`` of what is given holds the times.

    A lazy result counts where it is consumed: go through it inside.
    """
    watch = Stopwatch()
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)
        watch.stop()


@contextmanager
def profile_told(tell: Callable[[str], object], *, asked: bool) -> Iterator[None]:
    """Where ``asked``, times what happens inside and tells it in words at the end; else nothing."""
    if not asked:
        yield
        return
    with profiled() as watch:
        yield
    tell(profile_text(watch.profile()))


def timed(stage: str) -> AbstractContextManager[None]:
    """Adds what happens inside to a stage, where somebody profiles."""
    return _clocked(lambda watch, seconds: watch.add(stage, seconds))


def waited(cause: str) -> AbstractContextManager[None]:
    """Adds what happens inside to the waiting, where somebody profiles."""
    return _clocked(lambda watch, seconds: watch.add_waiting(cause, seconds))


@contextmanager
def _clocked(note: Callable[[Stopwatch, float], None]) -> Iterator[None]:
    watch = _current.get()
    if watch is None:
        yield
        return
    start = time.perf_counter()
    try:
        yield
    finally:
        note(watch, time.perf_counter() - start)


def profile_text(profile: Profile) -> str:
    """A table for people."""
    wall = max(profile.wall_s, 1e-9)
    lines = [f"{'':20}{'blocking':>10}{'overlapped':>12}{'of the time':>13}"]
    for stage in STAGES:
        blocking, beside = profile.blocking_s.get(stage, 0.0), profile.overlapped_s.get(stage, 0.0)
        lines.append(f"{stage:20}{blocking:>8.2f} s{beside:>10.2f} s{blocking / wall:>13.0%}")
    for cause in (PHOTOGRAPHS, DEVICE):
        seconds = profile.waiting_s.get(cause, 0.0)
        lines.append(f"{'wait for ' + cause:20}{seconds:>8.2f} s{'':>12}{seconds / wall:>13.0%}")
    lines.append(f"{'the rest':20}{profile.rest_s:>8.2f} s{'':>12}{profile.rest_s / wall:>13.0%}")
    hidden = profile.hidden_share
    behind = "" if hidden is None else f"; {hidden:.0%} of decoding and resizing hidden behind the rest"
    lines.append(f"{profile.wall_s:.2f} s; most of it goes to: {profile.bottleneck}{behind}")
    return "\n".join(lines)

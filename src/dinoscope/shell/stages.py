"""The stages of a long command, with one estimate for all: a bar on a terminal, rare lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dinoscope.shell.verbosity import QUIET, VERBOSE, level

EVERY_S = 60.0
"""Off a terminal a line is written no more often than this; `OFTEN_S` with ``--verbose``."""

OFTEN_S = 5.0
LATE = "longer than estimated"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the work.

    Attributes:
        name: to show.
        share: of the time that the whole takes, as far as is known before; in any unit.
        total: items in it; 1 where they are not counted.
    """

    name: str
    share: float = 1.0
    total: int = 1


class Course:
    """Where the work is, and how long the rest will take at the pace so far.

    Args:
        planned: stages in their order.
        now: seconds of a clock.
    """

    def __init__(self, planned: Sequence[Stage], now: Callable[[], float] = time.monotonic) -> None:
        self._planned = list(planned)
        self._now = now
        self._at = 0
        self._done = 0
        self._begun: float | None = None
        self._begun_share = 0.0
        self._moved = now()

    @property
    def stage(self) -> Stage:
        """The one in hand; the last where all are done."""
        return self._planned[min(self._at, len(self._planned) - 1)]

    @property
    def share(self) -> float:
        """The share of the whole that is done, in [0, 1]; within a stage by items."""
        whole = sum(stage.share for stage in self._planned)
        before = sum(stage.share for stage in self._planned[: self._at])
        here = self.stage.share * self._done / max(1, self.stage.total) if not self.is_done else 0.0
        return (before + here) / whole if whole else 1.0

    @property
    def is_done(self) -> bool:
        return self._at >= len(self._planned)

    def advance(self, done: int) -> None:
        """So many items of the stage are done; with the last the next stage begins."""
        self._done = done
        self._moved = self._now()
        if done >= self.stage.total:
            self.next()
        if self._begun is None:  # what came before the first item is no work on items
            self._begun, self._begun_share = self._now(), self.share

    def add(self, more: int) -> None:
        """So many more items of the stage are done."""
        self.advance(self._done + more)

    def so_far(self, done: int, total: int) -> None:
        """Progress of work whose amount is known only by and by: it ends with the block."""
        self._planned[self._at] = replace(self.stage, total=total + 1)
        self.advance(done)

    def next(self) -> None:
        """The stage in hand is done."""
        self._at, self._done, self._moved = self._at + 1, 0, self._now()

    @property
    def left_s(self) -> float | None:
        """Seconds until the end; None before there is a pace, and where the estimate is used up."""
        if self._begun is None or self.share <= self._begun_share or self.is_done:
            return None
        pace = (self._moved - self._begun) / (self.share - self._begun_share)
        left = pace * (1 - self.share) - (self._now() - self._moved)
        return left if left >= 0.5 else None

    @property
    def words(self) -> str:
        """The stage with its count, the stages after it, and what is left."""
        here = self.stage
        told = f"{here.name} {self._done} of {here.total}" if here.total > 1 else here.name
        after = [stage.name for stage in self._planned[self._at + 1 :]]
        then = f" (then {', '.join(after)})" if after else ""
        return f"{told}{then}{self._left_told()}"

    def _left_told(self) -> str:
        left = self.left_s
        if left is not None:
            return f", about {spoken(left)} left"
        return f", {LATE}" if self._begun is not None and self.share > self._begun_share else ""


def spoken(seconds: float) -> str:
    """A time for people.

    >>> spoken(12.3), spoken(100), spoken(9000)
    ('12 s', '2 min', '2.5 h')
    """
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def stages(*planned: Stage) -> Iterator[Course]:
    """Shown on stderr while the block runs; the block says how far it is by the `Course`.

    On a terminal a bar that goes on by itself; elsewhere at most a line every `EVERY_S`, so that short work
    writes none; nothing with ``--quiet``.
    """
    if level() != QUIET and sys.stderr.isatty():
        with _bar(planned) as course:
            yield course
        return
    yield _Lines(planned) if level() != QUIET else Course(planned)


class _Lines(Course):
    """Writes a line where one is due."""

    def __init__(self, planned: Sequence[Stage]) -> None:
        super().__init__(planned)
        self._every = OFTEN_S if level() == VERBOSE else EVERY_S
        self._written = self._entered = time.monotonic()

    def advance(self, done: int) -> None:
        super().advance(done)
        if not self.is_done and time.monotonic() - self._written >= self._every:
            self._written = time.monotonic()
            print(self.words, file=sys.stderr)

    def next(self) -> None:
        if level() == VERBOSE:
            took = time.monotonic() - self._entered
            print(f"{self.stage.name}: {took:.1f} s", file=sys.stderr)
        self._entered = time.monotonic()
        super().next()


@contextmanager
def _bar(planned: Sequence[Stage]) -> Iterator[Course]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task
    from rich.text import Text

    course = Course(planned)

    class Words(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(course.words)

    class Bar(BarColumn):
        def render(self, task: Task):  # type: ignore[no-untyped-def] # of rich's own bar
            task.completed = course.share
            return super().render(task)

    bar = Bar(20, complete_style="cyan", finished_style="cyan")  # red is for errors
    with Progress(bar, Words(), console=Console(stderr=True)) as shown:
        shown.add_task("", total=1.0)
        yield course

"""Which photographs share a forward pass, and how many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from dinoscope.backbones.memory import out_of_memory
from dinoscope.errors import InputError

T = TypeVar("T")
R = TypeVar("R")

LOG = logging.getLogger(__name__)
LARGEST = 32
"""More photographs of a usual size in one pass gain nothing."""

SHARE = 0.6
"""How much of the free memory a batch may be estimated to take."""


PASS_PIXELS = 120_000
"""Pixels of the inputs of one pass on a processor, about; more gain nothing there.

A ViT-S/16 takes 2.6 times as many photographs a second at 64 px where 16 share a pass, 1.8 times at 96 px
with 8, 1.4 times at 128 px with 4; from 256 px on nothing is gained.
"""


def first_batch_size(
    device_type: str, bytes_each: int, free_bytes: int | None, input_size: tuple[int, int]
) -> int:
    """The batch size to begin with, a power of 2: on a processor of small inputs alone more than 1.

    Args:
        device_type: as torch names it.
        bytes_each: estimated for one photograph.
        free_bytes: on the device; None where it does not say.
        input_size: ``(H, W)`` of the model's input.
    """
    if device_type == "cpu":
        return _power_of_2(PASS_PIXELS // (input_size[0] * input_size[1]), LARGEST // 2)
    if free_bytes is None:
        return LARGEST // 2
    fitting = int(SHARE * free_bytes) // max(bytes_each, 1)
    return _power_of_2(fitting, LARGEST)


def _power_of_2(at_most: int, largest: int) -> int:
    return 1 << (max(1, min(largest, at_most)).bit_length() - 1)


class BatchLimits:
    """The batch size of each grid: what was asked for or chosen, halved whenever memory ran out."""

    def __init__(self, chosen: Callable[[tuple[int, int]], int]) -> None:
        self._chosen = chosen
        self._limits: dict[tuple[int, int], int] = {}

    def of(self, shape: tuple[int, int]) -> int:
        """For photographs of this grid."""
        if shape not in self._limits:
            self._limits[shape] = self._chosen(shape)
        return self._limits[shape]

    def halve(self, shape: tuple[int, int], size: int) -> None:
        """After a batch of ``size`` did not fit."""
        self._limits[shape] = min(self.of(shape), max(1, (size + 1) // 2))
        LOG.info("out of memory with %d photographs at once: going on with %d", size, self._limits[shape])


def equal_shapes(
    window: Iterable[T], shape: Callable[[T], tuple[int, int]], limits: BatchLimits
) -> Iterator[list[T]]:
    """The batches of a window: members of one shape, in order, each shape from its first member on.

    The limit of a shape is looked up anew for every batch.
    """
    groups: dict[tuple[int, int], list[T]] = {}
    for item in window:
        groups.setdefault(shape(item), []).append(item)
    for key, members in groups.items():
        start = 0
        while start < len(members):
            size = limits.of(key)
            yield members[start : start + size]
            start += size


def in_parts_that_fit(
    batch: list[T],
    shape: tuple[int, int],
    run: Callable[[list[T]], R],
    limits: BatchLimits,
    *,
    before_retry: Callable[[], None] = lambda: None,
) -> Iterator[tuple[list[T], R | InputError]]:
    """Runs a batch; where memory runs out, in halves of it, and so on; ``run`` never returns None.

    Yields:
        Members with their result. One that does not even fit alone, or that ``run`` refuses alone, comes with
        an `InputError` instead.
    """
    left, size = batch, len(batch)
    while left:
        members = left[:size]
        result: R | InputError | None = None
        try:
            result = run(members)
        except InputError as error:  # a network that does not take an input: the others may fit
            if len(members) > 1:
                size = 1
                continue
            result = error
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if len(members) == 1:
                result = InputError(
                    "out of memory with one photograph alone; ask for a smaller grid, or for tiles"
                )
        if result is not None:
            yield members, result
            left = left[size:]
            continue
        # Outside the handler: the traceback would keep the failed batch's tensors alive.
        limits.halve(shape, len(members))
        size = limits.of(shape)
        before_retry()


def batches_in_turn(
    source: Iterator[tuple[int, T | None]], size: int, weight: Callable[[T], int], limit: int
) -> Iterator[list[tuple[int, T | None]]]:
    """Windows of at most ``size`` members, closed early where they weigh ``limit``."""
    window: list[tuple[int, T | None]] = []
    heavy = 0
    for place, item in source:
        window.append((place, item))
        heavy += 0 if item is None else weight(item)
        if len(window) >= size or heavy >= limit:
            yield window
            window, heavy = [], 0
    if window:
        yield window


class InOrder(Generic[R]):
    """Puts results that arrive in any order back in the order of their places, counted from 0."""

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, R | None] = {}

    def put(self, place: int, result: R | None) -> Iterator[R]:
        """What can go on now; None stands for a place that gave nothing."""
        self._waiting[place] = result
        while self._next in self._waiting:
            ready = self._waiting.pop(self._next)
            self._next += 1
            if ready is not None:
                yield ready

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.backbones.memory import out_of_memory
from dinoscope.data.results import Failure
from dinoscope.pipeline.batches import (
    LARGEST,
    BatchLimits,
    InOrder,
    batches_in_turn,
    equal_shapes,
    first_batch_size,
    in_parts_that_fit,
)
from dinoscope.pipeline.extract import extract
from tests.fakes import FakeBackbone

SQUARE = (4, 4)


def photo(seed: int, size: tuple[int, int] = (32, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def test_the_first_batch_size() -> None:
    side = (64, 64)
    assert first_batch_size("cuda", 10**9, 10**10, side) == 4  # 6 would fit
    assert first_batch_size("cuda", 10**9, 10**8, side) == 1
    assert first_batch_size("cuda", 1, 10**12, side) == LARGEST
    assert first_batch_size("mps", 1, None, side) > 1


@pytest.mark.parametrize(("side", "together"), [(16, 16), (64, 16), (96, 8), (128, 4), (160, 4), (256, 1)])
def test_a_processor_takes_small_inputs_together(side: int, together: int) -> None:
    assert first_batch_size("cpu", 1, 10**12, (side, side)) == together
    model = FakeBackbone()
    grid = side // model.spec.patch_size
    photographs = [photo(i, (60, 60)) for i in range(20)]
    alone = [f.values for f in extract(photographs, model, grid=grid, batch_size=1)]
    model.batches.clear()
    found = [f.values for f in extract(photographs, model, grid=grid)]
    assert max(model.batches) == together and sum(model.batches) == 20
    np.testing.assert_allclose(found, alone, rtol=0, atol=1e-6)


def test_a_limit_is_chosen_once_for_each_shape_and_only_falls() -> None:
    asked: list[tuple[int, int]] = []

    def choose(shape: tuple[int, int]) -> int:
        asked.append(shape)
        return 8

    limits = BatchLimits(choose)
    assert (limits.of(SQUARE), limits.of(SQUARE), limits.of((1, 1))) == (8, 8, 8)
    assert asked == [SQUARE, (1, 1)]
    limits.halve(SQUARE, 6)
    assert (limits.of(SQUARE), limits.of((1, 1))) == (3, 8)
    limits.halve(SQUARE, 16)
    assert limits.of(SQUARE) == 3
    limits.halve(SQUARE, 1)
    assert limits.of(SQUARE) == 1


@given(st.lists(st.integers(0, 2), max_size=30), st.integers(1, 5))
def test_batches_hold_equal_shapes_each_member_once(shapes: list[int], size: int) -> None:
    members = list(enumerate(shapes))
    batches = list(equal_shapes(members, lambda m: (m[1], m[1]), BatchLimits(lambda _: size)))
    assert sorted(m for batch in batches for m in batch) == members
    for batch in batches:
        assert len({shape for _, shape in batch}) == 1
        assert 1 <= len(batch) <= size
    assert len(batches) == sum(-(-shapes.count(shape) // size) for shape in set(shapes))


def test_a_lower_limit_holds_from_the_next_batch_on() -> None:
    limits = BatchLimits(lambda _: 4)
    batches = equal_shapes(range(10), lambda _: SQUARE, limits)
    assert next(batches) == [0, 1, 2, 3]
    limits.halve(SQUARE, 4)
    assert next(batches) == [4, 5]


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_batch_runs_in_order_in_parts_that_fit(size: int, fitting: int) -> None:
    def run(members: list[int]) -> int:
        if len(members) > fitting:
            raise torch.OutOfMemoryError("too much")
        return sum(members)

    limits = BatchLimits(lambda _: size)
    parts = list(in_parts_that_fit(list(range(size)), SQUARE, run, limits))
    assert [m for part, _ in parts for m in part] == list(range(size))
    assert all(result == sum(part) for part, result in parts)
    assert limits.of(SQUARE) <= max(fitting, 1) or size <= fitting


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    def run(_: list[int]) -> int:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="do not match"):
        list(in_parts_that_fit([1, 2], SQUARE, run, BatchLimits(lambda _: 2)))


def test_a_real_allocation_that_fails_is_recognised() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(KeyError("memory"))
    for words in (
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ):
        assert out_of_memory(RuntimeError(words))
    assert not out_of_memory(RuntimeError("CUDA error: an illegal memory access was encountered"))


@given(st.permutations(range(7)), st.sets(st.integers(0, 6)))
def test_results_are_put_back_in_order(arrival: list[int], missing: set[int]) -> None:
    order: InOrder[str] = InOrder()
    out: list[str] = []
    for n, place in enumerate(arrival):
        out += list(order.put(place, None if place in missing else str(place)))
        arrived = set(arrival[: n + 1])
        first_gap = next((i for i in range(8) if i not in arrived), 8)
        assert out == [str(i) for i in range(min(first_gap, 7)) if i not in missing]


def test_a_window_ends_at_its_size_or_its_weight() -> None:
    source = [(i, w) for i, w in enumerate([1, 1, None, 5, 1, 1])]
    windows = list(batches_in_turn(iter(source), 3, lambda w: w, 5))
    assert [[w for _, w in window] for window in windows] == [[1, 1, None], [5], [1, 1]]


class Small(FakeBackbone):
    """Has memory for so many photographs at once."""

    room = 2

    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        if len(pixels) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(pixels, layers, final_norm=final_norm)


def test_out_of_memory_halves_the_batch_and_goes_on() -> None:
    images = [photo(i) for i in range(12)]
    model = Small()
    found = list(extract(images, model, grid=4, batch_size=6))
    alone = list(extract(images, FakeBackbone(), grid=4))
    assert [f.provenance.image_digest for f in found] == [f.provenance.image_digest for f in alone]
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=1e-6)
    assert max(model.batches) == 2
    assert len(model.batches) <= 8  # the limit is remembered: not found out again for every batch


def test_one_that_does_not_fit_alone_costs_itself() -> None:
    class Tight(Small):
        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            self.room = 0 if pixels.shape[-1] > 32 else 1
            return super().forward(pixels, layers, final_norm=final_norm)

    images = [photo(0), photo(1, (64, 32)), photo(2)]
    failures: list[Failure] = []
    found = list(extract(images, Tight(), grid=4, batch_size=2, on_failure=failures.append))
    assert [f.grid.shape for f in found] == [(4, 4), (4, 4)]
    assert len(failures) == 1 and "out of memory" in failures[0].reason

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison import session as session_module
from dinoscope.comparison.compare import compare
from dinoscope.comparison.maps import MapOptions
from dinoscope.comparison.session import Session
from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline.run import Run

MODELS = ("pixels", "blur:pixels")


@pytest.fixture
def photographs() -> list[Photograph]:
    rng = np.random.default_rng(0)
    sizes = [(60, 80), (90, 60), (64, 64)]
    return [
        photograph_from_array(rng.integers(0, 255, (*size, 3), dtype=np.uint8), name=f"{i}.png")
        for i, size in enumerate(sizes)
    ]


@pytest.fixture
def extractions(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Which photograph went through which model, in order."""
    seen: list[tuple[str, str]] = []
    real = session_module.extracted

    def counted(images: list[Photograph], backbone: Any, run: Run) -> Any:
        seen.extend((image.name, backbone.spec.name) for image in images)
        return real(images, backbone, run)

    monkeypatch.setattr(session_module, "extracted", counted)
    return seen


@pytest.fixture
def pixels() -> Any:
    return load_backbone("pixels")


def assert_same(a: Any, b: Any, where: str = "") -> None:
    assert type(a) is type(b), where
    if is_dataclass(a):
        for f in fields(a):
            assert_same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")
    elif isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b, err_msg=where)
    elif isinstance(a, tuple | list):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{where}[{i}]")
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            assert_same(a[key], b[key], f"{where}.{key}")
    else:
        assert a == b or (a != a and b != b), where


def test_a_sessions_comparison_is_that_of_compare(photographs: list[Photograph]) -> None:
    backbones = [load_backbone(name) for name in MODELS]
    session = Session(backbones, Run(seed=3))
    for photograph in (photographs[2], photographs[0], photographs[1]):
        assert session.add(photograph, 4)
    made = session.comparison([p.digest for p in photographs], 4)
    assert_same(made, compare(photographs, backbones, grid=4, seed=3, controls=False))


def test_each_photograph_and_grid_is_extracted_once(
    photographs: list[Photograph], extractions: list[tuple[str, str]], pixels: Any
) -> None:
    session = Session([pixels, pixels])
    for grid in (4, 5, 4, 5):
        for photograph in photographs:
            assert session.add(photograph, grid)
    assert len(extractions) == 2 * 2 * len(photographs)
    assert session.comparison([photographs[0].digest], 5).features[0][0].grid.h == 5


def test_progress_is_told_and_a_cancelled_photograph_leaves_nothing(
    photographs: list[Photograph], extractions: list[tuple[str, str]], pixels: Any
) -> None:
    session = Session([pixels, pixels])
    steps: list[tuple[int, int]] = []

    def step(done: int, of: int) -> None:
        steps.append((done, of))

    assert not session.add(photographs[0], 4, step, lambda: len(steps) == 1)
    assert steps == [(0, 2)] and len(extractions) == 1
    assert not session.has(photographs[0].digest, 4)
    steps.clear()
    assert session.add(photographs[0], 4, step)
    assert steps == [(0, 2), (1, 2), (2, 2)]


def test_other_grids_are_let_go_first_and_the_one_in_use_is_kept(
    photographs: list[Photograph], pixels: Any
) -> None:
    session = Session(pixels, kept_bytes=1)
    first, second, _ = photographs
    session.add(first, 4)
    session.add(second, 4)
    assert session.has(first.digest, 4) and session.has(second.digest, 4)
    session.add(first, 5)
    assert session.has(first.digest, 5)
    assert not session.has(first.digest, 4) and not session.has(second.digest, 4)


def test_what_cannot_be_compared_is_refused(photographs: list[Photograph], pixels: Any) -> None:
    session = Session(pixels)
    with pytest.raises(InputError, match="no photograph"):
        session.comparison([], 4)
    session.add(photographs[0], 4)
    with pytest.raises(InputError, match="1 of 2 photographs were not extracted at grid 4"):
        session.comparison([p.digest for p in photographs[:2]], 4)
    session.forget(photographs[0].digest)
    session.forget("unknown")
    with pytest.raises(InputError, match="1 of 1"):
        session.comparison([photographs[0].digest], 4)


@pytest.mark.parametrize("grid", [0, -1, 10**6])
def test_an_impossible_grid_is_refused_before_any_work(
    photographs: list[Photograph], extractions: list[tuple[str, str]], pixels: Any, grid: int
) -> None:
    session = Session(pixels)
    with pytest.raises(InputError, match="grid"):
        session.add(photographs[0], grid)
    assert extractions == []


def test_an_impossible_request_is_refused_at_once(pixels: Any) -> None:
    with pytest.raises(InputError, match="reference place"):
        Session(pixels, options=MapOptions(at=[(2.0, 0.0)]))
    with pytest.raises(InputError, match="pixels has"):
        Session(pixels, options=MapOptions(components=(0, 1, 10**6)))
    with pytest.raises(InputError, match="at least one backbone"):
        Session([])

from __future__ import annotations

import numpy as np
import pytest
import torch

from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError
from dinoscope.pipeline.extract import extract, extracted
from dinoscope.pipeline.run import AS_LOADED, DEFAULT_RUN, Arithmetic, Run
from tests.fakes import FakeBackbone

PHOTO = np.random.default_rng(0).integers(0, 256, (48, 72, 3), dtype=np.uint8)


def test_a_run_fits_the_grid_or_the_pixels_it_names() -> None:
    assert Run(8).fit((72, 48), 4) == PatchGrid.fit((72, 48), 4, grid=8)
    assert Run((3, 5)).fit((72, 48), 4) == PatchGrid.fit((72, 48), 4, grid=(3, 5))
    assert Run(size_px=40).fit((72, 48), 4) == PatchGrid.fit((72, 48), 4, size_px=40)
    assert DEFAULT_RUN.fit((72, 48), 4).h == 32


def test_what_contradicts_itself_is_refused_at_once() -> None:
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        Run(batch_size=0)
    with pytest.raises(InputError, match="give tile too"):
        Run(overlap=4)
    with pytest.raises(InputError, match="not both"):
        extract(PHOTO, FakeBackbone(), grid=4, size_px=64)


def test_at_names_one_layer_and_changes_nothing_else() -> None:
    run = Run(6, layers=(0, 1), resize="bicubic", seed=3)
    assert run.at(1) == Run(6, layers=(1,), resize="bicubic", seed=3)
    assert run.at(None).layers is None and run.layers == (0, 1)


def test_keywords_and_values_give_the_same_features() -> None:
    (a,) = extract(PHOTO, FakeBackbone(), grid=8, layer=0, resize="bicubic", final_norm=False, tile=24)
    run = Run(8, layers=(0,), resize="bicubic", final_norm=False, tile=24)
    (b,) = extracted(PHOTO, FakeBackbone(), run)
    np.testing.assert_array_equal(a.values, b.values)
    assert a.provenance == b.provenance and a.provenance.resize == "bicubic" and a.provenance.tiles


def test_only_another_way_than_the_models_own_is_asked_for() -> None:
    assert not AS_LOADED.is_asked_of(torch.float16)
    assert not Arithmetic(torch.float32).is_asked_of(torch.float32)
    assert Arithmetic(torch.float16).is_asked_of(torch.float32)
    assert Arithmetic(compiled=True).is_asked_of(torch.float32)

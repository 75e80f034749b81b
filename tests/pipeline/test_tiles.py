from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.data.layers import LayerOutputs
from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.features import read_features, write_features
from dinoscope.pipeline.extract import extract, extract_layers
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.tiles import Blend, blend_weights, tile_starts, tiling
from tests.fakes import FakeBackbone

PHOTO = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)


@given(st.integers(1, 200), st.integers(2, 40), st.data())
def test_tiles_cover_an_axis_and_overlap_at_least_as_asked(
    length: int, tile: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(0, tile - 1))
    starts = tile_starts(length, tile, overlap)
    assert starts[0] == 0
    if length <= tile:
        assert starts == [0]
        return
    assert starts[-1] == length - tile
    for one, other in pairwise(starts):
        assert one < other <= one + tile - overlap
    assert len(starts) == -(-(length - overlap) // (tile - overlap))  # no more than are needed


def test_weights_rise_from_the_edge() -> None:
    np.testing.assert_allclose(blend_weights(6, 2), [1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3], rtol=1e-6)
    np.testing.assert_array_equal(blend_weights(3, 0), [1, 1, 1])


@pytest.mark.parametrize(("tile_px", "overlap_px"), [(15, 0), (64, 64), (64, -1), (64, 90)])
def test_impossible_tiles_are_refused(tile_px: int, overlap_px: int) -> None:
    with pytest.raises(InputError, match="px"):
        tiling(tile_px, overlap_px, 16)


def test_tiles_are_whole_patches() -> None:
    cut = tiling(100, None, 16)
    assert (cut.tile, cut.overlap) == (6, 1)
    assert cut.words == "96 px, overlap 16 px"


@pytest.mark.parametrize("batch_size", [None, 3])
def test_a_model_that_looks_at_single_patches_gives_the_same_in_tiles(batch_size: int | None) -> None:
    (whole,) = extract_layers(PHOTO, FakeBackbone(), Run(12, layers=(0, 1)))
    model = FakeBackbone()
    run = Run(12, layers=(0, 1), tile=40, overlap=16, batch_size=batch_size)
    (tiled,) = extract_layers(PHOTO, model, run)
    assert len(model.batches) > 1 and max(model.batches) == (batch_size or 16)
    for layer in (0, 1):
        f = tiled[layer]
        assert f.grid == whole[layer].grid
        np.testing.assert_allclose(f.values, whole[layer].values, atol=1e-5)
        assert f.provenance.tiles == "40 px, overlap 16 px"
        assert f.provenance.seam is not None and abs(f.provenance.seam) < 1e-6
        assert f.cls is None and f.registers is None


class PlaceBound(FakeBackbone):
    """Every patch says where in its tile it lies, and what the tile's first pixel is."""

    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        h, w = (side // self.patch_size for side in pixels.shape[-2:])
        rows, cols = torch.meshgrid(torch.arange(h) + 1.0, torch.arange(w) + 1.0, indexing="ij")
        first = pixels[:, 0, 0, 0].view(-1, 1, 1).expand(-1, h, w)
        patches = torch.stack([rows.expand_as(first), cols.expand_as(first), first], dim=-1)
        return LayerOutputs({1: patches}, {1: patches[:, 0, 0]}, {}, final_norm=final_norm)


def test_seams_and_blend_against_a_slow_reference() -> None:
    (f,) = extract(PHOTO, PlaceBound(), grid=(6, 7), tile=32, overlap=8)
    (whole,) = extract(PHOTO, PlaceBound(), grid=(6, 7))
    pixels = f.grid.input_size
    assert pixels == (48, 56) and whole.values[0, 0, 2] == f.values[0, 0, 2]
    from dinoscope.io.images import photograph_from_array
    from dinoscope.io.resize import resize_pixels

    red = resize_pixels(photograph_from_array(PHOTO, name="p"), (48, 56), "bilinear")[0].double().numpy()
    red = (red - 0.485) / 0.229
    places = [(top, left) for top in (0, 2) for left in (0, 3)]

    def says(place: tuple[int, int], row: int, col: int) -> np.ndarray:
        top, left = place
        return np.array([row - top + 1, col - left + 1, red[top * 8, left * 8]])

    def inside(place: tuple[int, int], row: int, col: int) -> bool:
        return 0 <= row - place[0] < 4 and 0 <= col - place[1] < 4

    def rise(i: int) -> float:
        return min((i + 1) / 2, (4 - i) / 2, 1.0)

    apart = []
    for row in range(6):
        for col in range(7):
            here = [p for p in places if inside(p, row, col)]
            weights = [rise(row - p[0]) * rise(col - p[1]) for p in here]
            blend = sum(w * says(p, row, col) for w, p in zip(weights, here, strict=True)) / sum(weights)
            np.testing.assert_allclose(f.values[row, col], blend, rtol=1e-4)
            for i, p in enumerate(here):
                for q in here[i + 1 :]:
                    if (p[0] == q[0]) != (p[1] == q[1]):
                        a, b = says(p, row, col), says(q, row, col)
                        apart.append(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert f.provenance.seam == pytest.approx(np.mean(apart), rel=1e-4)
    assert np.mean(apart) > 0.01


def test_tiles_that_only_touch_have_no_seam_score() -> None:
    (f,) = extract(PHOTO, FakeBackbone(), grid=(4, 8), tile=32, overlap=0)
    assert f.provenance.tiles and f.provenance.seam is None


def test_a_photograph_within_one_tile_goes_through_whole() -> None:
    (f,) = extract(PHOTO, FakeBackbone(), grid=4, tile=512)
    assert f.provenance.tiles == "" and f.provenance.seam is None and f.cls is not None


def test_finer_maps_of_earlier_stages_are_put_together_too() -> None:
    blend = Blend((4, 12), 2, overlap=2)
    whole = np.random.default_rng(0).normal(size=(4, 12, 2)).astype(np.float32)
    for left in (0, 4, 8):
        blend.add(0, left, whole[:, left : left + 4])
    assert blend.seam is None
    np.testing.assert_allclose(blend.values(), whole, rtol=1e-6)


def test_an_overlap_without_tiles_and_a_broken_model_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tile"):
        list(extract(PHOTO, FakeBackbone(), grid=4, overlap=8))
    failures: list[Failure] = []
    images = [PHOTO, tmp_path / "none.png"]
    assert not list(extract(images, FakeBackbone(nan=True), grid=8, tile=32, on_failure=failures.append))
    assert ["NaN" in failures[0].reason, "no such file" in failures[1].reason] == [True, True]


def test_tiles_and_seam_are_kept_in_files(tmp_path: Path) -> None:
    (by_layer,) = extract_layers(PHOTO, FakeBackbone(), Run(8, tile=32))
    for kind in ("npz", "safetensors"):
        write_features(tmp_path / f"f.{kind}", by_layer, format_=kind)  # type: ignore[arg-type]
        (f,) = read_features(tmp_path / f"f.{kind}").values()
        assert f.provenance == by_layer[1].provenance
        assert f.provenance.tiles == "32 px, overlap 8 px"

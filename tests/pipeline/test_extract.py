from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.data.results import Failure
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import ImageError, InputError, LayerError
from dinoscope.pipeline import memory
from dinoscope.pipeline.extract import extract, extract_layers
from dinoscope.pipeline.memory import check_grid, forward_bytes
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.together import extract_together
from tests.fakes import FakeBackbone


def photo(seed: int, size: tuple[int, int] = (48, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sizes = [(48, 32), (32, 48), (48, 32), (40, 40), (48, 32), (32, 48)]
    for i, size in enumerate(sizes):
        Image.fromarray(photo(i, size)).save(tmp_path / f"{i}.png")
    return tmp_path


def test_results_come_in_order_whatever_the_batches(folder: Path) -> None:
    paths = sorted(folder.iterdir())
    alone = [next(iter(extract(path, FakeBackbone(), grid=4))) for path in paths]
    for batch_size in (1, 2, 3, 16):
        model = FakeBackbone()
        together = list(extract(paths, model, grid=4, batch_size=batch_size))
        assert [f.provenance.image for f in together] == [p.name for p in paths]
        for one, other in zip(alone, together, strict=True):
            assert one.grid == other.grid
            np.testing.assert_allclose(one.values, other.values, atol=1e-6)
            np.testing.assert_allclose(one.cls, other.cls, atol=1e-6)  # type: ignore[arg-type]
        assert max(model.batches) <= batch_size
        assert batch_size == 1 or max(model.batches) > 1


@pytest.mark.parametrize(("batch_size", "most"), [(1, 8), (None, 32)])
def test_it_streams(folder: Path, batch_size: int | None, most: int) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield folder / "0.png"

    stream = extract(endless(), FakeBackbone(), grid=4, batch_size=batch_size)  # type: ignore[arg-type]
    for _ in range(3):
        next(stream)
    stream.close()
    assert len(taken) <= most


def test_each_input_kind_gives_the_same_features(folder: Path) -> None:
    path = folder / "0.png"
    kinds = [path, str(path), Image.open(path), photo(0)]
    results = [next(iter(extract(kind, FakeBackbone(), grid=4))) for kind in kinds]
    for result in results[1:]:
        np.testing.assert_array_equal(result.values, results[0].values)


def test_features_carry_what_they_are_features_of(folder: Path) -> None:
    (f,) = extract(folder / "1.png", FakeBackbone(), grid=4, resize="bicubic", layer=0, final_norm=False)
    assert f.grid.shape == (6, 4)
    assert f.grid.image_size == (32, 48)
    assert f.provenance.layer == 0
    assert f.provenance.final_norm is False
    assert f.provenance.resize == "bicubic"
    assert f.provenance.dtype == "float32"
    assert len(f.provenance.image_digest) == 64
    assert f.registers is not None and f.registers.shape == (2, 12)


def test_the_model_sees_its_own_normalisation(folder: Path) -> None:
    seen = []

    class Spy(FakeBackbone):
        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            seen.append(pixels)
            return super().forward(pixels, layers, final_norm=final_norm)

    image = np.full((32, 32, 3), (255, 0, 128), np.uint8)
    list(extract(image, Spy(), grid=4))
    expected = (torch.tensor([1.0, 0.0, 128 / 255]) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    torch.testing.assert_close(seen[0][0, :, 5, 5], expected)


def test_several_layers_share_one_forward_pass(folder: Path) -> None:
    model = FakeBackbone()
    (layers,) = extract_layers(folder / "0.png", model, Run(4, layers=(0, 1)))
    assert list(layers) == [0, 1]
    np.testing.assert_allclose(layers[1].values, 2 * layers[0].values, rtol=1e-6)
    assert model.batches == [1]
    with pytest.raises(LayerError):
        list(extract(folder / "0.png", model, layer=2))


def test_a_bad_photograph_costs_only_itself(folder: Path) -> None:
    (folder / "2.png").write_bytes(b"broken")
    failures: list[Failure] = []
    good = list(
        extract(sorted(folder.iterdir()), FakeBackbone(), grid=4, batch_size=4, on_failure=failures.append)
    )
    assert [f.provenance.image for f in good] == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    assert [f.source for f in failures] == [str(folder / "2.png")]
    with pytest.raises(ImageError, match="not an image"):
        list(extract(sorted(folder.iterdir()), FakeBackbone(), grid=4))


def test_features_that_are_no_numbers_are_named(folder: Path) -> None:
    failures: list[Failure] = []
    assert list(extract(folder / "0.png", FakeBackbone(nan=True), grid=4, on_failure=failures.append)) == []
    assert "fake" in failures[0].reason and "NaN" in failures[0].reason


def test_too_large_for_memory_is_refused_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = BackboneSpec("big", "dinov3", 16, 384, 12, 6, 4)
    with pytest.raises(InputError, match=r"GiB.*smaller grid"):
        check_grid(spec, 10_000)
    with pytest.raises(InputError, match="at least 1 patch"):
        check_grid(spec, 0)
    check_grid(spec, 32)
    monkeypatch.setattr(memory, "available_bytes", lambda: 1000)
    failures: list[Failure] = []
    assert list(extract(photo(0), FakeBackbone(), grid=4, on_failure=failures.append)) == []
    assert "GiB" in failures[0].reason


@pytest.mark.parametrize("tile", [None, 16])
def test_a_pass_that_runs_does_not_make_the_next_photograph_too_large(
    monkeypatch: pytest.MonkeyPatch, tile: int | None
) -> None:
    enough, running, looked = 2**30, threading.Event(), threading.Event()

    class Heavy(FakeBackbone):
        """Takes nearly all memory while it runs, and meanwhile the next photograph is prepared."""

        def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
            running.set()
            looked.wait(timeout=0.05)
            running.clear()
            return super().forward(pixels, layers, final_norm=final_norm)

    def available() -> int:
        return 1000 if running.is_set() else enough

    monkeypatch.setattr(memory, "available_bytes", available)
    found = list(extract([photo(i) for i in range(4)], Heavy(), grid=4, tile=tile))
    assert len(found) == 4


def test_the_estimate_is_linear_in_patches() -> None:
    from dinoscope.data.grid import PatchGrid

    spec = BackboneSpec("m", "dinov3", 16, 384, 12, 6, 4)
    small, large = (forward_bytes(spec, PatchGrid(n, n, 16, (n * 16, n * 16))) for n in (64, 128))
    assert 3.9 < large / small < 4.1


def test_together_uses_a_photograph_once_and_by_all_or_none(folder: Path) -> None:
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    (folder / "2.png").write_bytes(b"broken")
    failures: list[Failure] = []
    progress: list[int] = []
    rows = list(
        extract_together(
            sorted(folder.iterdir()),
            [FakeBackbone("a"), FakeBackbone("b", patch_size=4)],
            Run(4),
            [None, 0],
            on_failure=failures.append,
            on_progress=progress.append,
        )
    )
    assert [p.name for p, _ in rows] == ["0.png", "1.png", "3.png", "4.png", "5.png"]
    for photograph, (first, second) in rows:
        assert first.provenance.image_digest == second.provenance.image_digest == photograph.digest
        assert first.grid.shape == second.grid.shape
        assert (first.provenance.layer, second.provenance.layer) == (1, 0)
    assert sorted(Path(f.source).name for f in failures) == ["2.png", "copy.png"]
    assert any("same photograph as '0.png'" in f.reason for f in failures)
    assert progress[-1] == 7
    bad: list[Failure] = []
    assert not list(
        extract_together(
            [folder / "0.png"],
            [FakeBackbone("a"), FakeBackbone("b", nan=True)],
            Run(4),
            [None, None],
            on_failure=bad.append,
        )
    )
    assert "b gives NaN" in bad[0].reason

from __future__ import annotations

import csv
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dinoscope as ds
from dinoscope.errors import GridMismatchError, ImageError, InputError, NoUsablePhotographError
from dinoscope.io.images import photograph_from_array
from dinoscope.monitoring.run_files import RunFiles
from dinoscope.scenes.generate import scenes
from tests.training.small_models import dinov3

SCENES = list(scenes(6, 3, size=(48, 40)))
PHOTOS = [photograph_from_array(s.first.image, name=f"{i}") for i, s in enumerate(SCENES)]
MASKS = {f"{i}": s.first.instances for i, s in enumerate(SCENES)}


def monitor(**options: Any) -> ds.Monitor:
    return ds.Monitor(PHOTOS, **({"every": 10, "grid": 8} | options))


def test_it_looks_when_it_should_and_leaves_the_model_as_it_was() -> None:
    model, watching = dinov3().train(), monitor()
    model.norm.eval()
    modes = [m.training for m in model.modules()]
    state = torch.get_rng_state()
    assert watching.update(model, 5) is None
    check = watching.update(model, 10)
    assert check is not None and check.step == 10 and [c.step for c in watching.checks] == [10]
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_its_numbers_are_those_of_the_functions() -> None:
    watching, model = monitor(masks=MASKS), dinov3(1)
    features = watching.photographs.features(model)
    first = watching.update(model, 0)
    second = watching.update(dinov3(2), 10)
    assert first is not None and second is not None
    triples = [ds.smoothness(f) for f in features]
    for key in ("neighbour", "random_pair", "locality"):
        assert first.values[key] == pytest.approx(np.mean([getattr(t, key) for t in triples]), abs=1e-6)
    assert "gram_distance" not in first.values
    later = watching.photographs.features(dinov3(2))
    drift = np.mean([ds.gram_distance(a, b) for a, b in zip(features, later, strict=True)])
    assert second.values["gram_distance"] == pytest.approx(drift, rel=1e-6)
    for key in ("boundary_auc", "matched_coherence_auc", "effective_rank", "cls_patch", "position_r2"):
        assert np.isfinite(first.values[key])
    want = np.mean([first.values["boundary_auc"], first.values["matched_coherence_auc"]])
    assert np.nanmean(first.quality) == pytest.approx(want, abs=0.05)
    cls = features[0].cls
    assert cls is not None
    rows = features[0].values.reshape(-1, features[0].dim).astype(float)
    cosines = rows @ cls / np.linalg.norm(rows, axis=1) / np.linalg.norm(cls)
    one = ds.Monitor(PHOTOS[0], 1, grid=8).update(model, 0)
    assert one is not None and one.values["cls_patch"] == pytest.approx(cosines.mean(), abs=1e-5)


def test_features_of_ones_own_do_as_well(tmp_path: Path) -> None:
    mini = ds.load_backbone("mini")
    features = list(ds.extract(PHOTOS, mini, grid=8))
    by_features, by_model = monitor().update(features, 10), monitor().update(mini, 10)
    assert by_features is not None and by_model is not None
    assert by_features.values == pytest.approx(by_model.values, abs=1e-5)


class Falling:
    """A model whose maps are made ever more alike."""

    patch_size = 4

    def __init__(self) -> None:
        self.share, self.inner = 0.0, dinov3(4)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        found = self.inner(pixels).last_hidden_state[:, 3:]
        return found * (1 - self.share) + self.share * 5 * torch.ones_like(found)


def test_planted_damage_is_told_with_the_step_since_when(tmp_path: Path) -> None:
    watching, model = monitor(run=tmp_path), Falling()
    told = []
    for step, share in ((0, 0.0), (10, 0.0), (20, 0.95), (30, 0.97), (40, 0.98)):
        model.share = share
        check = watching.update(model, step)
        assert check is not None
        told.append(check.falls_since)
    assert told[:3] == [None, None, None] and told[3] in (0, 10) and told[4] in (0, 10)
    assert watching.checks[-1].alarm.startswith("patches collapse since step ")
    assert "anchor" in watching.advice


def test_nan_is_an_alarm_and_not_an_end() -> None:
    watching, model = monitor(), dinov3()
    watching.update(model, 0)
    with torch.no_grad():
        model.norm.weight[0] = torch.nan
    check = watching.update(model, 10)
    assert check is not None and not check.finite and "NaN or infinite features at step 10" in check.alarm
    assert watching.update(dinov3(), 20) is not None


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    watching = monitor()
    watching.update(dinov3(), 10)
    with pytest.raises(InputError, match="step 10 comes after step 10"):
        watching.update(dinov3(), 10)
    with pytest.raises(InputError, match="one architecture"):
        watching.update(dinov3(dim=32), 20)
    with pytest.raises(InputError, match="no patch tokens"):
        watching.update(Flat(), 20)
    with pytest.raises(InputError, match="patch size of function is not known"):
        watching.update(lambda x: x, 20)
    mini = ds.load_backbone("mini")
    with pytest.raises(GridMismatchError, match="grid=8"):
        watching.update(list(ds.extract(PHOTOS, mini, grid=6)), 20)
    with pytest.raises(InputError, match="features of 1 photographs, and 6"):
        watching.update(list(ds.extract(PHOTOS[:1], mini, grid=8)), 20)
    with pytest.raises(InputError, match="every must be 1"):
        monitor(every=0)
    with pytest.raises(NoUsablePhotographError):
        ds.Monitor([])
    with pytest.raises(ImageError):
        ds.Monitor([tmp_path / "gone.jpg"])


class Flat(torch.nn.Module):
    patch_size = 4

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.mean(dim=(2, 3))


def test_photographs_that_vanish_later_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(SCENES[0].first.image.copy()).save(path)
    watching = ds.Monitor([path], 1, grid=8)
    path.unlink()
    assert watching.update(dinov3(), 1) is not None


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    model = dinov3(1)
    whole = monitor(run=tmp_path / "whole")
    for step, seed in ((10, 1), (20, 2), (30, 3)):
        whole.update(dinov3(seed), step)
    cut = monitor(run=tmp_path / "cut")
    cut.update(model, 10)
    cut.update(dinov3(2), 20)
    again = monitor(run=tmp_path / "cut")
    assert [c.step for c in again.checks] == [10, 20]
    again.update(dinov3(2), 20)  # training went back to a checkpoint before it
    again.update(dinov3(3), 30)
    a, b = (RunFiles(tmp_path / name).checks() for name in ("whole", "cut"))
    assert [c.step for c in a] == [c.step for c in b] == [10, 20, 30]
    for first, second in zip(a, b, strict=True):
        assert first.values == pytest.approx(second.values, rel=1e-2)  # the first maps are kept in 16 bits
    with (tmp_path / "cut" / "checks.csv").open() as file:
        table = list(csv.DictReader(file))
    assert [row["step"] for row in table] == ["10", "20", "30"]
    assert float(table[2]["locality"]) == pytest.approx(b[2].values["locality"], abs=1e-5)
    with (tmp_path / "cut" / "checks.jsonl").open("a") as file:
        file.write('{"step": 40, "val')
    assert len(RunFiles(tmp_path / "cut").checks()) == 3
    assert sorted(again.maps) == [10, 20, 30] and len(again.maps[10]) == len(
        again.photographs.photographs[:3]
    )
    with pytest.raises(InputError, match="give run="):
        _ = monitor().maps
    with pytest.raises(InputError, match="no watched training"):
        RunFiles(tmp_path / "none").checks()


def test_tensorboard_and_weights_and_biases_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: dict[str, tuple[float, int]] = {}
    logged: list[tuple[dict[str, float], int]] = []
    writer = types.SimpleNamespace(add_scalar=lambda name, value, step: told.update({name: (value, step)}))
    fake = types.ModuleType("wandb")
    fake.run = object()  # type: ignore[attr-defined]
    fake.log = lambda values, step: logged.append((values, step))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    check = monitor(writer=writer).update(dinov3(), 10)
    assert check is not None
    assert told["dense/locality"] == (check.values["locality"], 10) and told["dense/alarm"] == (0.0, 10)
    assert logged == [({name: value for name, (value, _) in told.items()}, 10)]

"""Ways of looking at a model stand before its name, in any order, wherever a model is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.backbones.load import planned_spec
from dinoscope.backbones.references import parted_ways
from dinoscope.comparison.controls import plan_controls
from dinoscope.errors import BackboneError, InputError, UnknownBackboneError
from dinoscope.shell.terminal import looked_at
from tests.command_line import run


def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["key:mini", "finer2:value:mini", "blur:rotated-key:mini", "finer4:pixels"])
def test_a_name_says_how_a_model_is_looked_at(name: str) -> None:
    backbone = ds.load_backbone(name)
    assert backbone.spec.name == name
    planned = planned_spec(name)
    assert planned is not None
    assert (planned.name, planned.patch_size) == (name, backbone.spec.patch_size)
    (found,) = ds.extract(image(), backbone, grid=(4, 6))
    ways, alone = parted_ways(name)
    factor = next((int(way[5:]) for way in ways if way.startswith("finer")), 1)
    assert found.grid.shape == (4 * factor, 6 * factor)
    assert alone in ("mini", "pixels")


def test_the_order_is_the_order_of_the_words() -> None:
    one, other = (ds.load_backbone(name) for name in ("blur:finer2:mini", "finer2:blur:mini"))
    first, second = (next(iter(ds.extract(image(), b, grid=(4, 6)))).values for b in (one, other))
    assert first.shape == second.shape
    assert not np.allclose(first, second)


def test_names_that_cannot_be() -> None:
    with pytest.raises(UnknownBackboneError):
        ds.load_backbone("keys:mini")
    with pytest.raises(UnknownBackboneError):
        ds.load_backbone("finer0:mini")
    with pytest.raises(InputError, match="2, 4, 8"):
        ds.load_backbone("finer3:mini")
    with pytest.raises(BackboneError, match="no attention blocks"):
        ds.load_backbone("key:pixels")


def test_controls_lie_on_the_grid_of_the_first_model_and_have_its_facet() -> None:
    controls = plan_controls([ds.load_backbone("finer2:key:mini")])
    assert controls.labels == (
        "finer2:pixels",
        "finer2:key:random:mini",
        "blur:finer2:key:mini",
        "shuffled:finer2:key:mini",
    )
    assert all(b.spec.control for b in controls.backbones)


def test_one_facet_for_all_models() -> None:
    assert looked_at("a, b=c.pth", "key", 2) == "finer2:key:a,finer2:key:b=c.pth"
    assert looked_at("a,b", "token", 1) == "a,b"
    with pytest.raises(InputError, match="rotated-query"):
        looked_at("a", "keys", 1)
    with pytest.raises(InputError, match="2 or more"):
        looked_at("a", "key", 0)


def test_commands_take_facets_and_finer_grids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(image()).save(path)
    words = [path, "--models", "mini", "--grid", 8, "--facet", "key", "--finer", 2, "--no-controls", "--json"]
    assert run("measure", *words) == 0
    assert '"finer2:key:mini"' in capsys.readouterr().out
    words = [path, "--model", "mini", "--grid", 8, "--facet", "value", "--out", tmp_path / "features"]
    assert run("extract", *words) == 0
    (written,) = (tmp_path / "features").iterdir()
    assert ds.read_features(written)[5].provenance.backbone == "value:mini"
    assert run("measure", path, "--models", "mini", "--finer", 3) == 2
    assert "these do: 2, 4, 8" in capsys.readouterr().err

"""Which setting: on photographs whose answer is planted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.choice.choose import choose
from dinoscope.choice.words import verdict
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import check_layers
from dinoscope.errors import InputError, LayerError
from tests.command_line import run
from tests.fakes import FakeBackbone


class TwoLayers(FakeBackbone):
    """Layer 1 knows the colours of patches, layer 0 only noise: with classes of colours layer 1 is right."""

    def forward(
        self, pixels: torch.Tensor, layers: tuple[int, ...] | None = None, *, final_norm: bool = True
    ) -> LayerOutputs:
        found = super().forward(pixels, (1,), final_norm=final_norm)
        wanted = check_layers(layers, 2)
        noise = torch.randn(
            found.patches[1].shape, generator=torch.Generator().manual_seed(len(self.batches))
        )
        by_layer = {0: noise, 1: found.patches[1]}
        return replace(
            found,
            patches={k: by_layer[k] for k in wanted},
            cls=dict.fromkeys(wanted, found.cls[1]),
            registers=dict.fromkeys(wanted, found.registers[1]),
        )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Twelve pictures of four places: blocks in three colours, which are the classes."""
    root, rng = tmp_path_factory.mktemp("choice"), np.random.default_rng(0)
    colours = np.array([[200, 60, 40], [50, 180, 60], [60, 70, 210]])
    for part in ("images", "masks"):
        (root / part).mkdir()
    for i in range(12):
        classes = rng.integers(0, 3, (4, 4)).repeat(16, axis=0).repeat(16, axis=1)
        pixels = np.clip(colours[classes] + rng.normal(0, 12, (64, 64, 3)), 0, 255).astype(np.uint8)
        name = f"{'abcd'[i % 4]}_{i}.png"
        Image.fromarray(pixels).save(root / "images" / name)
        Image.fromarray(classes.astype(np.uint8)).save(root / "masks" / name)
    return root / "images", root / "masks"


def test_the_layer_that_knows_is_found_with_an_honest_score(photographs: tuple[Path, Path]) -> None:
    images, masks = photographs
    model = TwoLayers()
    choice = choose(images, masks, model, grids=(8, 4), mask_kind="classes")
    assert len(model.batches) == 12 * 2  # one pass for all layers of a photograph and grid
    assert [(s.layer, s.grid) for s in choice.settings] == [(0, 8), (1, 8), (0, 4), (1, 4)]
    assert (choice.settings[choice.default].layer, choice.settings[choice.default].grid) == (1, 8)
    assert choice.settings[choice.best].layer == 1
    assert choice.honest.mean > 0.95 and choice.honest.n == 12
    means = [interval.mean for interval in choice.summaries["place_knn_miou"]]
    assert means[0] < 0.4 and means[1] > 0.9
    assert choice.from_best[0].interval.low > 0
    assert choice.settings[choice.recommended].layer == 1
    assert set(choice.summaries) == {
        "place_knn_miou",
        "place_linear_miou",
        "boundary_auc",
        "matched_coherence_auc",
    }
    assert "no difference that can be told" in verdict(choice)  # the last layer is the best already
    front = choice.pareto()
    assert [choice.costs[s].seconds for s in front] == sorted(choice.costs[s].seconds for s in front)


def test_groups_are_held_out_together_and_count_as_one(photographs: tuple[Path, Path]) -> None:
    images, masks = photographs
    choice = choose(images, masks, TwoLayers(), grids=(4,), group="^[a-z]", mask_kind="classes")
    assert choice.groups[:5] == ("a", "a", "a", "b", "b")
    assert choice.honest.n == 4 and len(choice.chosen) == 4
    assert "no direction is named" in verdict(choice)
    assert choice.recommended == choice.best


def test_an_interrupted_sweep_goes_on_and_ends_the_same(
    photographs: tuple[Path, Path], tmp_path: Path
) -> None:
    images, masks = photographs
    first = TwoLayers()

    def stop(done: int) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose(images, masks, first, grids=(4,), folder=tmp_path, mask_kind="classes", on_progress=stop)
    second = TwoLayers()
    whole = choose(images, masks, second, layers=(1,), grids=(4,), mask_kind="classes")
    again = TwoLayers()
    with pytest.raises(InputError, match="other settings"):
        choose(images, masks, again, layers=(1,), grids=(4,), folder=tmp_path, mask_kind="classes")
    resumed = choose(images, masks, again, grids=(4,), folder=tmp_path, mask_kind="classes")
    assert len(again.batches) == 5
    for key, row in whole.values.items():
        np.testing.assert_allclose(resumed.values[key][1], row[0], atol=1e-12)


def test_bad_input_says_what_to_do(photographs: tuple[Path, Path], tmp_path: Path) -> None:
    images, masks = photographs
    model = TwoLayers()
    with pytest.raises(InputError, match=r"no class can be read out\. Choose by boundary_auc or"):
        choose(images, masks, model, grids=(4,), mask_kind="regions")
    choice = choose(images, masks, model, grids=(4,), mask_kind="regions", by="boundary_auc")
    assert set(choice.summaries) == {"boundary_auc", "matched_coherence_auc"}
    assert choice.settings[choice.best].layer == 1
    with pytest.raises(InputError, match="choose by it on one grid"):
        choose(images, masks, model, grids=(4, 8), mask_kind="classes", by="boundary_auc")
    with pytest.raises(InputError, match="not 'beauty'"):
        choose(images, masks, model, by="beauty")
    with pytest.raises(InputError, match="no facet 'flavour'"):
        choose(images, masks, model, facets=("flavour",))
    with pytest.raises(InputError, match="at least one layer"):
        choose(images, masks, model, layers=())
    with pytest.raises(LayerError):
        choose(images, masks, model, layers=(7,), mask_kind="classes")
    with pytest.raises(InputError, match="choosing needs at least 6"):
        choose(sorted(images.iterdir())[:5], masks, model, grids=(4,), mask_kind="classes")
    with pytest.raises(InputError, match="two groups of photographs"):
        choose(images, masks, model, grids=(4,), mask_kind="classes", group="_")
    with pytest.raises(InputError, match="matches nothing"):
        choose(images, masks, model, grids=(4,), mask_kind="classes", group="z", on_failure=_raise)


def _raise(failure: object) -> None:
    raise InputError(str(failure))


def test_the_command_writes_what_it_says(
    photographs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images, masks = photographs
    out = tmp_path / "out"
    words = ["choose", images, "--masks", masks, "--mask-kind", "classes", "--models", "pixels,blur:pixels"]
    assert run(*words, "--grids", "4,8", "--out", out) == 0
    shown = capsys.readouterr().out
    found = json.loads((out / "choose.json").read_text())
    assert found["verdict"] in shown and found["by"] == "place_knn_miou"
    assert len(found["settings"]) == 4 and found["best"]["model"] == "pixels"
    assert found["honest"]["mean"] > 0.9 and (out / "choose.png").stat().st_size > 10_000
    assert run(*words, "--grids", "4,8", "--out", out, "--json") == 0  # nothing is left to be done
    assert json.loads(capsys.readouterr().out)["honest"] == found["honest"]

"""Which setting: on photographs whose answer is planted."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from dinoscope.choice.choice import Setting
from dinoscope.choice.choose import choose
from dinoscope.choice.decide import OF_MAPS, decided
from dinoscope.choice.figures.pareto import plot_choice
from dinoscope.choice.gathered import Gathered
from dinoscope.choice.words import verdict
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import KIND_WORDS, check_layers
from dinoscope.drawing.style import CONTROL_COLOUR
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


def test_the_figure_says_which_models_are_toys_and_draws_controls_in_grey(
    photographs: tuple[Path, Path],
) -> None:
    choice = choose(*photographs, TwoLayers(), grids=(4,), mask_kind="classes")
    gap = replace(choice.gain.interval, mean=-0.1, low=-0.2, high=0.05)
    lower = replace(choice.gain, interval=gap)
    for name, kind in (("mini", "toy model"), ("random:mini", KIND_WORDS["control"]), ("dinov2-small", None)):
        named = replace(choice, settings=tuple(replace(s, model=name) for s in choice.settings), gain=lower)
        figure = plot_choice(named)
        said = [text.get_text() for text in figure.texts]
        assert "−0.100 [−0.200, +0.050]" in " ".join(said)  # minus signs, no hyphens
        after = said[said.index(f"{name}, grid 4") + 1]
        assert after == kind if kind else after not in KIND_WORDS.values()
        grey = figure.axes[0].lines[0].get_color() == CONTROL_COLOUR
        assert grey == (name == "random:mini")


def test_groups_are_held_out_together_and_count_as_one(photographs: tuple[Path, Path]) -> None:
    images, masks = photographs
    choice = choose(images, masks, TwoLayers(), grids=(4,), group="^[a-z]", mask_kind="classes")
    assert choice.groups[:5] == ("a", "a", "a", "b", "b")
    assert choice.honest.n == 4 and len(choice.chosen) == 4
    assert "no direction is named" in verdict(choice)
    assert choice.recommended == choice.best


def test_the_best_is_best_over_groups_however_many_photographs_they_have() -> None:
    values = {"a": ([1.0, 0.0], 7), "b": ([0.1, 0.9], 1), "c": ([0.1, 0.9], 1)}
    of_each = [(group, row) for group, (row, n) in values.items() for _ in range(n)]
    none = np.zeros((0, 2), np.float16)
    rows = [
        Gathered(str(i), group, np.zeros(0, np.int64), (none, none), dict.fromkeys(OF_MAPS, row), [1.0, 1.0])
        for i, (group, row) in enumerate(of_each)
    ]
    tried = (Setting("one", 0, 8, "token"), Setting("other", 0, 8, "token"))
    found = decided(tried, rows, [f"{i:032x}" for i in range(len(rows))], "boundary_auc", [1, 1])
    assert found.best == 1 and found.summaries["boundary_auc"][1].mean == pytest.approx(0.6)
    assert found.chosen == (1, 0, 0)  # without each group, by the mean of the two others
    assert found.honest.mean == pytest.approx((0.0 + 0.1 + 0.1) / 3)
    assert found.honest.low == 0.0 and found.gain.interval.low >= -1  # no share is below 0


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
    coarse = TwoLayers(dtype=torch.bfloat16)
    with pytest.raises(InputError, match=r"dtypes: None there, \['torch.bfloat16'\] now"):
        choose(images, masks, coarse, grids=(4,), folder=tmp_path, mask_kind="classes")
    resumed = choose(images, masks, again, grids=(4,), folder=tmp_path, mask_kind="classes")
    assert len(again.batches) == 5
    for key, row in whole.values.items():
        np.testing.assert_allclose(resumed.values[key][1], row[0], atol=1e-12)


def test_progress_counts_photographs_without_a_mask_and_then_readouts(photographs: tuple[Path, Path]) -> None:
    images, masks = photographs
    kept = {path.name: np.array(Image.open(path)) for path in sorted(masks.iterdir())[:-1]}
    seen: list[int | tuple[int, int]] = []
    choose(
        images,
        {name: classes.astype(np.int64) for name, classes in kept.items()},
        TwoLayers(),
        grids=(4,),
        mask_kind="classes",
        on_progress=seen.append,
        on_readout=lambda done, total: seen.append((done, total)),
    )
    assert seen == [*range(1, 13), (0, 4), (1, 4), (2, 4), (3, 4)]  # two readouts of two layers


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
    with pytest.raises(InputError, match=r"'\[' is no regular expression: unterminated"):
        choose(images, masks, model, grids=(4,), mask_kind="classes", group="[")
    n_passes = len(model.batches)
    with pytest.raises(InputError, match="matches nothing"):
        choose(images, masks, model, grids=(4,), mask_kind="classes", group="z", on_failure=_raise)
    assert len(model.batches) == n_passes  # told before any work
    twice = choose(images, masks, model, grids=(4, 4), layers=(1, 1), mask_kind="classes")
    assert len(twice.settings) == 1


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
    assert found["verdict"] in " ".join(shown.split()) and found["by"] == "place_knn_miou"
    assert len(found["settings"]) == 4 and found["best"]["model"] == "pixels"
    table = shown.split("\n\n")[1].splitlines()
    assert table[0].split()[:3] == ["setting", "k-NN", "linear"] and "pixels, layer 0, grid" in table[1]
    assert max(map(len, shown.splitlines())) <= 100
    assert found["honest"]["mean"] > 0.9 and (out / "choose.png").stat().st_size > 10_000
    assert run(*words, "--grids", "4,8", "--out", out, "--json") == 0  # nothing is left to be done
    assert json.loads(capsys.readouterr().out)["honest"] == found["honest"]
    told = [(m["label"], m["control"], m["toy"]) for m in found["models"]]
    assert told == [("pixels", True, False), ("blur:pixels", True, False)]

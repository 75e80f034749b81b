"""A backbone refined against itself: what is learned, what is saved, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dinoscope.anchoring.batches import cut_batch
from dinoscope.anchoring.photographs import PhotographMemory, read_memory
from dinoscope.anchoring.refine import train as train_module
from dinoscope.anchoring.refine.card import as_json, card, sentences, table
from dinoscope.anchoring.refine.findings import AIM, OWN, Findings, Row
from dinoscope.anchoring.refine.low_rank import learn_low_rank, merge_low_rank
from dinoscope.anchoring.refine.objective import Objective, restated
from dinoscope.anchoring.refine.settings import ARMS, REFINED, Refinement
from dinoscope.anchoring.refine.train import rate, train_arm
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.networks import blocks
from dinoscope.data.spec import BackboneSpec
from dinoscope.drawing.text_table import WIDTH
from tests.anchoring.small_runs import write_photographs
from tests.command_line import run
from tests.training.small_models import dinov3, pixels

SMALL = Refinement(steps=4, batch=2, grid=4, checkpoint_every=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> DinoBackbone:
    folder = tmp_path_factory.mktemp("tiny") / "tiny"
    dinov3().save_pretrained(folder)
    found = load_backbone(weights=folder)
    assert isinstance(found, DinoBackbone)
    return found


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> PhotographMemory:
    folder = write_photographs(tmp_path_factory.mktemp("photographs"), n=6)
    return read_memory(folder, batch=2, crop_px=16, memory_px=48)


@pytest.mark.parametrize("rank", [0, 2])
def test_what_is_saved_is_loaded_by_transformers_alone_and_is_ours(
    rank: int, tiny: DinoBackbone, memory: PhotographMemory, tmp_path: Path
) -> None:
    from transformers import AutoImageProcessor, AutoModel

    folder = train_arm(tiny, memory, tmp_path / REFINED, replace(SMALL, rank=rank))
    theirs = AutoModel.from_pretrained(folder).eval()
    ours = load_backbone(weights=folder)
    with torch.no_grad():
        hidden = theirs(pixels()).last_hidden_state
    outputs = ours.forward(pixels())
    torch.testing.assert_close(outputs.patches[1].flatten(1, 2), hidden[:, 3:], atol=1e-5, rtol=0)
    torch.testing.assert_close(outputs.cls[1], hidden[:, 0], atol=1e-5, rtol=0)
    assert not torch.allclose(outputs.patches[1], tiny.forward(pixels()).patches[1], atol=1e-3)
    assert {path.name for path in tmp_path.iterdir()} == {REFINED}
    processor = AutoImageProcessor.from_pretrained(folder)
    assert np.allclose(processor.image_mean, tiny.spec.mean) and not [
        n for n in ours.origin.notes if "assum" in n
    ]


def test_a_run_that_was_cut_off_goes_on_to_the_same_weights(
    tiny: DinoBackbone, memory: PhotographMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_arm(tiny, memory, tmp_path / "a" / REFINED, SMALL)

    def stop(_name: str, progress: Any) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_arm(tiny, memory, tmp_path / "b" / REFINED, SMALL, on_step=stop)
    assert not (tmp_path / "b" / REFINED).exists()
    told: list[int] = []
    again = train_arm(
        tiny, memory, tmp_path / "b" / REFINED, SMALL, on_step=lambda _, progress: told.append(progress.step)
    )
    assert told == [3, 4]
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    monkeypatch.setattr(train_module, "_network", None)  # a finished arm is not trained again
    assert train_arm(tiny, memory, again, SMALL) == again


def test_low_rank_products_begin_at_nothing_and_end_in_the_weights() -> None:
    network = dinov3()
    before = network(pixels()).last_hidden_state
    learn_low_rank(network, 2)
    torch.testing.assert_close(network(pixels()).last_hidden_state, before, atol=1e-6, rtol=0)
    learned = {name for name, p in network.named_parameters() if p.requires_grad}
    assert learned and all(name.endswith((".up", ".down")) for name in learned)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if name.endswith(".up"):
                p.normal_(generator=torch.Generator().manual_seed(0))
    moved = network(pixels()).last_hidden_state
    merge_low_rank(network)
    torch.testing.assert_close(network(pixels()).last_hidden_state, moved, atol=1e-5, rtol=0)
    assert set(network.state_dict()) == set(dinov3().state_dict())
    first, old = (
        next(m for m in blocks(n).modules() if isinstance(m, nn.Linear)) for n in (network, dinov3())
    )
    change = first.weight - old.weight
    assert torch.linalg.matrix_rank(change.detach(), atol=1e-4) == 2


def test_the_unchanged_model_has_nothing_to_learn_but_from_its_finer_look(
    tiny: DinoBackbone, memory: PhotographMemory
) -> None:
    """With clean crops the anchors and a teacher at the same resolution are exactly met."""
    settings = SMALL.crops(4, 1)
    batch = cut_batch(memory, replace(settings, crops=replace(settings.crops, jitter=0.0)), 1)
    assert batch.clean_crops is not None
    small = torch.nn.functional.interpolate(batch.clean_crops, size=16, mode="bicubic", antialias=True)
    batch = replace(batch, global_crops=small)
    found = {
        name: {
            key: float(value)
            for key, value in Objective(tiny, arm, SMALL).losses(tiny.model, batch, 1).items()
        }
        for name, arm in ARMS.items()
    }
    for losses in found.values():
        assert losses["features"] == pytest.approx(0, abs=1e-6) and losses["cls"] == pytest.approx(
            0, abs=1e-6
        )
    assert "gram" not in found["anchors-only"] and found["gram-x1"]["gram"] == pytest.approx(0, abs=1e-9)
    assert found[REFINED]["gram"] > 1e-6 and found["gram-x1-blurred"]["gram"] > 1e-6


def test_crops_are_normalised_as_the_model_wants() -> None:
    spec = BackboneSpec("a", "dinov3", 4, 8, 1, 1, 0, mean=(0.4, 0.3, 0.2), std=(0.1, 0.2, 0.3))
    colours = torch.rand(1, 3, 2, 2)
    mean, std = (torch.tensor(t).view(3, 1, 1) for t in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    own = torch.tensor(spec.mean).view(3, 1, 1), torch.tensor(spec.std).view(3, 1, 1)
    torch.testing.assert_close(restated((colours - mean) / std, spec), (colours - own[0]) / own[1])


def test_the_rate_rises_for_a_tenth_and_falls_to_almost_nothing() -> None:
    rates = [rate(step, 100) for step in range(1, 101)]
    assert rates[:10] == pytest.approx([k / 10 for k in range(1, 11)])
    assert all(a > b for a, b in pairwise(rates[9:])) and 0 < rates[-1] < 0.01


def planted(shift: float, control: float = 0.0) -> Findings:
    """Eight photographs on which the refined model differs by ``shift`` and a control by ``control``."""
    base = np.linspace(0.5, 0.8, 8)
    noise = np.tile([0.001, -0.001], 4)
    values = np.stack([base, base + shift + noise, base + control - noise], axis=1)
    keys = {"boundary_auc": "sharpness", "matched_coherence_auc": "coherence", **OWN}
    rows = tuple(
        Row(key, title, values if key == "boundary_auc" else np.tile(base[:, None], 3))
        for key, title in keys.items()
    )
    return Findings(("tiny", REFINED, "gram-x1"), ("boundary_auc", "matched_coherence_auc"), rows, 8)


def test_a_model_that_measures_worse_says_so_in_its_card() -> None:
    spec = BackboneSpec("tiny", "dinov3", 4, 8, 1, 1, 0, licence="Apache-2.0")
    facts: dict[str, object] = {"photographs": 10, "masks": "against masks"}
    worse, better, same = planted(-0.05), planted(0.05, 0.06), planted(0.0)
    assert worse.worse and not better.worse and not same.worse
    told = card(worse, spec, SMALL, facts)
    assert "**It measures worse than the model that it was made from." in told
    assert told.startswith("---\nlicense: apache-2.0\n") and "| sharpness |" in told
    assert sentences(worse)[0].startswith("Measures worse than the unchanged model: sharpness")
    assert "measures worse" not in card(better, spec, SMALL, facts)
    assert "In sharpness refined gains less than gram-x1" in " ".join(sentences(better))
    assert "In sharpness refined gains more than gram-x1" in " ".join(sentences(planted(0.05)))
    alone = replace(better, models=better.models[:2])
    assert "No control was trained: what the gain is owed to is not known." in sentences(alone)
    assert not [line for line in sentences(better) if "No control" in line]
    assert sentences(same)[0].startswith("No difference that can be told: sharpness")
    assert as_json(worse)["worse"] is True
    assert len(table(worse)) == 1 + len(worse.rows) and table(worse)[0][-1] == "gram-x1"


def test_the_command_refines_measures_and_reports(
    tiny: DinoBackbone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = write_photographs(tmp_path / "photos", n=12), tmp_path / "out"
    folder = tmp_path / "tiny"
    tiny.model.save_pretrained(folder)  # type: ignore[operator]
    words = (
        "anchor",
        photos,
        "--from",
        folder,
        "-o",
        out,
        "--batch",
        2,
        "--crop-grid",
        4,
        "--grid",
        6,
        "--device",
        "cpu",
    )
    assert run(*words, "--steps", 2) == 0
    printed = capsys.readouterr().out
    assert OWN[AIM] in printed and "anchors-only" in printed and "comparison/report.html" in printed
    numbers = [line for line in printed.splitlines() if "  " in line]
    assert len(numbers) > 10 and max(map(len, numbers)) <= WIDTH
    read = json.loads((out / "refined.json").read_text())
    assert read["models"] == ["tiny", *ARMS] and read["n_images"] == 2
    assert read["metrics"][AIM]["tiny"]["value"][0] > 0
    assert read["metrics"]["patches_kept"]["tiny"]["value"][0] == pytest.approx(1)
    assert read["metrics"]["patches_kept"][REFINED]["value"][0] < 1
    card_text = (out / REFINED / "README.md").read_text()
    assert "2 held-out photographs" in card_text and str(tmp_path) not in card_text
    assert load_backbone(weights=out / REFINED).spec.dim == 16
    assert run(*words, "--steps", 2) == 2 and "--resume" in capsys.readouterr().err
    assert run(*words, "--steps", 2, "--resume", "--json") == 0
    assert json.loads(capsys.readouterr().out)["models"] == ["tiny", *ARMS]
    assert run(*words, "--steps", 3, "--resume") == 2 and "another refinement" in capsys.readouterr().err
    assert run(*words, "--steps", 1, "--force", "--no-controls", "--held-out", photos / "00.png") == 2
    assert "held out and learned from" in capsys.readouterr().err
    assert run("anchor", photos, "--from", "pixels", "-o", tmp_path / "new") == 2
    assert "only ViTs" in capsys.readouterr().err

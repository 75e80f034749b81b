from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dinoscope.anchoring.network import Distilled, follow, frozen, read_backbone, write_backbone
from dinoscope.errors import InputError
from tests.anchoring.small_runs import NETWORK

PIXELS = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def network() -> Distilled:
    torch.manual_seed(0)
    return Distilled(NETWORK, image_px=16)


def test_the_export_is_an_ordinary_hugging_face_folder(network: Distilled, tmp_path: Path) -> None:
    from transformers import DINOv3ViTModel

    network.eval()
    write_backbone(network.backbone, tmp_path / "deep" / "teacher")
    write_backbone(network.backbone, tmp_path / "deep" / "teacher")  # replaces the one before
    assert sorted(p.name for p in (tmp_path / "deep" / "teacher").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["teacher"]
    theirs = DINOv3ViTModel.from_pretrained(tmp_path / "deep" / "teacher")(PIXELS).last_hidden_state
    ours = network(PIXELS)
    assert torch.allclose(ours.cls, theirs[:, 0], atol=1e-5)
    assert torch.allclose(ours.patches, theirs[:, 3:], atol=1e-5)
    again = frozen(copy.deepcopy(network))
    again.backbone = read_backbone(tmp_path / "deep" / "teacher", NETWORK)
    assert torch.equal(again(PIXELS).patches, ours.patches)


def test_a_folder_of_another_shape_is_refused(network: Distilled, tmp_path: Path) -> None:
    write_backbone(network.backbone, tmp_path / "teacher")
    with pytest.raises(InputError, match=r"another shape: num_hidden_layers 2 \(wanted 3\)"):
        read_backbone(tmp_path / "teacher", replace(NETWORK, depth=3))
    with pytest.raises(InputError, match=r"no config\.json"):
        read_backbone(tmp_path, NETWORK)


def test_positions_are_augmented_in_training_only(network: Distilled) -> None:
    network.train()
    assert not torch.equal(network(PIXELS).patches, network(PIXELS).patches)
    network.eval()
    assert torch.equal(network(PIXELS).patches, network(PIXELS).patches)
    still = Distilled(replace(NETWORK, rope_rescale=None), image_px=16).train()
    assert torch.equal(still(PIXELS).patches, still(PIXELS).patches)


def test_what_a_masked_patch_showed_is_not_seen(network: Distilled) -> None:
    network.eval()
    masks = torch.zeros(2, 24, dtype=torch.bool)
    masks[:, 0] = True
    changed = PIXELS.clone()
    changed[:, :, :4, :4] += 1.0
    assert torch.equal(network(PIXELS, masks).patches, network(changed, masks).patches)
    assert not torch.equal(network(PIXELS).patches, network(changed).patches)


def test_the_teacher_follows_the_student(network: Distilled) -> None:
    teacher = frozen(copy.deepcopy(network))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1.0)
    follow(teacher, network, 0.75)
    assert torch.equal(teacher(PIXELS).patches, teacher(PIXELS).patches)  # its positions stay
    for old, new in zip(teacher.parameters(), network.parameters(), strict=True):
        assert torch.allclose(new - old, torch.full_like(new, 0.75), atol=1e-6)
        assert not old.requires_grad

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.registers import RepairedBackbone, as_repairable
from dinoscope.errors import InputError
from dinoscope.exports.export import write_onnx
from tests.exports.faulty import DATA


@pytest.mark.parametrize(
    "name", ["dinov2", "dinov2_reg", "dinov2_swiglu", "dinov3", "dinov3_rope_bf16", "dinov3_swiglu"]
)
def test_the_file_gives_the_models_own_tokens_at_any_size(name: str, tmp_path: Path) -> None:
    backbone = load_backbone(weights=DATA / f"{name}.pth")
    path = write_onnx(backbone, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(path)
    side = backbone.spec.patch_size
    for b, h, w in ((1, 5, 8), (2, 8, 3), (1, 37, 37)):
        pixels = torch.randn(b, 3, h * side, w * side, generator=torch.Generator().manual_seed(h))
        want = backbone.forward(pixels)
        patches, cls = session.run(None, {"pixels": pixels.numpy()})
        (layer,) = want.patches
        np.testing.assert_allclose(patches, want.patches[layer].flatten(1, 2), atol=2e-4)
        np.testing.assert_allclose(cls, want.cls[layer], atol=2e-4)
    facts = json.loads(onnx.load(path).metadata_props[0].value)
    assert facts["patch_size"] == side and facts["mean"] == list(backbone.spec.mean)
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    repaired = RepairedBackbone(as_repairable(load_backbone(weights=DATA / "dinov2.pth")), {0: (1, 2)})
    with pytest.raises(InputError, match="its register is made while it runs"):
        write_onnx(repaired, tmp_path / "model.onnx")
    with pytest.raises(InputError, match="only ViTs"):
        write_onnx("pixels", tmp_path / "model.onnx")
    with pytest.raises(InputError, match="only ViTs"):
        write_onnx(load_backbone(weights=DATA / "dinov3_convnext.pth"), tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []

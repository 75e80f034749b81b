"""``py:MODULE:FUNCTION``: what the function states is measured before anything is believed."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from dinoscope.backbones.load import load_backbone
from dinoscope.errors import BackboneError, InputError, WeightsError

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, prefix):
        super().__init__()
        self.prefix = prefix
        self.proj = nn.Conv2d(3, 5, 4, stride=4)

    def forward(self, pixels):
        patches = self.proj(pixels).flatten(2).mT
        first = torch.arange(self.prefix).float()[None, :, None].expand(len(pixels), -1, 5)
        return torch.cat([first, patches], dim=1)

FACTS = dict(patch_size=4, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.1))

def tokens():
    torch.manual_seed(0)
    return Net(3), dict(FACTS, prefix=3, registers=2, heads=7, licence="mit")

def no_class():
    torch.manual_seed(0)
    return Net(2), dict(FACTS, prefix=2, registers=2)

def a_map():
    torch.manual_seed(0)
    return Net(0).proj, FACTS

def plain():
    return (lambda pixels: nn.functional.avg_pool2d(pixels, 4)), dict(FACTS, final_norm=False)

def lies():
    return Net(3), dict(FACTS, prefix=1)

def wrong_patch():
    return Net(0), dict(FACTS, patch_size=8)

def transposed():
    return (lambda pixels: nn.functional.avg_pool2d(pixels, 4).mT), FACTS

def pair():
    return (lambda pixels: (pixels, pixels)), FACTS

def flat():
    return (lambda pixels: pixels.flatten()), FACTS

def alone():
    return Net(0)

def no_mean():
    return Net(0), dict(patch_size=4)

def odd_std():
    return Net(0), dict(FACTS, std=(0.0, 1.0, 1.0))

def unknown():
    return Net(0), dict(FACTS, patchsize=4)

def half_a_patch():
    return Net(0), dict(FACTS, patch_size=4.0)

def none_left():
    return Net(0), dict(FACTS, registers=1)

def breaks():
    raise KeyError("weights.pth")

def picky():
    def network(pixels):
        if pixels.shape[-1] != pixels.shape[-2]:
            raise ValueError("squares only")
        return nn.functional.avg_pool2d(pixels, 4)
    return network, FACTS
"""


@pytest.fixture
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "my_networks.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)


def pixels(h: int, w: int) -> torch.Tensor:
    return torch.randn(2, 3, 4 * h, 4 * w, generator=torch.Generator().manual_seed(h))


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("reference", ["py:my_networks:tokens", "py:my_networks.py:tokens"])
def test_tokens(reference: str) -> None:
    before = list(sys.path)
    backbone = load_backbone(reference)
    assert sys.path == before
    spec = backbone.spec
    assert (spec.name, spec.patch_size, spec.dim, spec.depth, spec.heads) == (reference, 4, 5, 1, 7)
    assert (spec.registers, spec.licence, spec.mean) == (2, "mit", (0.5, 0.4, 0.3))
    outputs = backbone.forward(pixels(2, 3))
    torch.manual_seed(0)
    expected = nn.Conv2d(3, 5, 4, stride=4)(pixels(2, 3)).permute(0, 2, 3, 1)
    assert torch.equal(outputs.patches[0], expected)
    assert outputs.cls[0].unique().tolist() == [0.0]
    assert outputs.registers[0][:, :, 0].tolist() == [[1.0, 2.0]] * 2
    assert outputs.final_norm
    assert len(backbone.origin.digest) == 64
    with pytest.raises(InputError, match="one way"):
        backbone.forward(pixels(2, 2), final_norm=False)


@pytest.mark.usefixtures("_here")
def test_maps_and_plain_callables() -> None:
    tokens, a_map = load_backbone("py:my_networks:tokens"), load_backbone("py:my_networks:a_map")
    assert torch.equal(tokens.forward(pixels(3, 2)).patches[0], a_map.forward(pixels(3, 2)).patches[0])
    assert a_map.forward(pixels(3, 2)).cls == {}
    plain = load_backbone("py:my_networks:plain")
    outputs = plain.forward(pixels(3, 2), final_norm=False)
    assert torch.equal(outputs.patches[0], nn.functional.avg_pool2d(pixels(3, 2), 4).permute(0, 2, 3, 1))
    assert not plain.forward(pixels(3, 2)).final_norm
    assert "its digest is of code, not of weights" in plain.origin.notes
    assert load_backbone("py:my_networks:no_class").forward(pixels(1, 1)).cls == {}
    assert tokens.origin.digest != a_map.origin.digest
    assert load_backbone("py:my_networks:tokens").origin.digest == tokens.origin.digest
    assert tokens.to("cpu", torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("lies", "states a prefix of 1 tokens, and its callable gives 3"),
        ("wrong_patch", "do not fit a patch grid"),
        ("transposed", "do not fit a patch grid"),
        ("pair", "must return b n dim or b dim h w, not tuple"),
        ("flat", r"not Tensor of shape \(\d+,\)"),
        ("alone", "must return .*, not Net"),
        ("no_mean", "mean and std must be three numbers"),
        ("odd_std", "mean and std must be three numbers"),
        ("unknown", "states patchsize; known are patch_size"),
        ("half_a_patch", "patch_size must be a whole number, got 4.0"),
        ("none_left", "registers are some of the prefix"),
        ("breaks", "KeyError: 'weights.pth'"),
        ("picky", "does not take inputs of 2x5 patches of 4 pixels: ValueError: squares only"),
        ("absent", "AttributeError"),
    ],
)
def test_what_is_refused(function: str, reason: str) -> None:
    with pytest.raises(BackboneError, match=reason) as caught:
        load_backbone(f"py:my_networks:{function}")
    assert f"py:my_networks:{function}" in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["py:nothing", "py:no_such_module:f", "py:absent.py:f", "py:a:b c", "py::f"]
)
def test_what_cannot_be_imported(reference: str) -> None:
    with pytest.raises(BackboneError, match="py:"):
        load_backbone(reference)


@pytest.mark.usefixtures("_here")
def test_it_takes_no_weights_beside() -> None:
    with pytest.raises(InputError, match="takes no weights"):
        load_backbone("py:my_networks:tokens", weights="x.pth")
    with pytest.raises(WeightsError):
        load_backbone("py:my_networks:lies")
    assert load_backbone("blur:py:my_networks:a_map").spec.control

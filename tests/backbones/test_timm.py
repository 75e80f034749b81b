"""One name of every ViT class and option set of timm, made small by arguments, gives timm's own numbers."""

from __future__ import annotations

import contextlib
import copy
import importlib
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest import mock

import pytest
import torch

from dinoscope.backbones import licences
from dinoscope.backbones.families import timm as route
from dinoscope.backbones.families.foreign import ForeignBackbone
from dinoscope.data.spec import WeightsOrigin
from tests.backbones.torchvision_stand_in import timm_alone

MODULES = (
    "beit",
    "deit",
    "eva",
    "naflexvit",
    "vision_transformer",
    "vision_transformer_hybrid",
    "vision_transformer_relpos",
    "vision_transformer_sam",
)
SIZES = {
    "cache_dir",
    "depth",
    "drop_path_rate",
    "embed_dim",
    "feature_cfg",
    "img_size",
    "init_values",
    "mlp_ratio",
    "num_classes",
    "num_heads",
    "num_kv_heads",
    "patch_size",
    "pos_drop_rate",
    "pretrained_filter_fn",
    "pretrained_strict",
    "rel_pos_dim",
}
"""Arguments that make a network larger or smaller, or say how it is filled, and not another one."""


@pytest.fixture(scope="module")
def timm() -> Iterator[ModuleType]:
    with timm_alone() as module:
        yield module


class _AskedError(Exception):
    pass


def option_sets(timm: Any) -> dict[str, tuple[Any, ...]]:
    """The first name of each class with each set of options, and these."""
    seen: dict[tuple[Any, ...], str] = {}
    for module in MODULES:
        home = importlib.import_module(f"timm.models.{module}")

        def note(cls: Any, variant: str, pretrained: bool, **options: Any) -> None:
            raise _AskedError(getattr(cls, "__name__", str(cls)), options)

        with mock.patch.object(home, "build_model_with_cfg", note), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of names that timm has changed
            for name in timm.list_models(module=module):
                with contextlib.suppress(TypeError):
                    try:
                        timm.create_model(name)
                    except _AskedError as asked:
                        seen.setdefault(_key(*asked.args), name)
    return {name: key for key, name in sorted(seen.items(), key=lambda item: item[1])}


def _key(cls: str, options: dict[str, Any]) -> tuple[Any, ...]:
    flat = options | vars(options["cfg"]) if "cfg" in options else options
    return cls, *sorted((k, _named(v)) for k, v in flat.items() if k not in SIZES | {"cfg"})


def _named(value: Any) -> str:
    inner = getattr(value, "func", value)
    return str(getattr(inner, "__name__", inner))


def shrunken(timm: Any, name: str) -> Any:
    """96 channels in 2 blocks of 2 heads, every parameter moved, so that no layer scale hides a block."""
    small: dict[str, Any] = {"embed_dim": 96, "depth": 2, "num_heads": 2, "num_classes": 0}
    if "mci" in name:  # its stem gives as many channels as it has
        del small["embed_dim"]
    if "sapiens2" in name:
        small["num_kv_heads"] = (2, 1)
    if "samvit" in name:
        small["global_attn_indexes"] = (1,)
    torch.manual_seed(0)
    try:
        model = timm.create_model(name, dynamic_img_size=True, **small)
    except TypeError:
        model = timm.create_model(name, **small)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model.eval()


def own_tokens(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """What timm gives: prefix tokens and patches; of SAM the map before its neck."""
    own = copy.deepcopy(model)
    if getattr(getattr(own, "patch_embed", None), "strict_img_size", False):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of timm's indexing
            own.set_input_size(img_size=tuple(pixels.shape[-2:]))
    if hasattr(own, "neck"):
        own.neck = torch.nn.Identity()
    with torch.no_grad():
        found = own.forward_features(pixels)
    found = found["patches"] if isinstance(found, dict) else found
    return found.permute(0, 2, 3, 1).flatten(1, 2) if found.ndim == 4 else found


def joined(backbone: ForeignBackbone, pixels: torch.Tensor) -> torch.Tensor:
    outputs = backbone.forward(pixels)
    (layer,) = outputs.patches
    first = [outputs.cls[layer][:, None]] if outputs.cls else []
    return torch.cat([*first, outputs.registers[layer], outputs.patches[layer].flatten(1, 2)], dim=1)


def test_every_option_set_gives_timms_own_numbers(
    timm: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licences, "_given", set())
    sets = option_sets(timm)
    assert len(sets) > 80
    vits = {f"VisionTransformer{kind}" for kind in ("", "Distilled", "RelPos", "SAM")}
    assert {key[0] for key in sets.values()} == vits | {"Beit", "Eva", "NaFlexVit"}
    wrong = []
    for name in sets:
        model = shrunken(timm, name)
        backbone = route.describe(model, f"timm:{name}", WeightsOrigin("here"))
        side = backbone.spec.patch_size
        for h, w in ((3, 5), (4, 4)):
            pixels = torch.randn(2, 3, h * side, w * side, generator=torch.Generator().manual_seed(h))
            own = own_tokens(model, pixels)
            if own.shape[1] != h * w + model_prefix(model) or not torch.equal(joined(backbone, pixels), own):
                wrong.append((name, h, w))
    assert wrong == []


def model_prefix(model: Any) -> int:
    """Counted from the parameters that stand for tokens."""
    tokens = model if hasattr(model, "patch_embed") else model.embeds
    found = [getattr(tokens, name, None) for name in ("cls_token", "reg_token", "dist_token")]
    return sum(token.shape[1] for token in found if token is not None)


@pytest.mark.parametrize(
    ("name", "patch", "has_cls", "registers", "has_norm"),
    [
        ("vit_base_patch16_rope_reg1_gap_256", 16, False, 1, False),
        ("vit_betwixt_patch16_rope_reg4_gap_256", 16, False, 4, False),
        ("vit_base_patch16_dinov3", 16, True, 4, True),
        ("deit_base_distilled_patch16_224", 16, True, 1, True),
        ("vit_pe_spatial_base_patch16_512", 16, True, 0, False),
        ("vit_base_patch16_radio_v3", 16, True, 7, False),
        ("naflexvit_base_patch16_radio_v3", 16, True, 7, False),
        ("naflexvit_base_patch16_siglip", 16, False, 0, True),
        ("vit_base_mci_224", 16, True, 0, True),
        ("vit_base_r26_s32_224", 32, True, 0, True),
        ("samvit_base_patch16", 16, False, 0, False),
    ],
)
def test_facts(timm: Any, name: str, patch: int, has_cls: bool, registers: int, has_norm: bool) -> None:
    backbone = route.describe(shrunken(timm, name), f"timm:{name}", WeightsOrigin("here"))
    spec = backbone.spec
    assert (spec.patch_size, spec.registers, spec.final_norm) == (patch, registers, has_norm)
    assert (spec.depth, spec.heads) == (2, 2)
    assert ("it has no final norm for patches" in backbone.origin.notes) is not has_norm
    outputs = backbone.forward(torch.zeros(1, 3, 2 * patch, 3 * patch), (1, 0))
    assert set(outputs.cls) == ({0, 1} if has_cls else set())
    assert outputs.final_norm is has_norm
    assert outputs.patches[0].shape == (1, 2, 3, spec.dim)


def test_tables_are_resized_from_the_first_ones(timm: Any) -> None:
    """Going from grid to grid leaves no trace."""
    model = shrunken(timm, "beit_base_patch16_224")
    backbone = route.describe(model, "timm:beit", WeightsOrigin("here"))
    for h, w in ((2, 7), (5, 5), (1, 1)):
        backbone.forward(torch.zeros(1, 3, 16 * h, 16 * w))
    pixels = torch.randn(1, 3, 224, 160)
    own = own_tokens(model, pixels)
    assert torch.equal(joined(backbone, pixels), own)
    model.to(torch.float64)  # in place, as a move to another device is
    assert backbone.forward(pixels.double()).patches[1].shape == (1, 14, 10, 96)
    model.to(torch.float32)
    half = backbone.to("cpu", torch.bfloat16)
    assert half.forward(pixels).patches[1].shape == (1, 14, 10, 96)
    assert torch.equal(joined(backbone, pixels), own)

"""One tiny network with random weights of every family of `transformers`: what a new family adds here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import transformers as hf
from torch import Tensor, nn

PATCH = 8
SIZES = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": PATCH,
}
TEXT = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 99,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}


def last_hidden(model: Any, pixels: Tensor) -> Tensor:
    """Tokens as most families give them; without positions at a fixed size."""
    tower = getattr(model, "vision_model", model)
    try:
        return tower(pixels, interpolate_pos_encoding=True).last_hidden_state  # type: ignore[no-any-return]
    except TypeError:
        return tower(pixels).last_hidden_state  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Tiny:
    """A network, and what its own library says of it.

    Attributes:
        build: the whole model, as it would be saved.
        expected: its own output for the last layer: tokens, or a map ``b h w dim``.
        n_prefix, has_cls: tokens before the patches, and whether the first is a class token.
        final_norm: whether ``expected`` has the final norm.
        grids: that the library itself takes.
        has_norm: whether there is a final norm of the patches.
        patch: pixels on a side of one.
    """

    build: Callable[[], nn.Module]
    expected: Callable[[Any, Tensor], Tensor] = last_hidden
    n_prefix: int = 1
    has_cls: bool = True
    final_norm: bool = True
    has_norm: bool = True
    grids: tuple[tuple[int, int], ...] = ((4, 4), (3, 6))
    patch: int = PATCH


def _vision(name: str, **more: Any) -> Callable[[], nn.Module]:
    return lambda: getattr(hf, f"{name}Model")(getattr(hf, f"{name}Config")(**(SIZES | more)))


def _towers(name: str, **more: Any) -> Callable[[], nn.Module]:
    """A model with a text tower beside."""
    return lambda: getattr(hf, f"{name}Model")(
        getattr(hf, f"{name}Config")(text_config=TEXT, vision_config=SIZES | more)
    )


def _spread(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    """With every parameter moved, so that none stays at 0 or 1 and hides what it does."""

    def built() -> nn.Module:
        model = build()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
        return model

    return built


def _radio(model: Any, pixels: Tensor) -> Tensor:
    return model(pixels).last_hidden_state  # type: ignore[no-any-return]


def _mae(model: Any, pixels: Tensor) -> Tensor:
    model.config.mask_ratio = 0.0
    found = model(pixels, interpolate_pos_encoding=True)
    n = found.ids_restore.shape[1]
    patches = found.last_hidden_state[:, 1:]
    restored = patches.gather(1, found.ids_restore[..., None].expand(-1, n, patches.shape[-1]))
    return torch.cat([found.last_hidden_state[:, :1], restored], dim=1)


def _naflex(model: Any, pixels: Tensor) -> Tensor:
    from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches

    h, w = (side // PATCH for side in pixels.shape[-2:])
    cut = torch.stack([torch.as_tensor(convert_image_to_patches(p.numpy(), PATCH)) for p in pixels])
    ones = torch.ones(len(pixels), h * w, dtype=torch.int64)
    return model(cut, ones, torch.tensor([[h, w]] * len(pixels))).last_hidden_state  # type: ignore[no-any-return]


def _depth_anything() -> nn.Module:
    trunk = hf.Dinov2Config(**SIZES, out_indices=[1, 2, 3], reshape_hidden_states=False)
    return hf.DepthAnythingForDepthEstimation(
        hf.DepthAnythingConfig(
            backbone_config=trunk,
            patch_size=PATCH,
            reassemble_hidden_size=32,
            neck_hidden_sizes=[8] * 3,
            reassemble_factors=[2, 1, 0.5],
            fusion_hidden_size=8,
            head_hidden_size=8,
        )
    )


def _sam(model: Any, pixels: Tensor) -> Tensor:
    model.vision_encoder.config.output_hidden_states = True
    return model.vision_encoder(pixels, output_hidden_states=True).hidden_states[-1]  # type: ignore[no-any-return]


def _vitpose() -> nn.Module:
    sizes = SIZES | {"image_size": [64, 96], "patch_size": 16, "out_indices": [3]}
    return hf.VitPoseForPoseEstimation(hf.VitPoseConfig(backbone_config=hf.VitPoseBackboneConfig(**sizes)))


def _eomt(name: str) -> Callable[[], nn.Module]:
    more = {
        "num_blocks": 1,
        "num_queries": 5,
        "num_register_tokens": 2,
        "num_upscale_blocks": 1,
        "num_labels": 3,
    }
    return lambda: getattr(hf, f"{name}ForUniversalSegmentation")(
        getattr(hf, f"{name}Config")(**(SIZES | more))
    )


FAMILIES = {
    "vit": Tiny(_vision("ViT")),
    "deit": Tiny(_vision("DeiT"), n_prefix=2),
    "vit_msn": Tiny(_vision("ViTMSN")),
    "ijepa": Tiny(_vision("IJepa"), n_prefix=0, has_cls=False),
    "dinov2": Tiny(_vision("Dinov2")),
    "dinov2_with_registers": Tiny(_vision("Dinov2WithRegisters", num_register_tokens=4), n_prefix=5),
    "dinov3_vit": Tiny(_vision("DINOv3ViT", num_register_tokens=4), n_prefix=5),
    "clip": Tiny(_towers("CLIP"), final_norm=False),
    "metaclip_2": Tiny(_towers("MetaClip2"), final_norm=False),
    "chinese_clip": Tiny(_towers("ChineseCLIP"), final_norm=False),
    "mlcd": Tiny(lambda: hf.MLCDVisionModel(hf.MLCDVisionConfig(**SIZES)), final_norm=False),
    "siglip": Tiny(_towers("Siglip"), n_prefix=0, has_cls=False),
    "siglip_vision_model": Tiny(_vision("SiglipVision"), n_prefix=0, has_cls=False),
    "siglip2": Tiny(
        lambda: hf.Siglip2VisionModel(
            hf.Siglip2VisionConfig(**{k: v for k, v in SIZES.items() if k != "image_size"}, num_patches=16)
        ),
        _naflex,
        n_prefix=0,
        has_cls=False,
    ),
    "aimv2": Tiny(_vision("Aimv2Vision"), n_prefix=0, has_cls=False, grids=((4, 4),)),
    "aimv2_native": Tiny(_vision("Aimv2Vision", is_native=True), n_prefix=0, has_cls=False),
    "beit": Tiny(_vision("Beit", use_mean_pooling=False, use_relative_position_bias=True)),
    "beit_mean": Tiny(_vision("Beit", use_absolute_position_embeddings=True), has_norm=False),
    "data2vec-vision": Tiny(
        _vision("Data2VecVision", use_mean_pooling=False, use_relative_position_bias=True)
    ),
    "internvl_vision": Tiny(
        lambda: hf.InternVLVisionModel(
            hf.InternVLVisionConfig(**(SIZES | {"image_size": [32, 32], "patch_size": [PATCH, PATCH]}))
        ),
        has_norm=False,
    ),
    "tipsv2_vision_model": Tiny(_vision("Tipsv2Vision"), n_prefix=2),
    "radio": Tiny(
        _vision("Radio", max_img_size=64, num_cls_tokens=2, num_registers=3, summary_idxs=[0, 1]),
        _radio,
        n_prefix=5,
        has_norm=False,
    ),
    "dpt": Tiny(_vision("DPT", backbone_out_indices=[0, 1, 2, 2], is_hybrid=False)),
    "depth_anything": Tiny(_depth_anything, lambda model, pixels: model.backbone(pixels).feature_maps[-1]),
    "vit_mae": Tiny(_vision("ViTMAE"), _mae),
    "vjepa2": Tiny(
        lambda: hf.VJEPA2Model(
            hf.VJEPA2Config(
                hidden_size=32,
                num_hidden_layers=3,
                num_attention_heads=2,
                patch_size=PATCH,
                crop_size=32,
                frames_per_clip=4,
                pred_hidden_size=16,
                pred_num_attention_heads=2,
                pred_num_hidden_layers=1,
            )
        ),
        lambda model, pixels: model.get_vision_features(pixels[:, None]),
        n_prefix=0,
        has_cls=False,
        grids=((4, 4),),
    ),
    "sam": Tiny(
        lambda: hf.SamVisionModel(
            hf.SamVisionConfig(
                hidden_size=32,
                num_hidden_layers=3,
                num_attention_heads=2,
                image_size=32,
                patch_size=PATCH,
                mlp_dim=64,
                output_channels=8,
                window_size=3,
                global_attn_indexes=[1],
            )
        ),
        _sam,
        n_prefix=0,
        has_cls=False,
        has_norm=False,
        grids=((4, 4),),
    ),
    "vitpose": Tiny(
        _vitpose,
        lambda model, pixels: model.backbone(pixels).feature_maps[-1],
        n_prefix=0,
        has_cls=False,
        grids=((4, 6),),
        patch=16,
    ),
    "eomt": Tiny(
        _eomt("Eomt"),
        lambda model, pixels: model(pixels).last_hidden_state[:, 5:],
        n_prefix=3,
        grids=((4, 4),),
    ),
    "eomt_dinov3": Tiny(
        _eomt("EomtDinov3"),
        lambda model, pixels: model(pixels).last_hidden_state[:, 5:],
        n_prefix=3,
        grids=((4, 4),),
    ),
    "convnext": Tiny(
        lambda: hf.ConvNextModel(hf.ConvNextConfig(hidden_sizes=[8, 8, 16, 32], depths=[1, 1, 2, 1])),
        lambda model, pixels: model(pixels).last_hidden_state.permute(0, 2, 3, 1),
        n_prefix=0,
        has_cls=False,
        final_norm=False,
        patch=32,
    ),
    "convnextv2": Tiny(
        lambda: hf.ConvNextV2Model(hf.ConvNextV2Config(hidden_sizes=[8, 8, 16, 32], depths=[1, 1, 2, 1])),
        lambda model, pixels: model(pixels).last_hidden_state.permute(0, 2, 3, 1),
        n_prefix=0,
        has_cls=False,
        final_norm=False,
        patch=32,
    ),
    "swin": Tiny(
        lambda: hf.SwinModel(
            hf.SwinConfig(
                embed_dim=8, depths=[2, 2, 2, 2], num_heads=[1, 1, 2, 2], window_size=3, image_size=128
            )
        ),
        lambda model, pixels: model(pixels).last_hidden_state,
        n_prefix=0,
        has_cls=False,
        patch=32,
    ),
    "swinv2": Tiny(
        lambda: hf.Swinv2Model(
            hf.Swinv2Config(
                embed_dim=8, depths=[2, 2, 2, 2], num_heads=[1, 1, 2, 2], window_size=4, image_size=128
            )
        ),
        lambda model, pixels: model(pixels).last_hidden_state,
        n_prefix=0,
        has_cls=False,
        patch=32,
    ),
    "hiera": Tiny(
        lambda: hf.HieraModel(
            hf.HieraConfig(embed_dim=8, depths=[1, 2, 2, 1], num_heads=[1, 1, 2, 2], image_size=[128, 128])
        ),
        lambda model, pixels: model(pixels, output_hidden_states=True).reshaped_hidden_states[-1],
        n_prefix=0,
        has_cls=False,
        final_norm=False,
        grids=((4, 4),),
        patch=32,
    ),
}


def tiny(name: str) -> nn.Module:
    """That network: the same weights at every call."""
    torch.manual_seed(0)
    return _spread(FAMILIES[name].build)().eval()

"""dino.txt: DINOv3 ViT-L with the vision head that Meta trained against words, from their own files."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones.checkpoints.checkpoint import read_weights
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.families.dinotxt_files import (
    HEAD_FILE,
    NAME,
    VISION,
    depth_of,
    file_at,
    misfit,
    parted,
    spelled_as,
    under,
)
from dinoscope.backbones.networks import final_norm as norm_of
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers

_OF_HEAD = (
    ("attn.proj.", "attention.o_proj."),
    ("ls1.gamma", "layer_scale1.lambda1"),
    ("ls2.gamma", "layer_scale2.lambda1"),
    ("mlp.w1.", "mlp.gate_proj."),
    ("mlp.w2.", "mlp.up_proj."),
    ("mlp.w3.", "mlp.down_proj."),
)
"""What Meta's file and transformers call the same tensors: blocks over all tokens, without rotary positions.
Source: facebookresearch/dinov3@6876159, dinov3/eval/text/vision_tower.py and dinov3/hub/dinotxt.py.
"""


@dataclass(frozen=True, slots=True, eq=False)
class DinoTxt:
    """DINOv3 with dino.txt's vision head behind it; keeps the contract of ``backbones.base.Backbone``.

    Its last two layers are the head's blocks, whose patches after the head's norm were trained against words;
    the layers before are the vision backbone's, after its own norm.

    Attributes:
        inner: the vision backbone.
        head: its blocks, and a norm behind them.
        spec, origin: of both together.
    """

    inner: DinoBackbone
    head: nn.ModuleList
    spec: BackboneSpec
    origin: WeightsOrigin

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.inner.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and arithmetic."""
        return self.inner.dtype

    @property
    def blocks(self) -> list[nn.Module]:
        """Those of the vision backbone, and the head's."""
        return [*self.inner.blocks, *self.head[:-1]]

    @property
    def model(self) -> nn.Module:
        """The network of the vision backbone."""
        return self.inner.model

    def forward(
        self,
        pixels: Float[Tensor, "b 3 H W"],
        layers: tuple[int, ...] | None = None,
        *,
        final_norm: bool = True,
    ) -> LayerOutputs:
        """See ``backbones.base.Backbone.forward``."""
        layers = check_layers(layers, self.spec.depth)
        last = self.inner.spec.depth - 1
        below = tuple(sorted({last, *(layer for layer in layers if layer < last)}))
        found = self.inner.forward(pixels, below, final_norm=final_norm)
        parts = (found.patches, found.cls, found.registers)
        patches, cls, registers = ({k: part[k] for k in layers if k <= last} for part in parts)
        b, h, w, dim = found.patches[last].shape
        prefix = 1 + self.spec.registers
        with torch.inference_mode():
            tokens = torch.cat(
                [found.cls[last][:, None], found.registers[last], found.patches[last].flatten(1, 2)], dim=1
            ).to(self.dtype)
            tokens = tokens if final_norm else norm_of(self.inner.model)(tokens)
            unturned = tokens.new_ones(h * w, dim // self.spec.heads)
            for layer, block in enumerate(self.head[:-1], last + 1):
                tokens = block(tokens, position_embeddings=(unturned, torch.zeros_like(unturned)))
                if layer in layers:
                    out = self.head[-1](tokens) if final_norm else tokens
                    patches[layer] = out[:, prefix:].reshape(b, h, w, dim)
                    cls[layer], registers[layer] = out[:, 0], out[:, 1:prefix]
        patches, cls, registers = (
            {layer: part[layer].to(torch.float32, copy=True) for layer in layers}
            for part in (patches, cls, registers)
        )
        return LayerOutputs(patches, cls, registers, final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DinoTxt:
        """This backbone on another device or in another dtype; as that of the backbone inside."""
        inner = self.inner.to(device, dtype)
        head = self.head if inner is self.inner else copy.deepcopy(self.head).to(inner.device, inner.dtype)
        return replace(self, inner=inner, head=head)


def with_head(vision: DinoBackbone, rest: str) -> DinoTxt:
    """The vision backbone with the head that lies in the folder.

    Raises:
        WeightsError: the file is not there, or does not fit; with what to do.
    """
    from transformers import DINOv3ViTConfig
    from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTLayer

    loaded = read_weights(file_at(rest, HEAD_FILE))
    state = under(loaded.tensors, "visual_model.head.")
    depth = depth_of(state)
    spelled: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith("ln_final."):
            spelled[f"{depth}.{name.removeprefix('ln_final.')}"] = value
        else:
            spelled |= parted(spelled_as(name, _OF_HEAD).removeprefix("blocks."), value, "attn", "attention")
    try:
        settings: dict[str, Any] = {
            "hidden_size": vision.spec.dim,
            "intermediate_size": state["blocks.0.mlp.w1.weight"].shape[0],
            "num_attention_heads": vision.spec.heads,
            "num_hidden_layers": depth,
            "use_gated_mlp": True,
            "hidden_act": "silu",
            "query_bias": False,
            "value_bias": False,
            "key_bias": False,
            "layer_norm_eps": 1e-5,
            "attn_implementation": "sdpa",
        }
        config = DINOv3ViTConfig(**settings)
        head = nn.ModuleList([DINOv3ViTLayer(config) for _ in range(depth)] + [nn.LayerNorm(vision.spec.dim)])
        head.load_state_dict(spelled)
    except (KeyError, RuntimeError) as error:
        raise misfit(loaded.source, error) from error
    digest = hashlib.sha256(f"{vision.origin.digest} {loaded.digest}".encode()).hexdigest()
    promised = HEAD_FILE.rpartition("-")[2].removesuffix(".pth")
    renamed = () if loaded.digest.startswith(promised) else (f"its sha256 does not begin with {promised}",)
    return DinoTxt(
        vision,
        head.eval().requires_grad_(False).to(vision.device, vision.dtype),
        replace(
            vision.spec,
            name=f"{NAME}:{rest}" if rest else NAME,
            depth=vision.spec.depth + depth,
            description=f"{VISION} with dino.txt's vision head, whose patches were trained against words",
        ),
        replace(vision.origin, digest=digest, notes=(*vision.origin.notes, f"head: {HEAD_FILE}", *renamed)),
    )

"""The networks: a DINOv3 vision transformer with two projection heads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from dinoscope.anchoring.config import Network
from dinoscope.anchoring.forward import Block, Chosen, Tokens, every_token, folded, some_tokens
from dinoscope.atomic import work_folder
from dinoscope.backbones.quiet import quietly
from dinoscope.errors import InputError


class Head(nn.Module):
    """Three linear layers, then cosines with the prototypes scaled by their lengths.

    Source: DINO (arXiv 2104.14294), appendix C; prototypes without weight normalisation as in
    facebookresearch/dinov3@6876159 `dinov3/layers/dino_head.py`.
    """

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(network.dim, network.head_hidden),
            nn.GELU(),
            nn.Linear(network.head_hidden, network.head_hidden),
            nn.GELU(),
            nn.Linear(network.head_hidden, network.head_bottleneck),
        )
        self.prototypes = nn.Linear(network.head_bottleneck, network.prototypes, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def directions(self, tokens: Float[Tensor, "*rows dim"]) -> Float[Tensor, "*rows bottleneck"]:
        """What has unit length and is compared with prototypes."""
        return F.normalize(self.mlp(tokens), dim=-1, eps=1e-6)

    def forward(self, tokens: Float[Tensor, "rows dim"]) -> Float[Tensor, "rows prototypes"]:
        logits: Tensor = self.prototypes(self.directions(tokens))
        return logits


class Distilled(nn.Module):
    """A backbone with the DINO head (class tokens) and the iBOT head (patches)."""

    def __init__(self, network: Network, *, image_px: int, compiled: bool = False) -> None:
        super().__init__()
        self.backbone: Any = build_backbone(network, image_px=image_px)
        self.dino_head = Head(network)
        self.ibot_head = Head(network)
        self.compiled = compiled

    def forward(
        self,
        pixels: Float[Tensor, "b 3 H W"],
        masks: Bool[Tensor, "b n"] | None = None,
        blocks: Sequence[Block] | None = None,
    ) -> Tokens:
        """Tokens of normalised pixels; masked patches are replaced by the mask token.

        In training mode the positions are augmented as the settings say; in evaluation mode never. Several
        passes with the same weights take the same ``blocks``.
        """
        return every_token(self.backbone, pixels, masks, blocks=blocks, compiled=self.compiled)

    def blocks(self) -> list[Block]:
        """The backbone's, folded, as it is now."""
        return folded(self.backbone)

    def some(
        self,
        pixels: Float[Tensor, "b 3 H W"],
        wanted: Bool[Tensor, "b n"] | None,
        masks: Bool[Tensor, "b n"] | None = None,
        blocks: Sequence[Block] | None = None,
    ) -> Chosen:
        """Class tokens and the patches that are ``wanted``, in less time; else as `forward`."""
        return some_tokens(self.backbone, pixels, wanted, masks, blocks=blocks, compiled=self.compiled)


def build_backbone(network: Network, *, image_px: int) -> Any:
    """A ``transformers`` DINOv3ViTModel with fresh weights from the global random state.

    Args:
        network: its shape.
        image_px: written into its configuration; any whole number of patches works.
    """
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    shape: dict[str, Any] = {
        "patch_size": network.patch_size,
        "hidden_size": network.dim,
        "intermediate_size": network.hidden,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.heads,
        "num_register_tokens": network.registers,
        "rope_theta": network.rope_base,
        "image_size": image_px,
        "layerscale_value": network.layer_scale,
        "pos_embed_rescale": network.rope_rescale,
        "pos_embed_jitter": network.rope_jitter,
        "pos_embed_shift": network.rope_shift,
    }
    return DINOv3ViTModel(DINOv3ViTConfig(**shape))


def frozen(module: nn.Module) -> nn.Module:
    """A module put into evaluation mode, without gradients."""
    return module.requires_grad_(False).eval()


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, keep: float) -> None:
    """Move every weight of the teacher towards the student's: ``keep * old + (1 - keep) * new``."""
    get_ema_multi_avg_fn(keep)(list(teacher.parameters()), list(student.parameters()), None)


def write_backbone(backbone: Any, folder: Path) -> None:
    """Export as a Hugging Face folder (config.json, model.safetensors): there whole or not at all.

    Raises:
        OSError: it cannot be written.
    """
    with work_folder(folder.parent) as temporary:
        temporary.chmod(0o755)
        try:
            with quietly():
                backbone.save_pretrained(temporary)
        except SafetensorError as error:  # what a full disk is to the library that writes the weights
            raise OSError(f"{str(folder)!r} cannot be written: {error}") from error
        if folder.exists():
            shutil.rmtree(folder)
        temporary.replace(folder)


def read_backbone(folder: str | Path, network: Network) -> nn.Module:
    """A frozen backbone from a folder that `write_backbone` wrote.

    Raises:
        InputError: no such folder, or a network of another shape.
    """
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise InputError(f"{str(folder)!r} is not an exported network: it has no config.json")
    found: Any = DINOv3ViTConfig.from_pretrained(folder)
    wanted = {
        "hidden_size": network.dim,
        "num_hidden_layers": network.depth,
        "num_attention_heads": network.heads,
        "patch_size": network.patch_size,
        "num_register_tokens": network.registers,
        "intermediate_size": network.hidden,
    }
    wrong = [f"{k} {getattr(found, k)} (wanted {v})" for k, v in wanted.items() if getattr(found, k) != v]
    if wrong:
        raise InputError(f"{str(folder)!r} is a network of another shape: {', '.join(wrong)}")
    try:
        with quietly():
            backbone: Any = DINOv3ViTModel.from_pretrained(folder)
    except OSError as error:
        raise InputError(f"{str(folder)!r} cannot be read: {error}") from error
    return frozen(backbone)

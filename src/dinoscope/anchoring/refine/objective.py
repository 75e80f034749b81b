"""The loss of a refinement: without heads, the unchanged model is all there is to learn from."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from dinoscope.anchoring.batches import Batch
from dinoscope.anchoring.refine.settings import Arm, Refinement
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.controls import Blurred
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD, BackboneSpec
from dinoscope.training.anchor import GramAnchor
from dinoscope.training.tokens import tokens_of


class Objective:
    """Gram matrix, class tokens and patches of a student held to those of the unchanged model.

    The student's crops are distorted in colour; what it is held to is made of the same crops as they are.

    Args:
        before: the unchanged model; frozen.
        arm: what the Gram matrix is held to.
        settings: weights.
    """

    def __init__(self, before: Backbone, arm: Arm, settings: Refinement) -> None:
        self._before, self._settings, self._spec = before, settings, before.spec
        teacher: Any = Blurred(before) if arm.blurred else before
        self._gram = None if arm.scale == 0 else GramAnchor(teacher, settings.weight, arm.scale, ramp=0)

    def losses(self, network: nn.Module, batch: Batch, step: int) -> dict[str, Float[Tensor, ""]]:
        """What is summed, by name, already weighted."""
        if batch.clean_crops is None:
            raise ValueError("crops were cut without clean ones")
        clean, seen = (restated(crops, self._spec) for crops in (batch.clean_crops, batch.global_crops))
        student = tokens_of(network, seen)
        with torch.no_grad():
            side = seen.shape[2:]
            small = nn.functional.interpolate(clean, size=side, mode="bicubic", antialias=True)
            held = tokens_of(self._before, small)
        found = {"features": self._settings.features * _apart(student.patches, held.patches)}
        if student.cls is not None and held.cls is not None:
            found["cls"] = self._settings.cls * _apart(student.cls, held.cls)
        if self._gram is not None:
            found["gram"] = self._gram(student.patches, clean, step=step)
        return found


def restated(crops: Float[Tensor, "b 3 H W"], spec: BackboneSpec) -> Float[Tensor, "b 3 H W"]:
    """Crops that were normalised with ImageNet's statistics, normalised with a model's own."""
    mean, std, own_mean, own_std = (
        torch.tensor(triple, device=crops.device).view(3, 1, 1)
        for triple in (IMAGENET_MEAN, IMAGENET_STD, spec.mean, spec.std)
    )
    return (crops * std + mean - own_mean) / own_std


def _apart(values: Tensor, held: Tensor) -> Float[Tensor, ""]:
    return 1.0 - cosine_similarity(values, held, dim=-1).mean()

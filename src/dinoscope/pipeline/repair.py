"""Which neurons make a model's high-norm tokens, and what is the model like when they write elsewhere?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.load import as_backbone
from dinoscope.backbones.registers import (
    Neurons,
    RepairedBackbone,
    activations,
    as_repairable,
    hidden_layer,
)
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.maths.norms import norm_map, norm_outliers
from dinoscope.pipeline.extract import extracted
from dinoscope.pipeline.photographs import ImageLike, each_image, load_photograph
from dinoscope.pipeline.run import Run

N_NEURONS = 50
"""As many as the source takes for its larger models."""

N_PHOTOGRAPHS = 4
"""The first ones of a page or a report, which the neurons are chosen on."""


@dataclass(frozen=True, slots=True, eq=False)
class Repair:
    """A model with a test-time register, and what that did.

    Attributes:
        backbone: repaired; the model itself where it has no high-norm tokens.
        neurons: by layer; empty where nothing was repaired.
        before, after: share of high-norm patches on the photographs, before the final normalisation, in
            [0, 1], both by the threshold that the model sets itself before the repair.
        threshold: that norm.
        norms_before, norms_after: of every patch, one map a photograph; the same where nothing was repaired.
    """

    backbone: Backbone
    neurons: Neurons
    before: float
    after: float
    threshold: float
    norms_before: tuple[Float[np.ndarray, "h w"], ...]
    norms_after: tuple[Float[np.ndarray, "h w"], ...]

    @property
    def words(self) -> str:
        """The threshold, and the shares of patches above it."""
        if not self.neurons:
            return f"none above {self.threshold:.3g}, nothing to repair"
        return f"above {self.threshold:.3g}: {self.before:.2%}, repaired {self.after:.2%}"


def repair(
    backbone: Backbone | str,
    images: ImageLike | Iterable[ImageLike],
    *,
    grid: int | tuple[int, int] = 32,
    n_neurons: int = N_NEURONS,
    resize: str = "bilinear",
) -> Repair:
    """Move high-norm tokens out of the patches, without any training.

    On some photographs the high-norm patches are found (`dinoscope.maths.norms.norm_outliers`, last layer,
    no final normalisation), then the neurons that write most more there than elsewhere, in the layers up to
    the one in which those norms first stand out. They are given a register to write to.

    Source: Jiang et al., Vision transformers don't need trained registers (arXiv 2506.08010), algorithm 1,
    which ranks neurons by their activation; here by that times the length of what they write, since the
    scales of layers differ.

    Args:
        backbone: a DINOv2 or DINOv3 ViT, or its name.
        images: a few photographs, of the kind that it will see.
        grid: patches on the short side, or the exact ``(h, w)``.
        n_neurons: over all layers.
        resize: as for `extract`.

    Returns:
        The repaired model, a backbone like any other: compare it with the one it was made of. A model without
        high-norm patches on these photographs comes back as it is.

    Raises:
        BackboneError: no DINO ViT.
        InputError: no photographs, or fewer than one neuron.
    """
    model = as_repairable(as_backbone(backbone))
    if n_neurons < 1:
        raise InputError(f"n_neurons must be at least 1, got {n_neurons}")
    photographs = [load_photograph(image) for image in each_image(images)]
    if not photographs:
        raise InputError("a repair needs at least one photograph")
    depth = model.spec.depth
    run = Run(grid=grid, layers=tuple(range(depth)), final_norm=False, batch_size=1, resize=resize)
    maps: list[list[PatchFeatures]] = []
    hidden: list[list[Float64[np.ndarray, "n hidden"]]] = []
    first = 1 + model.spec.registers
    with activations(model) as caught:
        for photograph in photographs:
            maps.append(list(extracted([photograph], model, run)))
            hidden.append([caught[k][0, first:].double().numpy() for k in range(depth)])
    found = norm_outliers([by_layer[-1] for by_layer in maps])
    before = tuple(norm_map(by_layer[-1]) for by_layer in maps)
    if not found.share:
        return Repair(model, {}, 0.0, 0.0, found.threshold, before, before)
    masks = [mask.ravel() for mask in found.masks]
    last = _first_layer(maps, masks)
    neurons = _neurons(model, hidden, masks, last, n_neurons)
    repaired = RepairedBackbone(model, neurons)
    again = replace(run, layers=(depth - 1,))
    after = tuple(norm_map(f) for f in extracted(photographs, repaired, again))
    left = float((np.concatenate([norms.ravel() for norms in after]) > found.threshold).mean())
    return Repair(repaired, neurons, found.share, left, found.threshold, before, after)


def _first_layer(maps: list[list[PatchFeatures]], masks: list[np.ndarray]) -> int:
    """The first layer in which those patches exceed the median norm by half of what they do in the last."""
    where = np.concatenate(masks)
    excess = []
    for layer in range(len(maps[0])):
        norms = np.concatenate([norm_map(by_layer[layer]).ravel() for by_layer in maps])
        excess.append(float(norms[where].mean() / np.median(norms)) - 1.0)
    return next(layer for layer, value in enumerate(excess) if value >= 0.5 * excess[-1])


def _neurons(
    model: DinoBackbone, hidden: list[list[np.ndarray]], masks: list[np.ndarray], last: int, n_neurons: int
) -> dict[int, tuple[int, ...]]:
    """Those that write most more to the masked patches than to the others, in layers up to ``last``."""
    places = []
    for layer in range(last + 1):
        there = np.concatenate([by_layer[layer][m] for by_layer, m in zip(hidden, masks, strict=True)])
        others = np.concatenate([by_layer[layer][~m] for by_layer, m in zip(hidden, masks, strict=True)])
        written = hidden_layer(model.blocks[layer]).weight.detach().double().norm(dim=0).numpy()
        gain = (there.mean(axis=0) - others.mean(axis=0)) * written
        places += [(float(v), layer, k) for k, v in enumerate(gain)]
    chosen = sorted(places, reverse=True)[:n_neurons]
    return {
        layer: tuple(sorted(k for _, at, k in chosen if at == layer))
        for layer in sorted({at for _, at, _ in chosen})
    }

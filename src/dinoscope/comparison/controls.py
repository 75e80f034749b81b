"""Features that know nothing of objects, run beside the models so that every number has its floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.catalog import is_known
from dinoscope.backbones.controls import blur
from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.references import FINER, parted_ways
from dinoscope.data.features import PatchFeatures

MOVED = frozenset({"places", "reference"})
"""What is not as for the first model's features where they are shuffled: some of `metrics.facts.SIGHTS`."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What runs beside the models, and what is derived from the first model's features.

    Attributes:
        backbones: ``pixels`` and ``random:`` of the first model's architecture, as far as they are not
            among the models and the architecture is in the catalog.
        labels: of the backbones, then ``blur:`` and ``shuffled:`` of the first model.
        other: label of the first model's features of other photographs; see `comparison.others`.
        seed: of random weights, of the shuffling and of the other photographs.
    """

    backbones: tuple[Backbone, ...]
    labels: tuple[str, ...]
    other: str
    seed: int


def plan_controls(models: Sequence[Backbone], *, seed: int = 0) -> Controls:
    """The controls of a measurement."""
    first, taken = models[0], {model.spec.name for model in models}
    ways, name = parted_ways(first.spec.name)
    # On the first model's grid; colour has no facets.
    wanted = ["".join(f"{way}:" for way in ways if way.startswith(FINER)) + "pixels"]
    if is_known(name):
        wanted.append("".join(f"{way}:" for way in ways) + f"random:{name}")
    backbones = tuple(
        load_backbone(name, device=first.device, dtype=first.dtype, seed=seed)
        for name in wanted
        if name not in taken
    )
    derived = [label for label in (f"blur:{first.spec.name}",) if label not in taken]
    labels = (*(b.spec.name for b in backbones), *derived, f"shuffled:{first.spec.name}")
    return Controls(backbones, labels, f"other:{first.spec.name}", seed)


def with_controls(controls: Controls, extracted: Sequence[PatchFeatures]) -> tuple[PatchFeatures, ...]:
    """One photograph's features by the models, then by the controls in the order of their labels.

    Args:
        extracted: by the models and then by ``controls.backbones``.
    """
    first = extracted[0]
    derived = [blurred(first)] if any(label.startswith("blur:") for label in controls.labels) else []
    return (*extracted, *derived, shuffled(first, seed=controls.seed))


def blurred(features: PatchFeatures) -> PatchFeatures:
    """The map averaged over the grid as by ``blur:NAME``; tokens stay."""
    values = blur(torch.from_numpy(np.array(features.values))[None])[0].numpy()
    name = f"blur:{features.provenance.backbone}"
    return replace(features, values=values, provenance=replace(features.provenance, backbone=name))


def shuffled(features: PatchFeatures, *, seed: int = 0) -> PatchFeatures:
    """A map's patches in places drawn by the seed and the photograph's digest: no space, same statistics."""
    digest = features.provenance.image_digest
    rng = np.random.default_rng([seed, int(digest[:8] or "0", 16)])
    flat = features.values.reshape(-1, features.dim)
    values = flat[rng.permutation(len(flat))].reshape(features.values.shape)
    name = f"shuffled:{features.provenance.backbone}"
    return replace(features, values=values, provenance=replace(features.provenance, backbone=name))

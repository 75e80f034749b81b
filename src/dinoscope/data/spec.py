"""What a backbone is, and where its weights came from: facts, no tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dinoscope.data.grid import whole_number
from dinoscope.errors import InputError, LayerError
from dinoscope.names import well_formed

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

CONVOLUTIONAL = frozenset({"dinov3-convnext", "hf-convnext"})
"""Families whose patches see a window of the photograph; those of every other family see all of it."""

STAGED = CONVOLUTIONAL | {"hf-stages"}

Statistics = Literal["published", "stated", "assumed", "contradicted"]
"""Where a model's mean and std come from: its authors; the folder of its weights; nowhere; its authors,
though the folder of its weights states others."""

Kind = Literal["", "control", "toy"]
"""What has to stand beside a model's name wherever it is shown; empty for most."""

KIND_WORDS: Mapping[str, str] = {"": "", "control": "control, not a trained model", "toy": "toy model"}


def kind_flags(kind: Kind) -> dict[str, bool]:
    """What a file of results says of a model's kind."""
    return {"control": kind == "control", "toy": kind == "toy"}


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """The facts of a backbone that its users need.

    Attributes:
        name: as in the catalog, or as the user named it.
        family: ``dinov2``, ``dinov3``, ``dinov3-convnext``, ``control``, ``timm``, ``hf``, ``hf-convnext``,
            ``hf-stages`` or ``py``.
        patch_size: pixels of the input on a side of one patch of the last layer.
        dim: channels of the last layer.
        depth: how many layers there are; they are numbered from 0. A ConvNeXt's are its stages.
        heads: attention heads; 0 where there is no attention.
        registers: register tokens.
        mean: of each colour channel, on inputs in [0, 1], subtracted before the model.
        std: likewise, divided by.
        licence: of the weights (SPDX where there is one).
        control: true for anything that is not a trained model.
        toy: true for a model that comes with the package, to show how things work and not how well.
        description: one sentence for people.
        final_norm: whether it has a final normalisation of its patches.
        finer: how many overlapping places its maps have for each patch, along each side.
        facet: what of a layer its features are: ``token``, or a part of its attention.
    """

    name: str
    family: str
    patch_size: int
    dim: int
    depth: int
    heads: int
    registers: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    licence: str = "unknown"
    control: bool = False
    toy: bool = False
    description: str = ""
    final_norm: bool = True
    finer: int = 1
    facet: str = "token"

    @property
    def kind(self) -> Kind:
        """What has to stand beside its name wherever it is shown."""
        return "control" if self.control else "toy" if self.toy else ""

    @property
    def staged(self) -> bool:
        """Whether its layers are stages, each with channels and a grid of its own."""
        return self.family in STAGED

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", well_formed(self.name))
        object.__setattr__(self, "description", well_formed(self.description))


@dataclass(frozen=True, slots=True)
class WeightsOrigin:
    """Where a backbone's weights came from.

    Attributes:
        source: a path, ``hub:ORG/NAME@REVISION``, or what the control computes.
        digest: sha256 of the weights file(s), hexadecimal; empty for a control without weights.
        layout: ``official``, ``timm``, ``huggingface`` or ``none``.
        notes: what a reader must know: assumed normalisation, ignored training-only keys, ...
        statistics: where mean and std come from.
        projection: what was taken out of the patches, and the digest of those directions; empty for nothing.
        register: the neurons that a test-time register takes, in words; empty without one.
    """

    source: str
    digest: str = ""
    layout: str = "none"
    notes: tuple[str, ...] = ()
    statistics: Statistics = "published"
    projection: str = ""
    register: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", well_formed(self.source))
        object.__setattr__(self, "notes", tuple(well_formed(note) for note in self.notes))


def last(k: int, depth: int) -> tuple[int, ...]:
    """The last ``k`` of ``depth`` layers.

    >>> last(2, 12)
    (10, 11)
    """
    if not 1 <= k <= depth:
        raise InputError(f"cannot take the last {k} of {depth} layers")
    return tuple(range(depth - k, depth))


def evenly(k: int, depth: int) -> tuple[int, ...]:
    """``k`` layers spread evenly over ``depth``, the last one always among them.

    >>> evenly(4, 12)
    (2, 5, 8, 11)
    """
    if not 1 <= k <= depth:
        raise InputError(f"cannot spread {k} layers over {depth}")
    return tuple((i + 1) * depth // k - 1 for i in range(k))


def check_layers(layers: tuple[int, ...] | None, depth: int, backbone: str = "") -> tuple[int, ...]:
    """Layers as asked for, or the last one; each absolute, known and named once.

    Args:
        layers: None for the last.
        depth: how many there are.
        backbone: its name, for the error.

    Raises:
        LayerError: a layer below 0 or not below ``depth``.
        InputError: none, the same one twice, or what is no whole number.
    """
    if layers is None:
        return (depth - 1,)
    if not isinstance(layers, tuple | list):
        raise InputError(f"layers are a tuple of whole numbers, got {str(layers)[:80]!r}")
    layers = tuple(whole_number(layer, "a layer") for layer in layers)
    for layer in layers:
        if not 0 <= layer < depth:
            raise LayerError(layer, depth, backbone)
    if not layers or len(set(layers)) != len(layers):
        raise InputError(f"layers must be named once each, got {layers}")
    return layers

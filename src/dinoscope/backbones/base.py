"""The contract every backbone keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dinoscope.data.kinds import check_kind
from dinoscope.data.spec import BackboneSpec, WeightsOrigin

if TYPE_CHECKING:  # whoever only hands a backbone on needs no torch, which takes seconds to import
    import torch

    from dinoscope.data.layers import Batch, LayerOutputs, Layers


@runtime_checkable
class Backbone(Protocol):
    """A frozen model that turns normalised pixels into patch features."""

    @property
    def spec(self) -> BackboneSpec: ...

    @property
    def origin(self) -> WeightsOrigin: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """Tokens of a batch, in float32 on the backbone's device.

        Args:
            pixels: normalised with ``spec.mean`` and ``spec.std``; ``H`` and ``W`` whole
                multiples of ``spec.patch_size``. Moved and cast to the backbone's device and dtype.
            layers: absolute 0-based block numbers; None for the last block.
            final_norm: apply the backbone's final normalisation, to earlier blocks too.

        Raises:
            ShapeError: not ``b 3 H W``, or not a whole number of patches.
            LayerError: a layer the backbone does not have.
        """
        ...

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        """This backbone on another device or in another dtype; the old one stays usable where it was
        only if the device is the same.
        """
        ...


def check_backbone(backbone: object) -> None:
    """Raises: InputError: it is none."""
    check_kind(backbone, Backbone, "ds.load_backbone gives one")

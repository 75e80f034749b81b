"""A backbone without the part of its patch features that lies in a given subspace."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float64

from dinoscope.backbones.wrapped import Way
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin


@dataclass(frozen=True, slots=True, eq=False)
class Projected(Way):
    """``x (I - BᵀB)`` of every patch; class and register tokens stay as they are. Nothing is renormalised.

    Attributes:
        inner: the backbone.
        basis: orthonormal rows, of the features as they are compared (after the final norm).
        what: what the subspace holds, for the label: ``NAME minus WHAT``.
    """

    basis: Float64[np.ndarray, "n dim"]
    what: str

    @property
    def spec(self) -> BackboneSpec:
        """The inner backbone's facts under a label that says what was taken away."""
        return replace(self.inner.spec, name=f"{self.inner.spec.name} minus {self.what}")

    @property
    def origin(self) -> WeightsOrigin:
        """The inner backbone's weights, with the projection and a note about it."""
        inner = self.inner.origin
        digest = hashlib.sha256(np.ascontiguousarray(self.basis).tobytes()).hexdigest()
        return replace(
            inner,
            notes=(*inner.notes, f"patches projected off {self.what}"),
            projection=" ".join(filter(None, (inner.projection, f"{self.what} {digest[:12]}"))),
        )

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`."""
        outputs = self.inner.forward(pixels, layers, final_norm=final_norm)
        patches = {}
        for layer, values in outputs.patches.items():
            basis = torch.from_numpy(np.array(self.basis)).to(values)
            patches[layer] = values - (values @ basis.T) @ basis
        return replace(outputs, patches=patches)

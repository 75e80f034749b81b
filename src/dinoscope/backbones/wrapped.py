"""What a backbone that runs another one has of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.data.spec import BackboneSpec, WeightsOrigin


class Wrapped:
    """The facts of the backbone inside, but for those that a subclass changes.

    Attributes:
        inner: the backbone.
    """

    __slots__ = ()
    inner: Backbone

    @property
    def spec(self) -> BackboneSpec:
        """The inner backbone's facts."""
        return self.inner.spec

    @property
    def origin(self) -> WeightsOrigin:
        """The inner backbone's weights."""
        return self.inner.origin

    @property
    def device(self) -> torch.device:
        """Where the inner backbone's weights are."""
        return self.inner.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the inner backbone."""
        return self.inner.dtype

    def noted(self, note: str) -> WeightsOrigin:
        """The inner backbone's weights, with a note."""
        return replace(self.inner.origin, notes=(*self.inner.origin.notes, note))


@dataclass(frozen=True, slots=True, eq=False)
class Way(Wrapped):
    """A way of looking at the backbone inside, which alone goes to other devices."""

    inner: Backbone

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        """See `Backbone.to`."""
        return cast(Backbone, replace(self, inner=self.inner.to(device, dtype)))

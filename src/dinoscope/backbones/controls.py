"""Controls: what a measurement says where nothing was learned, or where everything was smoothed away."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.catalog import CONTROLS
from dinoscope.backbones.pixels import check_pixels
from dinoscope.backbones.wrapped import Way, Wrapped
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers

BLUR_SIGMA = 1.0
"""Standard deviation of ``blur:`` in patches."""

ORIENTATIONS = 8
LUMA = (0.299, 0.587, 0.114)
"""Source: ITU-R BT.601, equation of E'_Y."""

_CENTRE = (0.4,) * 3 + (0.07,) * 3 + (0.0035,) * ORIENTATIONS
_SCALE = (0.25,) * 3 + (0.07,) * 3 + (0.006,) * ORIENTATIONS

_PIXELS_SPEC = BackboneSpec(
    name="pixels",
    family="control",
    patch_size=16,
    dim=6 + ORIENTATIONS,
    depth=1,
    heads=0,
    registers=0,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    licence="none",
    control=True,
    description=CONTROLS["pixels"],
)
_PIXELS_ORIGIN = WeightsOrigin(
    source="computed from the pixels: mean and deviation of each channel, gradients by orientation"
)


@dataclass(frozen=True, slots=True)
class Pixels:
    """Colour and local contrast of each patch: no network, no weights, no position.

    Channels, all from the patch's own pixels alone: mean of R, G, B; their standard deviation; mean
    gradient magnitude of the luma in 8 orientations over half a turn (0 is a horizontal gradient),
    each gradient shared linearly between its two nearest orientations. Colours in [0, 1], gradients
    per pixel.

    Its "final norm" takes a fixed centre from each channel and divides by a fixed scale: round
    numbers near the mean and the standard deviation over photographs, the same for every image.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    spec: BackboneSpec = _PIXELS_SPEC
    origin: WeightsOrigin = _PIXELS_ORIGIN

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`. Layer 0 is the only one; the arithmetic is float32 in any dtype."""
        h, w = check_pixels(pixels, self.spec.patch_size)
        (layer,) = check_layers(layers, self.spec.depth)
        cast = pixels.to(self.device, self.dtype).float()
        values = _statistics(cast * 0.5 + 0.5, h, w, self.spec.patch_size)
        if final_norm:
            values = (values - values.new_tensor(_CENTRE)) / values.new_tensor(_SCALE)
        none = values.new_zeros(len(values), 0, self.spec.dim)
        return LayerOutputs({layer: values}, {}, {layer: none}, final_norm=final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Pixels:
        """This control on another device or in another dtype."""
        return replace(self, device=torch.device(device), dtype=dtype or self.dtype)


def _statistics(colours: Tensor, h: int, w: int, side: int) -> Tensor:
    patches = colours.reshape(-1, 3, h, side, w, side).permute(0, 2, 4, 1, 3, 5)
    mean = patches.mean(dim=(4, 5))
    std = patches.var(dim=(4, 5), correction=0).clamp_min(0).sqrt()
    luma = torch.einsum("bhwcij,c->bhwij", patches, patches.new_tensor(LUMA))
    across = (luma[..., 1:-1, 2:] - luma[..., 1:-1, :-2]) / 2
    down = (luma[..., 2:, 1:-1] - luma[..., :-2, 1:-1]) / 2
    strength = torch.hypot(across, down)
    turn = torch.atan2(down, across) * (ORIENTATIONS / torch.pi)
    energies = []
    for orientation in range(ORIENTATIONS):
        apart = torch.remainder(turn - orientation, ORIENTATIONS)
        share = (1 - torch.minimum(apart, ORIENTATIONS - apart)).clamp_min(0)
        energies.append((strength * share).mean(dim=(3, 4)))
    return torch.cat([mean, std, torch.stack(energies, dim=-1)], dim=-1)


@dataclass(frozen=True, slots=True)
class Blurred(Way):
    """A backbone whose feature maps are blurred over the patch grid; class and register tokens are not.

    Each layer's map is averaged with Gaussian weights, standard deviation one patch, over the whole
    grid; at the borders the weights of the patches that exist are scaled to sum to 1, so that a
    constant map stays as it is. Whatever a blurred backbone gains over its own unblurred features
    is smoothness, and nothing else.
    """

    @property
    def spec(self) -> BackboneSpec:
        """The inner backbone's facts, labelled as a control."""
        return blurred_spec(self.inner.spec)

    @property
    def origin(self) -> WeightsOrigin:
        """The inner backbone's weights, with a note about the blur."""
        how = f"a Gaussian of sigma {BLUR_SIGMA:g} patch, normalised at the borders"
        return self.noted(f"feature maps blurred with {how}")

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`."""
        outputs = self.inner.forward(pixels, layers, final_norm=final_norm)
        return replace(outputs, patches={layer: blur(values) for layer, values in outputs.patches.items()})


def is_blurred(backbone: Backbone) -> bool:
    """Whether a backbone's maps are blurred, whatever wraps it."""
    inner: object = backbone
    while not isinstance(inner, Blurred) and isinstance(inner, Wrapped):
        inner = inner.inner
    return isinstance(inner, Blurred)


def blurred_spec(inner: BackboneSpec) -> BackboneSpec:
    """The spec of a blurred backbone: the inner one's, labelled as a control."""
    return replace(
        inner,
        name=f"blur:{inner.name}",
        control=True,
        description=f"features of {inner.name}, blurred over the patch grid (sigma {BLUR_SIGMA:g} patch)",
    )


def blur(values: Float[Tensor, "b h w dim"], sigma: float = BLUR_SIGMA) -> Float[Tensor, "b h w dim"]:
    """Gaussian average over the grid, ``sigma`` in patches, without truncation, normalised at the borders."""
    rows = _gaussian_rows(values.shape[1], sigma, values)
    columns = _gaussian_rows(values.shape[2], sigma, values)
    # One photograph at a time, so that an image alone and in a batch give the same numbers.
    return torch.stack([columns @ (rows @ one.flatten(1)).unflatten(1, one.shape[1:]) for one in values])


def _gaussian_rows(n: int, sigma: float, like: Tensor) -> Tensor:
    """Row i holds the weights of patch i's neighbours along one axis; rows sum to 1."""
    places = torch.arange(n, device=like.device, dtype=torch.float64)
    weights = torch.exp(-((places[:, None] - places[None, :]) ** 2) / (2 * sigma**2))
    return (weights / weights.sum(dim=1, keepdim=True)).to(like.dtype)

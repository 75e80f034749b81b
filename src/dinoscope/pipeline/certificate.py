"""How far a faster way departs from float32 eager arithmetic, on photographs; and whether it may measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.errors import InputError
from dinoscope.pipeline.extract import ImageLike, each_image, extract
from dinoscope.pipeline.fast import autocast_backbone, capability, check_dtype, compiled_backbone

LEAST_MEAN = 0.999
"""Mean cosine below which a way is not used for measuring unless asked for by name."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Cosines of a way's patch features with those of float32 eager arithmetic, whole photographs.

    Attributes:
        backbone: the model's name.
        way: what was certified, in words.
        mean: over all patches of all photographs, in [-1, 1].
        minimum: the worst patch's.
        n_images, n_patches: how many.
    """

    backbone: str
    way: str
    mean: float
    minimum: float
    n_images: int
    n_patches: int

    @property
    def exact_enough(self) -> bool:
        """Whether it may measure without being asked for by name."""
        return self.mean >= LEAST_MEAN

    @property
    def words(self) -> str:
        """One line for people."""
        return (
            f"{self.backbone}, {self.way}: cosine to float32 eager {self.mean:.6f} mean, "
            f"{self.minimum:.6f} worst of {self.n_patches:,} patches in {self.n_images} photographs"
        )


def certify(
    backbone: Backbone,
    images: ImageLike | Iterable[ImageLike],
    *,
    dtype: torch.dtype | None = None,
    autocast: bool = False,
    compiled: bool = False,
    tile: int | None = None,
    overlap: int | None = None,
    grid: int | tuple[int, int] = 32,
    layer: int | None = None,
) -> Certificate:
    """Runs photographs both ways.

    Args:
        backbone: in float32, uncompiled.
        images: real photographs: noise excites other directions than they do.
        dtype: of the weights and the arithmetic; None for float32.
        autocast: keep the weights in float32, and only the products in ``dtype``.
        compiled: through ``torch.compile``.
        tile, overlap, grid, layer: as for `extract`.

    Raises:
        InputError: a backbone that is not in float32; no photograph.
    """
    _check_reference(backbone)
    fast = faster(backbone, dtype=dtype, autocast=autocast, compiled=compiled)
    given = list(each_image(images))
    cosines: list[Float64[np.ndarray, " n"]] = []
    whole = extract(given, backbone, grid=grid, layer=layer, batch_size=1)
    other = extract(given, fast, grid=grid, layer=layer, batch_size=1, tile=tile, overlap=overlap)
    for a, b in zip(whole, other, strict=True):
        cosines.append(patch_cosines(a.values, b.values))
    if not cosines:
        raise InputError("no photograph to certify with")
    every = np.concatenate(cosines)
    return Certificate(
        backbone=backbone.spec.name,
        way=way_words(dtype, autocast=autocast, compiled=compiled, tile=tile),
        mean=float(every.mean()),
        minimum=float(every.min()),
        n_images=len(cosines),
        n_patches=len(every),
    )


def faster(
    backbone: Backbone,
    *,
    dtype: torch.dtype | None = None,
    autocast: bool = False,
    compiled: bool = False,
) -> Backbone:
    """A backbone that computes this way; the one given stays as it is.

    Raises:
        InputError: a dtype that the device does not have.
    """
    fast = backbone
    if dtype is not None and dtype != backbone.dtype:
        check_dtype(dtype, backbone.device.type, capability(backbone.device))
        fast = autocast_backbone(fast, dtype) if autocast else fast.to(fast.device, dtype)
    return compiled_backbone(fast) if compiled else fast


def guarded(
    backbone: Backbone,
    images: Iterable[ImageLike],
    *,
    dtype: torch.dtype | None = None,
    autocast: bool = False,
    compiled: bool = False,
    grid: int | tuple[int, int] = 32,
    layer: int | None = None,
    n_images: int = 2,
    allow_inexact: bool = False,
) -> tuple[Backbone, Certificate | None]:
    """A backbone that computes a faster way and is exact enough to measure with, and the proof.

    The proof is on the first ``n_images`` photographs given. Float32 uncompiled needs none.

    Raises:
        InputError: it departs too far, and ``allow_inexact`` is not said.
    """
    if (dtype is None or dtype == torch.float32) and not compiled:
        return backbone, None
    proof = certify(
        backbone,
        list(islice(images, n_images)),
        dtype=dtype,
        autocast=autocast,
        compiled=compiled,
        grid=grid,
        layer=layer,
    )
    if not (proof.exact_enough or allow_inexact):
        raise InputError(
            f"{proof.words}; below {LEAST_MEAN} it is not used for measuring. Use float32, or allow it by "
            "name (--allow-inexact)"
        )
    return faster(backbone, dtype=dtype, autocast=autocast, compiled=compiled), proof


def patch_cosines(
    a: Float[np.ndarray, "h w dim"], b: Float[np.ndarray, "h w dim"]
) -> Float64[np.ndarray, " n"]:
    """Cosine of each patch with that at the same place, in float64; 0 where either has no length."""
    x, y = (values.reshape(-1, values.shape[2]).astype(np.float64) for values in (a, b))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.divide((x * y).sum(axis=1), lengths, out=np.zeros(len(x)), where=lengths > 0)


def way_words(dtype: torch.dtype | None, *, autocast: bool, compiled: bool, tile: int | None) -> str:
    """What a way is called.

    >>> way_words(torch.bfloat16, autocast=True, compiled=True, tile=None)
    'bfloat16 autocast, compiled'
    """
    words = [str(dtype or torch.float32).removeprefix("torch.") + (" autocast" if autocast else "")]
    words += ["compiled"] if compiled else []
    words += [f"tiles of {tile} px"] if tile is not None else []
    return ", ".join(words)


def _check_reference(backbone: Backbone) -> None:
    if backbone.dtype != torch.float32:
        raise InputError(f"a certificate is against float32, and this backbone is {backbone.dtype}")

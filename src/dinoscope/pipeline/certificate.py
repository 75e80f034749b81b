"""How far a faster way departs from float32 eager arithmetic, on photographs; and whether it may measure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.pipeline.extract import ImageLike, each_image, extracted
from dinoscope.pipeline.fast import (
    autocast_backbone,
    capability,
    check_dtype,
    compiled_backbone,
    exact_backbone,
    is_autocast,
    runs_compiled,
)
from dinoscope.pipeline.run import Arithmetic, Run

LEAST_MEAN = 0.999
"""Mean cosine below which a way is not used for measuring unless asked for by name."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Cosines of a way's patch features with those of the way it stands in for.

    Attributes:
        backbone: the model's name.
        way: what was certified, in words.
        mean: over all patches of all photographs, in [-1, 1].
        minimum: the worst patch's.
        n_images, n_patches: how many.
        against: what it was held against, in words; of arithmetic, whole photographs.
        least: the mean that is asked of it.
    """

    backbone: str
    way: str
    mean: float
    minimum: float
    n_images: int
    n_patches: int
    against: str = "float32 eager"
    least: float = LEAST_MEAN

    @property
    def exact_enough(self) -> bool:
        """Whether it stands in for the other; arithmetic so may measure without being asked for by name."""
        return self.mean >= self.least

    @property
    def words(self) -> str:
        """One line for people."""
        return (
            f"{self.backbone}, {self.way}: cosine to {self.against} {self.mean:.6f} mean, "
            f"{self.minimum:.6f} worst of {self.n_patches:,} patches in {self.n_images} photographs"
        )


def check_arithmetic(
    backbone: Backbone, images: ImageLike | Iterable[ImageLike], arithmetic: Arithmetic, run: Run
) -> Certificate:
    """Runs photographs both ways.

    Args:
        backbone: in float32, uncompiled.
        images: real photographs: noise excites other directions than they do. Those that the backbone cannot
            use in float32 say nothing and are left out.
        arithmetic: what is certified.
        run: one layer; tiles are of what is certified alone.

    Raises:
        InputError: a backbone that is not in float32; no photograph; a way that gives no features at all.
    """
    if backbone.dtype != torch.float32:
        raise InputError(f"a certificate is against float32, and this backbone is {backbone.dtype}")
    return checked_way(faster(backbone, arithmetic), backbone, images, run)


def checked_way(
    fast: Backbone,
    exact: Backbone,
    images: ImageLike | Iterable[ImageLike],
    run: Run,
    *,
    way: str | None = None,
) -> Certificate:
    """The certificate of a backbone that is there already, against ``exact`` of the same weights.

    Args:
        run: as for `check_arithmetic`.
        way: what is certified, in words; None for what `way_of` says of ``fast``.

    Raises:
        InputError: no photograph; features that are no numbers; a way that this machine does not have.
    """
    cosines: list[Float64[np.ndarray, " n"]] = []
    unusable: list[Failure] = []
    whole = replace(run, tile=None, overlap=None)
    for image in each_image(images):
        for reference in extracted(image, exact, whole, on_failure=unusable.append):
            try:
                (found,) = extracted(image, fast, run)
            except RuntimeError as error:  # no kernel for it
                reason = next(iter(str(error).splitlines()), type(error).__name__)
                named = way or way_of(fast, tile=run.tile)
                raise InputError(f"{exact.spec.name}, {named}: cannot be run here: {reason}") from error
            cosines.append(patch_cosines(reference.values, found.values))
    if not cosines:
        reason = f": {unusable[0].reason}" if unusable else ""
        raise InputError(f"no photograph to certify with{reason}")
    every = np.concatenate(cosines)
    return Certificate(
        backbone=exact.spec.name,
        way=way or way_of(fast, tile=run.tile),  # once it ran: its compiler may have failed
        mean=float(every.mean()),
        minimum=float(every.min()),
        n_images=len(cosines),
        n_patches=len(every),
    )


def faster(backbone: Backbone, arithmetic: Arithmetic) -> Backbone:
    """A backbone that computes this way; the one given stays as it is.

    Raises:
        InputError: a dtype that the device does not have.
    """
    fast, dtype = backbone, arithmetic.dtype
    if dtype is not None and dtype != backbone.dtype:
        check_dtype(dtype, backbone.device.type, capability(backbone.device))
        fast = autocast_backbone(fast, dtype) if arithmetic.autocast else fast.to(fast.device, dtype)
    return compiled_backbone(fast) if arithmetic.compiled else fast


def guarded(
    backbone: Backbone, images: Iterable[ImageLike], arithmetic: Arithmetic, run: Run, *, n_images: int = 2
) -> tuple[Backbone, Certificate | None]:
    """A backbone that computes a faster way and is exact enough to measure with, and the proof.

    The proof is on the first ``n_images`` photographs given. Float32 uncompiled needs none; a backbone whose
    very weights are in 16 bits can have none.

    Args:
        backbone: in float32; one that autocasts or is compiled already is held against its own weights.
        run: one layer, without tiles.

    Raises:
        InputError: it departs too far, or has no float32 to be held against, and that is not allowed; a way
            that this machine does not have.
    """
    asked = arithmetic.is_asked_of(backbone.dtype)
    exact = exact_backbone(backbone)
    if not asked and exact is backbone:
        return backbone, None
    if exact is None:
        if not arithmetic.allow_inexact:
            raise InputError(
                f"{backbone.spec.name} was loaded in {str(backbone.dtype).removeprefix('torch.')}: how far "
                "that is from float32 cannot be said without its float32 weights. Load it in float32 and say "
                "dtype where it is measured, or allow it by name (allow_inexact=True)"
            )
        return faster(backbone, arithmetic), None
    fast = faster(backbone, arithmetic) if asked else backbone
    proof = checked_way(fast, exact, list(islice(images, n_images)), run)
    if not (proof.exact_enough or arithmetic.allow_inexact):
        raise InputError(
            f"{proof.words}; below {LEAST_MEAN} on average it is not used for measuring. Use float32, or "
            "allow it by name (--allow-inexact, allow_inexact=True)"
        )
    return fast, proof


def patch_cosines(
    a: Float[np.ndarray, "h w dim"], b: Float[np.ndarray, "h w dim"]
) -> Float64[np.ndarray, " n"]:
    """Cosine of each patch with that at the same place, in float64; 0 where either has no length."""
    x, y = (values.reshape(-1, values.shape[2]).astype(np.float64) for values in (a, b))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    return np.divide((x * y).sum(axis=1), lengths, out=np.zeros(len(x)), where=lengths > 0)


def way_of(backbone: Backbone, *, tile: int | None = None) -> str:
    """What the way is called that a backbone computes; one whose compiler failed is not compiled."""
    return way_words(
        backbone.dtype, autocast=is_autocast(backbone), compiled=runs_compiled(backbone), tile=tile
    )


def way_words(dtype: torch.dtype | None, *, autocast: bool, compiled: bool, tile: int | None) -> str:
    """What a way is called.

    >>> way_words(torch.bfloat16, autocast=True, compiled=True, tile=None)
    'bfloat16 autocast, compiled'
    """
    words = [str(dtype or torch.float32).removeprefix("torch.") + (" autocast" if autocast else "")]
    words += ["compiled"] if compiled else []
    words += [f"tiles of {tile} px"] if tile is not None else []
    return ", ".join(words)

"""PatchFeatures: one photograph's patch features, and what they are features of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError, ProvenanceMismatchError, ShapeError, shortened
from dinoscope.names import well_formed

SQUASHED = 3.0
"""Largest ratio of the two scales (horizontal, vertical) of the resize behind other tools' features."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides what the features are. Two features compare only where this agrees.

    Attributes:
        image: the photograph's name.
        image_digest: sha256 of the photograph; empty where unknown.
        backbone: the model's name.
        weights_digest: sha256 of its weights; empty for controls and foreign features.
        layer: absolute 0-based block number; None where unknown.
        final_norm: whether the final normalisation was applied; None where unknown.
        dtype: the arithmetic of the forward pass.
        resize: the resize filter's name.
        mean, std: of the normalisation; None where unknown.
        tiles: how the photograph was cut where it went through in tiles; empty where it went through whole.
        seam: of tiles: mean of 1 − cosine between what two neighbours say of the same patch; None where no
            two overlap.
        reduction: how many stored pixels became one along each side as the photograph was decoded.
    """

    image: str
    image_digest: str
    backbone: str
    weights_digest: str = ""
    layer: int | None = None
    final_norm: bool | None = None
    dtype: str = "float32"
    resize: str = "unknown"
    mean: tuple[float, float, float] | None = None
    std: tuple[float, float, float] | None = None
    tiles: str = ""
    seam: float | None = None
    reduction: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", well_formed(self.image))


@dataclass(frozen=True, slots=True, eq=False)
class PatchFeatures:
    """Patch features of one photograph by one backbone: numpy, float32, read-only.

    Attributes:
        values: the feature map, channels last, not normalised.
        grid: which pixels each patch covers.
        provenance: what these are features of.
        cls: the class token; None where the backbone has none.
        registers: the register tokens; None where the backbone has none.
    """

    values: Float32[np.ndarray, "h w dim"]
    grid: PatchGrid
    provenance: Provenance
    cls: Float32[np.ndarray, " dim"] | None = None
    registers: Float32[np.ndarray, "r dim"] | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3 or self.values.shape[:2] != self.grid.shape:
            raise ShapeError(
                "feature map",
                expected=f"h={self.grid.h} w={self.grid.w} dim",
                actual=self.values.shape,
            )
        for name in ("values", "cls", "registers"):
            array = getattr(self, name)
            if array is not None:
                object.__setattr__(self, name, read_only(array))

    def __repr__(self) -> str:
        what = f"{self.grid.h}x{self.grid.w} patches, {self.dim} channels"
        return f"PatchFeatures({self.provenance.backbone}: {what}, {self.provenance.image!r})"

    @classmethod
    def from_array(
        cls,
        array: object,
        *,
        image_size: tuple[int, int],
        name: str = "array",
        image: str = "",
        patch_size: int = 1,
    ) -> PatchFeatures:
        """Anybody's features, from any tool; copied, as float32.

        Args:
            array: the feature map ``h w dim``, channels last, of floating point: of NumPy, or a tensor of
                PyTorch on any device; the grid is read off its shape.
            image_size: ``(W, H)`` of the upright photograph, in pixels.
            name: of the model that made them.
            image: the photograph's name.
            patch_size: of that model, where known; only carried along.

        Raises:
            ShapeError: not ``h w dim``, or a grid more than `SQUASHED` times thinner or wider than the
                photograph, as where the channels come first.
            InputError: NaN or infinite values, or something else than an array of numbers.
        """
        values = _numbers(array, name)
        if values.ndim != 3 or 0 in values.shape:
            raise ShapeError("feature map", expected="h w dim", actual=values.shape)
        if not np.isfinite(values).all():
            bad = int((~np.isfinite(values)).any(axis=2).sum())
            raise InputError(
                f"features of {name!r}: {bad} of {values.shape[0] * values.shape[1]} patches are "
                "NaN or infinite"
            )
        grid = PatchGrid(values.shape[0], values.shape[1], patch_size, image_size)
        if not 1 / SQUASHED <= grid.anisotropy <= SQUASHED:
            raise ShapeError(
                f"features of {name!r}, for a photograph of {image_size[0]}x{image_size[1]} pixels (move the "
                "channels to the last axis, or reshape n patches to h w)",
                expected="h w dim",
                actual=values.shape,
            )
        return cls(values, grid, Provenance(image=image, image_digest="", backbone=name))

    @property
    def dim(self) -> int:
        """Channels."""
        return int(self.values.shape[2])

    def cosine_to(self, vector: Float[np.ndarray, " dim"]) -> Float32[np.ndarray, "h w"]:
        """Cosine of every patch with a vector, in [-1, 1]; 0 where either has no length.

        Computed in float64 (16-bit or 32-bit products lose the last digits between near-equal
        patches), returned as float32.
        """
        if vector.shape != (self.dim,):
            raise ShapeError("vector", expected=f"dim={self.dim}", actual=vector.shape)
        query = vector.astype(np.float64)
        flat = self.values.reshape(-1, self.dim).astype(np.float64)
        lengths = np.sqrt(np.einsum("nd,nd->n", flat, flat)) * np.linalg.norm(query)
        cosines = np.divide(flat @ query, lengths, out=np.zeros(len(flat)), where=lengths > 0)
        return np.clip(cosines, -1.0, 1.0).astype(np.float32).reshape(self.grid.shape)


def _numbers(array: object, name: str) -> Float32[np.ndarray, "..."]:
    if hasattr(array, "detach"):  # a tensor, of any precision, with or without its gradients
        array = array.detach().cpu().float().numpy()
    try:
        held = np.asarray(array)
    except Exception as error:  # ragged lists, and whatever else pretends to be an array
        raise InputError(f"features of {name!r} are no array: {shortened(error)}") from error
    if held.dtype.kind not in "fiu":
        raise InputError(f"features of {name!r} are {held.dtype}, not floating point")
    with np.errstate(over="ignore"):  # what is beyond float32 becomes infinite, and is refused as such
        return np.array(held, dtype=np.float32)


def check_alike(one: Provenance, other: Provenance) -> None:
    """Refuse to compare patches of different models, weights or layers.

    Raises:
        ProvenanceMismatchError: they differ, as far as is known.
    """
    for what in ("backbone", "weights_digest", "layer", "final_norm"):
        a, b = getattr(one, what), getattr(other, what)
        if a != b and a not in ("", None) and b not in ("", None):
            raise ProvenanceMismatchError(
                f"patches of different models cannot be compared: {what.replace('_', ' ')} {a!r} and {b!r}"
            )

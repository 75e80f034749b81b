"""What is searched for? A vector, from photographs, regions of them, or features at hand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64
from PIL import Image

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import place
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hit
from dinoscope.errors import BackboneError, ImageError, InputError, ProvenanceMismatchError, ShapeError
from dinoscope.io.images import photograph_from_array, read_photograph
from dinoscope.maths.patches import unit
from dinoscope.maths.pooling import (
    GEM_FLOOR,
    GEM_POWER,
    gem_pool,
    mean_pool,
    own_foreground,
    weighted_pool,
)
from dinoscope.maths.resample import area_average
from dinoscope.names import path_named
from dinoscope.pipeline.photographs import ImageLike
from dinoscope.store.compression import model_dim
from dinoscope.store.reading import StoredRow
from dinoscope.store.schema import POOLED
from dinoscope.store.store import FeatureTable, check_provenance, read_as

LEAST_APART = 1e-3
"""Stored vectors are float16: of a shorter difference the direction would be their rounding's."""

Box = tuple[float, float, float, float]
Stored = Hit | StoredRow
Asked = ImageLike | PatchFeatures | Stored
Query = Asked | Sequence[Asked]


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The part of a photograph that is searched for; everything where all are None.

    Attributes:
        box: left, top, right, bottom in [0, 1]².
        patch: a place (x, y) in [0, 1]²: the patch there.
        mask: of the photograph, in any resolution: each patch by the share of it that lies inside.
    """

    box: Box | None = None
    patch: tuple[float, float] | None = None
    mask: Bool[np.ndarray, "H W"] | None = None

    def __post_init__(self) -> None:
        if sum(part is not None for part in (self.box, self.patch, self.mask)) > 1:
            raise InputError("a region is a box, a patch or a mask: give one of them")
        if self.box is not None:
            try:
                left, top, right, bottom = (float(edge) for edge in self.box)
            except (TypeError, ValueError):
                left = top = right = bottom = 0.0
            if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
                raise InputError(f"a box is left, top, right, bottom in [0, 1] with an area, got {self.box}")
        if self.patch is not None:
            place(self.patch)

    @property
    def whole(self) -> bool:
        """Whether it is the whole photograph."""
        return self.box is None and self.patch is None and self.mask is None

    def weights(self, features: PatchFeatures) -> Float64[np.ndarray, "h w"]:
        """How much of each patch belongs to it, in [0, 1].

        Of a box, the patches whose centre lies inside, and at least the nearest, count whole; of a mask,
        every patch by the share of its area that lies inside.

        Raises:
            InputError: an empty mask.
        """
        grid = features.grid
        x, y = (np.arange(grid.w) + 0.5) / grid.w, (np.arange(grid.h) + 0.5) / grid.h
        if self.patch is not None:
            found = np.zeros(grid.shape, bool)
            found[grid.patch_at(*self.patch)] = True
            return found.astype(np.float64)
        if self.box is not None:
            left, top, right, bottom = self.box
            found = ((y >= top) & (y <= bottom))[:, None] & ((x >= left) & (x <= right))[None, :]
            if not found.any():
                found[grid.patch_at((left + right) / 2, (top + bottom) / 2)] = True
            return np.asarray(found, np.float64)
        if self.mask is None:
            return np.ones(grid.shape)
        if not self.mask.any():
            raise InputError("the mask is empty: no pixel of it is set")
        return area_average(np.asarray(self.mask, np.float64)[..., None], grid.shape)[..., 0]


def listed(query: Query) -> list[Asked]:
    """The photographs of a query, one by one."""
    single = isinstance(query, str | Path | Photograph | Image.Image | np.ndarray | PatchFeatures | Stored)
    return [query] if single else list(query)  # type: ignore[list-item, arg-type]


def photograph_of(table: FeatureTable, image: ImageLike | Stored) -> Photograph:
    """A query's photograph, decoded as the table's were; of a stored one the file that it was embedded from.

    Raises:
        ImageError: it cannot be read, or is no longer the photograph that was embedded.
    """
    if isinstance(image, Stored):
        return stored_photograph(table, image.source, image.digest)
    if isinstance(image, Photograph):
        return image
    if isinstance(image, str | Path):
        with read_as(table):
            return read_photograph(image)
    return photograph_from_array(np.asarray(image), name="query")


def stored_photograph(table: FeatureTable, source: str, digest: str) -> Photograph:
    """The photograph that was embedded from a file into the table.

    Raises:
        ImageError: it cannot be read, or is no longer that photograph.
    """
    with read_as(table):
        found = read_photograph(path_named(source))
    if found.digest != digest:
        raise ImageError(source, "the file has changed since it was embedded")
    return found


def backbone_of(table: FeatureTable, given: Backbone | None) -> Backbone:
    """The backbone given, or the one whose name the table remembers.

    Raises:
        InputError: the name alone does not say where the weights are.
    """
    if given is not None:
        return given
    from dinoscope.backbones.load import load_backbone

    try:
        return load_backbone(table.settings.backbone)
    except BackboneError as error:
        raise InputError(
            f"the table was made with {table.settings.backbone!r}, which cannot be loaded by that name "
            f"({error}): name the model (--model NAME=PATH, or backbone=)"
        ) from error


def fitting_backbone(table: FeatureTable, given: Backbone | None) -> Backbone:
    """As `backbone_of`, of the table's name.

    Raises:
        ProvenanceMismatchError: another backbone.
    """
    model, wanted = backbone_of(table, given), table.settings.backbone
    if model.spec.name != wanted:
        raise ProvenanceMismatchError(
            f"the vectors of {table.name} are another backbone's: {wanted!r} in the table, "
            f"{model.spec.name!r} given"
        )
    return model


def check_not_compressed(table: FeatureTable, what: str) -> None:
    """Refuse what needs the model's own channels of every stored vector.

    Raises:
        InputError: the table is compressed.
    """
    if table.settings.compression:
        raise InputError(
            f"the table {table.name} is compressed, and {what} needs the vectors as they came: ask the store "
            "that it was made from"
        )


def features_of(table: FeatureTable, image: Asked, backbone: Backbone | None) -> PatchFeatures:
    """A query's features, made as the table's were.

    Raises:
        ProvenanceMismatchError: features or a backbone of another kind.
        ImageError: the photograph cannot be read.
    """
    from dinoscope.pipeline.extract import extract

    settings = table.settings
    if isinstance(image, PatchFeatures):
        found = image
    else:
        model = fitting_backbone(table, backbone)
        found = next(
            extract(
                [photograph_of(table, image)],
                model,
                grid=settings.grid,
                layer=settings.layer,
                final_norm=settings.final_norm,
                resize=settings.resize,
            )
        )
    check_provenance(table, found.provenance)
    wanted = model_dim(table.folder, settings)
    if found.dim != wanted:
        raise ProvenanceMismatchError(f"{found.dim} channels, the table {table.name} is of {wanted}")
    return found


def pooled(features: PatchFeatures, pooling: str, region: Region) -> Float64[np.ndarray, " dim"]:
    """One vector of a photograph, or of a region of it, as `dinoscope.pipeline.embed` pools.

    Raises:
        InputError: no such pooling, or the class token of a region.
    """
    if pooling not in POOLED:
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(POOLED)}")
    if pooling == "cls":
        if not region.whole:
            raise InputError(
                "the class token is of the whole photograph: search a region with another pooling"
            )
        if features.cls is None:
            raise InputError(f"{features.provenance.backbone} has no class token; choose another pooling")
        return features.cls.astype(np.float64)
    values = features.values.reshape(-1, features.dim)
    if region.whole:
        if pooling == "gem":
            return gem_pool(values)
        if pooling == "foreground":
            return weighted_pool(values, own_foreground(features).ravel().astype(np.float64))
        return mean_pool(values)
    weights = region.weights(features).ravel()
    if pooling == "gem":
        raised = np.maximum(values.astype(np.float64), GEM_FLOOR) ** GEM_POWER
        return weighted_pool(raised, weights) ** (1.0 / GEM_POWER)
    return weighted_pool(values, weights)


def together(vectors: Iterable[Float64[np.ndarray, " dim"]]) -> Float64[np.ndarray, " dim"]:
    """One vector for several: the mean of their directions.

    Raises:
        ShapeError: none.
    """
    stacked = np.stack(list(vectors)) if vectors else np.zeros((0, 1))
    if not len(stacked):
        raise ShapeError("queries", expected="at least one", actual=stacked.shape)
    return np.asarray(stacked[0] if len(stacked) == 1 else unit(stacked).mean(axis=0))


def apart(
    vectors: Sequence[Float64[np.ndarray, " dim"]], against: Sequence[Float64[np.ndarray, " dim"]]
) -> Float64[np.ndarray, " dim"]:
    """One vector for several, and against others: the mean of the ones' directions minus the others'.

    Raises:
        ShapeError: none to search for.
        InputError: the two means are the same: nothing is left.
    """
    if not against:
        return together(vectors)
    found = unit(np.stack(vectors)).mean(axis=0) - unit(np.stack(against)).mean(axis=0)
    if np.linalg.norm(found) < LEAST_APART:
        raise InputError("nothing is left of the query: it is searched for and against at once")
    return np.asarray(found)

"""What is drawn of a comparison: one basis of colours for each model, and cosines to reference places."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import ColourAlignment, PatchPCA
from dinoscope.data.results import Maps, ModelResult
from dinoscope.errors import InputError
from dinoscope.maths.align import align_colours
from dinoscope.maths.foreground import foreground_by_pc1, foreground_colours
from dinoscope.maths.pca import QUANTILES, fit_pca, to_rgb
from dinoscope.maths.similarity import similarity_map
from dinoscope.pipeline.certificate import way_of

COMPONENTS = 6
POINTS = ((0.5, 0.5), (0.12, 0.12), (0.7, 0.75))
"""Reference places unless others are named: fixed, so that nobody picks the pretty ones."""

FOREGROUNDS = ("none", "pc1")
COLOURS = ("pca", "spectral", "clusters")

Drawn: TypeAlias = tuple[ModelResult, list[Maps]]


@dataclass(frozen=True, slots=True)
class MapOptions:
    """What the maps show.

    Attributes:
        at: reference places ``(x, y)`` in ``[0, 1]²``, for every photograph the same.
        components: the three 0-based components shown as red, green and blue.
        foreground: ``none``; or ``pc1``: mask by the rule `PC1_RULE` of each model, refit the basis on its
            foreground, black elsewhere.
        colours: ``pca``; ``spectral``: the second to fourth eigenvector of the normalised cut of all patches;
            ``clusters``: of all patches.

    Raises:
        InputError: no place, one outside the photograph, an unknown rule or kind of colours, or a foreground
            of colours that are not principal components.
    """

    at: Sequence[tuple[float, float]] = POINTS
    components: tuple[int, int, int] = (0, 1, 2)
    foreground: str = "none"
    colours: str = "pca"

    def __post_init__(self) -> None:
        if self.foreground not in FOREGROUNDS:
            known = ", ".join(FOREGROUNDS)
            raise InputError(f"no foreground rule {self.foreground!r}; there are {known}")
        if self.colours not in COLOURS:
            raise InputError(f"no colours {self.colours!r}; there are {', '.join(COLOURS)}")
        if self.colours != "pca" and self.foreground != "none":
            raise InputError("a foreground is a rule of principal components: ask for colours 'pca'")
        if not self.at:
            raise InputError("at least one reference place is needed")
        for x, y in self.at:
            if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
                raise InputError(f"a reference place is (x, y) in [0, 1]², got ({x}, {y})")

    def check(self, models: Sequence[Backbone]) -> None:
        """Refuse components that a model does not have.

        Raises:
            InputError: a component below 0, or not below the number of channels.
        """
        for model in models:
            if not all(0 <= c < model.spec.dim for c in self.components):
                raise InputError(
                    f"components {self.components}: {model.spec.name} has {model.spec.dim} channels"
                )


DEFAULT_MAPS = MapOptions()


def drawn(
    label: str, backbone: Backbone, layer: int, features: Sequence[PatchFeatures], options: MapOptions
) -> Drawn:
    """One model's basis over all photographs, and its maps in it."""
    n = min(max(COMPONENTS, max(options.components) + 1), backbone.spec.dim)
    pca = fit_pca(features, n=n)
    masks = None
    if options.foreground == "pc1":
        masks = foreground_by_pc1(features, pca)
        pca = fit_pca(features, n=n, masks=masks)
    result = ModelResult(
        label=label,
        spec=backbone.spec,
        origin=backbone.origin,
        layer=layer,
        dtype=way_of(backbone),
        pca=pca,
    )
    maps = []
    for i, f in enumerate(features):
        scores = pca.project(f)
        mask = masks[i] if masks is not None else None
        colours = (
            to_rgb(scores, limits=pca.limits, components=options.components)
            if mask is None
            else foreground_colours(scores, pca, mask, options.components)
        )
        similarity = tuple(similarity_map(f, at=place) for place in options.at)
        maps.append(Maps(scores=scores, colours=colours, similarity=similarity, foreground=mask))
    return result, maps


def aligned(column: Drawn, reference: Drawn, options: MapOptions) -> Drawn:
    """A model's maps with their colours turned to look like the reference's.

    A foreground-only basis keeps its own colours: the two models' masks differ.
    """
    result, maps = column
    if options.foreground != "none":
        return column
    turned = turned_basis(column, reference, options)
    if turned is None:
        return column
    basis, alignment = turned
    coloured = [replace(m, colours=basis.colours(basis.turned(m.scores))) for m in maps]
    return replace(result, alignment=alignment), coloured


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """How component scores of one model become colours, for maps of any photograph or grid.

    Attributes:
        pca: the components.
        components: the three that are shown.
        rotation: of their whitened scores, to a reference's; None: scores as they are.
        limits: (1%, 99%) of the three over all photographs.
    """

    pca: PatchPCA
    components: tuple[int, int, int]
    rotation: Float64[np.ndarray, "3 3"] | None
    limits: Float64[np.ndarray, "3 2"]

    def turned(self, scores: Float[np.ndarray, "h w n"]) -> Float64[np.ndarray, "h w 3"]:
        """What becomes red, green and blue: a linear function of the scores."""
        if self.rotation is None:
            return np.asarray(scores[..., list(self.components)], dtype=np.float64)
        flat = _whitened(scores, self.pca, self.components) @ self.rotation
        return np.asarray(flat.reshape(*scores.shape[:2], 3))

    def colours(self, turned: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w 3"]:
        """Colours in [0, 1]."""
        return to_rgb(turned, limits=self.limits)


def own_basis(column: Drawn, options: MapOptions) -> Basis:
    """The basis of a model whose colours are its own."""
    pca = column[0].pca
    return Basis(pca, options.components, None, np.asarray(pca.limits[list(options.components)]))


def turned_basis(
    column: Drawn, reference: Drawn, options: MapOptions
) -> tuple[Basis, ColourAlignment] | None:
    """The basis of a model whose colours are turned to a reference's; None where that has no colours."""
    result, maps = column
    first, first_maps = reference
    components = options.components
    mine = np.concatenate([_whitened(m.scores, result.pca, components) for m in maps])
    theirs = np.concatenate([_whitened(m.scores, first.pca, components) for m in first_maps])
    if not theirs.any():
        return None
    alignment = align_colours(mine, theirs, reference_name=first.label)
    limits = np.quantile(mine @ alignment.rotation, QUANTILES, axis=0).T
    return Basis(result.pca, components, np.asarray(alignment.rotation), limits), alignment


def basis_beside(column: Drawn, reference: Drawn | None, options: MapOptions) -> Basis:
    """A model's basis, its colours turned to a reference's where there is one that has colours."""
    turned = None if reference is None else turned_basis(column, reference, options)
    return own_basis(column, options) if turned is None else turned[0]


def _whitened(scores: np.ndarray, pca: PatchPCA, components: tuple[int, int, int]) -> np.ndarray:
    chosen = list(components)
    deviation = np.sqrt(pca.explained_variance[chosen])
    flat = scores[..., chosen].reshape(-1, 3)
    return np.divide(flat, deviation, out=np.zeros_like(flat), where=deviation > 0)

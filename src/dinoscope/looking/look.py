"""Look at one photograph in every way that dinoscope knows, by several models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.finer import finer_of
from dinoscope.backbones.load import as_backbone
from dinoscope.backbones.projections import KEY, VALUE
from dinoscope.backbones.text import READERS
from dinoscope.comparison.plan import unique_labels
from dinoscope.comparison.words import number
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.views import CLASS_SHARE, COLOURS, COSINE, LABELS, SHARE, WORDS, View
from dinoscope.errors import BackboneError, GridMismatchError, InputError, WeightsError
from dinoscope.looking.colouring import Colouring, colouring
from dinoscope.looking.views import ModelViews, Views
from dinoscope.maths.clusters import fit_clusters, match_labels
from dinoscope.maths.pca import fit_pca
from dinoscope.maths.similarity import similarity_map
from dinoscope.maths.spectral import fit_spectral
from dinoscope.pipeline.attention import CLS, Inside, look_inside
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.photographs import ImageLike, load_photograph
from dinoscope.pipeline.text import TextMap, text_map
from dinoscope.pipeline.upsample import FINE, upsample

_ONE_GRID = "a finer model (finer2:NAME) and an earlier stage of a ConvNeXt lie on other grids than the rest"
CENTRE = (0.5, 0.5)
FINER = 2


@dataclass(frozen=True, slots=True)
class LookSettings:
    """How to look.

    Attributes:
        at: the place (x, y) in [0, 1]² that cosines and attention are of.
        grid: patches on the short side, or the exact ``(h, w)``.
        layer: 0-based block of every model; None for the last.
        head: of the attention; None for the mean over heads.
        clusters: how many; None for as many as each model's own spectrum speaks for.
        finer: how many times as many places the finer grid has along each side.
        seed: of the clusters.
        upsample: how the map between the patches is made, as for `dinoscope.upsample`.
        texts: words to look for, by the models that read them; the others show the cosine with the patch
            that the first such model finds most like each.
    """

    at: tuple[float, float] = CENTRE
    grid: int | tuple[int, int] = 32
    layer: int | None = None
    head: int | None = None
    clusters: int | None = None
    finer: int = FINER
    seed: int = 0
    upsample: str = "joint"
    texts: tuple[str, ...] = ()


def look(
    image: ImageLike, backbones: Sequence[Backbone | str], settings: LookSettings | None = None
) -> Views:
    """Every map of one photograph: components, cosines, keys, attention, spectral colours, clusters, finer.

    Colours of a second model are turned to look like the first's, its clusters are numbered like them. A
    model without attention has no maps of it, and says why.

    Args:
        image: one photograph.
        backbones: one or more, or their names.
        settings: place, grid and the like; `LookSettings()` where left out.

    Raises:
        InputError: no model, a factor that fits none of them, or an impossible place, grid, head or number of
            clusters.
        ImageError: the photograph cannot be used.
    """
    asked = settings or LookSettings()
    models = [as_backbone(backbone) for backbone in backbones]
    if not models:
        raise InputError("at least one backbone is needed")
    if not any(asked.finer >= 1 and model.spec.patch_size % asked.finer == 0 for model in models):
        finer_of(models[0], asked.finer)  # says which factors fit
    photograph = load_photograph(image)
    first = _Seen(photograph, models[0], asked)
    seen = [first, *(_Seen(photograph, model, asked, first) for model in models[1:])]
    for other in seen[1:]:
        if other.features.grid.shape != first.features.grid.shape:
            raise GridMismatchError(first.features.grid.shape, other.features.grid.shape, _ONE_GRID)
    reader = next((one for one in seen if one.texts is not None), None)
    if asked.texts and reader is None:
        raise BackboneError(f"none of these models reads words; these families do, {READERS}")
    found = [
        ModelViews(
            label,
            one.backbone.spec.kind,
            one.facts,
            one.features.grid.patch_at(*asked.at),
            (*(view(one) for view in WAYS), *_texts(one, reader)),
        )
        for label, one in zip(unique_labels(models), seen, strict=True)
    ]
    return Views(photograph, asked.at, tuple(found))


class _Seen:
    """One model's features of the photograph, and what several maps need of them."""

    def __init__(
        self, photograph: Photograph, backbone: Backbone, asked: LookSettings, first: _Seen | None = None
    ) -> None:
        self.photograph, self.backbone, self.asked = photograph, backbone, asked
        self.inside, self.without = self._inside()
        self.features = self.extracted() if self.inside is None else self.inside.features
        self.pca = fit_pca(self.features, n=min(3, backbone.spec.dim))
        self.spectral = fit_spectral(self.features, n=4)
        self.clusters = fit_clusters(self.features, asked.clusters, asked.seed)
        self.labels = self.clusters.label(self.features)
        self.texts = self._texts()
        self.first = first or self

    def _texts(self) -> TextMap | None:
        if not self.asked.texts:
            return None
        try:
            return text_map(self.photograph, self.backbone, self.asked.texts, grid=self.asked.grid)
        except BackboneError as error:
            if isinstance(error, WeightsError):
                raise
            return None

    def _inside(self) -> tuple[Inside | None, str]:
        """Tokens, facets and attention of one pass; or why there is no attention to look at."""
        asked = self.asked
        try:
            found = look_inside(self.photograph, self.backbone, layer=asked.layer, grid=asked.grid)
        except BackboneError as error:
            return None, str(error)
        return found, ""

    def extracted(self, **how: object) -> PatchFeatures:
        """Features of the photograph, made in another way where ``how`` says so."""
        asked = self.asked
        (found,) = extract(self.photograph, self.backbone, grid=asked.grid, layer=asked.layer, **how)  # type: ignore[arg-type]
        return found

    @property
    def facts(self) -> str:
        """Layer and grid."""
        grid = self.features.grid
        return f"layer {self.features.provenance.layer}, {grid.h}×{grid.w} patches of {grid.patch_size} px"

    @cached_property
    def scores(self) -> Float64[np.ndarray, "h w n"]:
        """Component scores of every patch."""
        return self.pca.project(self.features)

    @cached_property
    def cut(self) -> Float64[np.ndarray, "h w 3"]:
        """Entries of every patch in the normalised cut, the first eigenvector left out."""
        return self.spectral.project(self.features)[..., 1:]

    @cached_property
    def coloured(self) -> Colouring:
        """How its components become colours, turned to look like the first model's."""
        first = self.first
        return colouring(self.scores, None if first is self else first.coloured.scores(first.scores))


def _components(one: _Seen) -> View:
    colours = one.coloured.colours(one.scores)
    share = float(one.pca.explained_variance_ratio.sum())
    return View("principal components", COLOURS, colours, f"3 hold {share:.0%} of the variance")


def _cosine(one: _Seen) -> View:
    found = similarity_map(one.features, at=one.asked.at).values
    return View("cosine with the patch", COSINE, found, f"mean {number(float(found.mean()), digits=2)}")


def _facet(facet: str) -> Callable[[_Seen], View]:
    def view(one: _Seen) -> View:
        name = f"cosine of its {facet}"
        if one.inside is None:
            return View(name, COSINE, None, one.without)
        try:
            found = similarity_map(one.inside.facet(facet), at=one.asked.at).values
        except BackboneError as error:
            return View(name, COSINE, None, str(error))
        return View(name, COSINE, found, f"mean {number(float(found.mean()), digits=2)}")

    return view


def _attention(at: str | None) -> Callable[[_Seen], View]:
    def view(one: _Seen) -> View:
        name = "attention of the patch" if at is None else "class-token attention"
        asked = one.asked
        place, kind = (asked.at, SHARE) if at is None else (at, CLASS_SHARE)
        if one.inside is None:
            return View(name, kind, None, one.without)
        try:
            found = one.inside.attention(at=place, head=asked.head)
        except (BackboneError, InputError) as error:
            if isinstance(error, InputError) and at is None:
                raise
            return View(name, kind, None, str(error))
        whose = "mean over heads" if found.head is None else f"head {found.head}"
        note = f"{whose}; {found.to_prefix.sum():.0%} goes to other tokens"
        return View(name, kind, found.even_shares, note)

    return view


def _spectral(one: _Seen) -> View:
    like = None if one is one.first else colouring(one.first.cut, None).scores(one.first.cut)
    values = ", ".join(f"{value:.2f}" for value in one.spectral.eigenvalues[1:])
    return View("normalised cut", COLOURS, colouring(one.cut, like).colours(one.cut), f"eigenvalues {values}")


def _clusters(one: _Seen) -> View:
    labels: Int64[np.ndarray, "h w"] = one.labels
    if one is not one.first:
        labels = match_labels(one.labels.ravel(), one.first.labels.ravel())[one.labels]
    return View("clusters", LABELS, labels, f"{len(one.clusters.sizes)}, {one.clusters.chosen_by}")


def _finer(one: _Seen) -> View:
    factor = one.asked.finer
    name = f"{factor} times as fine"
    try:
        found = one.extracted(finer=factor)
    except InputError as error:
        return View(name, COLOURS, None, str(error))
    colours = one.coloured.colours(one.pca.project(found))
    return View(name, COLOURS, colours, f"{factor**2} passes, overlapping")


def _upsampled(one: _Seen) -> View:
    h, w = one.features.grid.shape
    fine = upsample(one.features, (FINE * h, FINE * w), one.asked.upsample, one.photograph)
    found = PatchFeatures.from_array(fine, image_size=one.features.grid.image_size)
    colours = one.coloured.colours(one.pca.project(found))
    how = "guided upsampling" if one.asked.upsample == "joint" else f"upsampled: {one.asked.upsample}"
    return View(how, COLOURS, colours, "interpolated, no features")


def _texts(one: _Seen, reader: _Seen | None) -> list[View]:
    """A map for each text: of the words themselves, or of the patch that they pick."""
    if reader is None or reader.texts is None:
        return []
    views = []
    for k, text in enumerate(one.asked.texts):
        if one.texts is not None:
            values = one.texts.values[k].astype(np.float32)
            views.append(View(f'"{text}"', WORDS, values, f"highest {number(float(values.max()), digits=2)}"))
        else:
            place = reader.texts.best(k)
            values = similarity_map(one.features, at=place).values
            views.append(View(f'where "{text}" is', WORDS, values, "cosine with the patch picked there"))
    return views


WAYS: tuple[Callable[[_Seen], View], ...] = (
    _components,
    _cosine,
    _facet(KEY),
    _facet(VALUE),
    _attention(None),
    _attention(CLS),
    _spectral,
    _clusters,
    _finer,
    _upsampled,
)
"""Every way of looking, in the order they are drawn."""

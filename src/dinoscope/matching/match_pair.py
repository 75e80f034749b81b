"""Two photographs through several models, and their matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.plan import unique_labels
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.io.keypoints import KeypointPair
from dinoscope.matching.keypoints import score_keypoints
from dinoscope.matching.match import Foreground, fixed_places, match
from dinoscope.matching.matched import MatchedModel, MatchedPair
from dinoscope.maths.foreground import foreground_by_pc1
from dinoscope.maths.pca import fit_pca
from dinoscope.pipeline.extract import ImageLike, extract, load_photograph

SHOWN = 48
"""Points that are drawn where none are asked for."""


@dataclass(frozen=True, slots=True)
class MatchSettings:
    """What is matched, and what is left out; see `match`.

    Attributes:
        grid: patches on the short side, the same for all models.
        layer: of every model; None for the last.
        resize: as for `extract`.
        mutual, spread, ratio, refine: as for `match`.
        foreground: match only patches that each model's first principal component takes for the foreground.
        at: places that every model is asked for; none for `fixed_places`.
    """

    grid: int = 32
    layer: int | None = None
    resize: str = "bilinear"
    mutual: bool = False
    spread: float | None = None
    ratio: float | None = None
    refine: bool = False
    foreground: bool = False
    at: tuple[tuple[float, float], ...] = ()


def match_pair(
    first: ImageLike,
    second: ImageLike,
    backbones: Sequence[Backbone],
    settings: MatchSettings,
    *,
    keypoints: KeypointPair | None = None,
) -> MatchedPair:
    """The matches of two photographs by every model, on the same points.

    With a foreground the points are those that all models take for it.

    Raises:
        ImageError: a photograph cannot be used.
        InputError: no point is in every model's foreground, or a keypoint lies outside its photograph.
    """
    one, other = load_photograph(first), load_photograph(second)
    extracted = [
        tuple(
            extract([one, other], backbone, grid=settings.grid, layer=settings.layer, resize=settings.resize)
        )
        for backbone in backbones
    ]
    masks = [_foreground(f, g) if settings.foreground else None for f, g in extracted]
    at = settings.at or fixed_places(SHOWN)
    if settings.foreground:
        at = tuple(
            place
            for place in at
            if all(_holds(f, mask, place) for (f, _), mask in zip(extracted, masks, strict=True))
        )
        if not at:
            if settings.at:
                raise InputError("none of these places lies in what every model takes for the foreground")
            raise InputError("no point lies in the foreground of every model: name places with --at")
    models = []
    for label, backbone, (f, g), mask in zip(
        unique_labels(backbones), backbones, extracted, masks, strict=True
    ):
        models.append(
            MatchedModel(
                label,
                backbone.origin,
                f.provenance.layer,
                match(f, g, mutual=False, at=at, foreground=mask, refine=settings.refine),
                match(f, g, mutual=False, foreground=mask, refine=settings.refine),
                match(
                    f,
                    g,
                    mutual=settings.mutual,
                    spread=settings.spread,
                    ratio=settings.ratio,
                    foreground=mask,
                    refine=settings.refine,
                ),
                None if keypoints is None else score_keypoints(f, g, keypoints, refine=settings.refine),
            )
        )
    return MatchedPair(one, other, tuple(models), asdict(settings))


def _foreground(f: PatchFeatures, g: PatchFeatures) -> Foreground:
    one, other = foreground_by_pc1([f, g], fit_pca([f, g], n=1))
    return one, other


def _holds(f: PatchFeatures, mask: Foreground | None, place: tuple[float, float]) -> bool:
    return mask is None or bool(mask[0][f.grid.patch_at(*place)])

"""The rows: every metric, asked of a planted photograph or of a planted collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dinoscope.analyses.numbers import PURE
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.boundary import boundary_auc, coherence_auc, foreground_auc
from dinoscope.maths.correspondence import pck
from dinoscope.maths.discovery import Box, box_iou, lost, tokencut
from dinoscope.maths.dispersion import dispersion
from dinoscope.maths.distance import cls_patch_cosine, cosine_by_distance
from dinoscope.maths.equivariance import crop_equivariance, flip_equivariance, shift_equivariance
from dinoscope.maths.frequency import high_frequency_share, radial_spectrum, total_variation
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.norms import norm_outliers
from dinoscope.maths.position import energy_curve, position_fit
from dinoscope.maths.proxies import proxy_coherence, proxy_sharpness
from dinoscope.maths.resample import resolution_consistency
from dinoscope.maths.segments import knn_miou, linear_miou
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.spectrum import effective_rank, gram_spectrum
from validation.subject import CROP, Subject

QUARTER = 0.25
"""Where the curve of cosine against distance is read, in image sides."""

TEST_SHARE = 4
"""One photograph in so many of a collection is held out of mIoU."""


@dataclass(frozen=True, slots=True)
class ImageMetrics:
    """Metrics of one photograph that one function gives."""

    keys: tuple[str, ...]
    ask: Callable[[Subject], Sequence[float]]


@dataclass(frozen=True, slots=True)
class CollectionMetrics:
    """Metrics of a collection that one function gives."""

    keys: tuple[str, ...]
    ask: Callable[[Sequence[Subject]], Sequence[float]]


def _smoothness(s: Subject) -> Sequence[float]:
    triple = smoothness(s.see())
    return triple.neighbour, triple.random_pair, triple.locality


def _quarter(s: Subject) -> Sequence[float]:
    curve = cosine_by_distance(s.see())
    known = curve.pairs > 0
    return (
        float(np.interp(QUARTER, ((curve.edges[:-1] + curve.edges[1:]) / 2)[known], curve.cosine[known])),
    )


def _masked(s: Subject) -> Sequence[float]:
    return (
        boundary_auc(s.see(), s.labels).auc,
        boundary_auc(s.see(), s.labels, min_purity=PURE).auc,
        coherence_auc(s.see(), s.labels).auc,
        coherence_auc(s.see(), s.labels, min_purity=PURE).auc,
    )


def _foreground(s: Subject) -> Sequence[float]:
    found = foreground_auc(s.see(), s.foreground)
    return found.auc, found.null


def _found(s: Subject) -> Sequence[float]:
    return _hit(tokencut(s.see()).box, s), _hit(lost(s.see()).box, s)


def _hit(box: Box | None, s: Subject) -> float:
    return float(box is not None and any(box_iou(box, truth) > 0.5 for truth in s.boxes))


def _pck(s: Subject) -> Sequence[float]:
    return (pck(s.see(), s.see("second"), *s.flow).pck,)


def _proxies(s: Subject) -> Sequence[float]:
    return proxy_sharpness(s.see(), s.photograph).correlation, proxy_coherence(s.see(), s.photograph).auc


def _spectrum(s: Subject) -> Sequence[float]:
    return (
        effective_rank(s.see()),
        effective_rank(s.see(), centre=True),
        float(gram_spectrum(s.see())[0]),
    )


def _position_energy(s: Subject) -> Sequence[float]:
    return (float(energy_curve(s.see(), s.place_basis)[-1]),)


def _frequency(s: Subject) -> Sequence[float]:
    return high_frequency_share(s.see()), radial_spectrum(s.see()).slope, total_variation(s.see())


def _between(s: Subject) -> Sequence[float]:
    return (
        gram_distance(s.other, s.sound),
        gram_correlation(s.other, s.sound),
        linear_cka(s.other, s.sound),
    )


def _resolution(s: Subject) -> Sequence[float]:
    found = resolution_consistency(s.see(), s.see("double"))
    return found.cka, found.gram_correlation


def _equivariance(s: Subject) -> Sequence[float]:
    by = float(s.shift)
    return (
        flip_equivariance(s.see(), s.see("flip")),
        shift_equivariance(s.see(), s.see("shift"), (by, by)),
        shift_equivariance(s.see(), s.see("half"), (0.5, 0.5)),
        crop_equivariance(s.see(), s.see("crop"), CROP),
    )


IMAGE_METRICS = (
    ImageMetrics(("neighbour", "random_pair", "locality"), _smoothness),
    ImageMetrics(("cosine_at_quarter",), _quarter),
    ImageMetrics(("boundary_auc", "boundary_auc_pure", "coherence_auc", "coherence_auc_pure"), _masked),
    ImageMetrics(("foreground_auc", "foreground_auc_null"), _foreground),
    ImageMetrics(("tokencut_hit", "lost_hit"), _found),
    ImageMetrics(("pck",), _pck),
    ImageMetrics(("proxy_sharpness", "proxy_coherence"), _proxies),
    ImageMetrics(("effective_rank", "effective_rank_centred", "common_direction"), _spectrum),
    ImageMetrics(("cls_patch",), lambda s: (cls_patch_cosine(s.see(), s.cls),)),
    ImageMetrics(("position_energy",), _position_energy),
    ImageMetrics(("high_frequency", "spectral_slope", "total_variation"), _frequency),
    ImageMetrics(("gram_distance", "gram_correlation", "cka"), _between),
    ImageMetrics(("resolution_cka", "resolution_gram"), _resolution),
    ImageMetrics(("flip", "shift", "half_shift", "crop"), _equivariance),
)


def _segmentation(subjects: Sequence[Subject]) -> Sequence[float]:
    test = [i % TEST_SHARE == 0 for i in range(len(subjects))]
    train = [s for s, held_out in zip(subjects, test, strict=True) if not held_out]
    held = [s for s, held_out in zip(subjects, test, strict=True) if held_out]
    data = (
        [s.see() for s in train],
        [s.classes for s in train],
        [s.see() for s in held],
        [s.classes for s in held],
    )
    return knn_miou(*data).miou, linear_miou(*data).miou


def _position(subjects: Sequence[Subject]) -> Sequence[float]:
    """An R² below 0 says the same as 0: nothing can be read off."""
    return (max(0.0, position_fit([s.see() for s in subjects]).mean),)


COLLECTION_METRICS = (
    CollectionMetrics(("knn_miou", "linear_miou"), _segmentation),
    CollectionMetrics(("dse",), lambda all_: (dispersion([s.see() for s in all_]).dse,)),
    CollectionMetrics(("outlier_share",), lambda all_: (norm_outliers([s.see() for s in all_]).share,)),
    CollectionMetrics(("position_r2",), _position),
)

"""Colours between the patches of the first photographs of a comparison: interpolated, and marked so."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from dinoscope.comparison.closer.attention import MOST
from dinoscope.comparison.maps import Basis, MapOptions, basis_beside
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Comparison, LedgerEntry
from dinoscope.data.views import COLOURS, CloserLook, View
from dinoscope.maths.upsample import WAYS, upsampled
from dinoscope.pipeline.learned_upsampling import learned_upsampler
from dinoscope.pipeline.upsample import FINE, upsample

NONE = "none"


def check_way(how: str) -> None:
    """Refuse a way before anything is computed.

    Raises:
        InputError: no such way, or torch.hub has not the learned one.
    """
    if how != NONE and how not in WAYS:
        learned_upsampler(how)


def upsampled_look(comparison: Comparison, options: MapOptions, how: str) -> tuple[CloserLook, ...]:
    """`FINE` times as many places along each side; nothing where no way is named.

    Args:
        comparison: made, its photographs as they are shown: the guide of ways that need one.
        options: of its maps; the colours are those of its components, whatever else its maps show.
        how: a way as for `dinoscope.pipeline.upsample.upsample`, or ``none``.
    """
    if how == NONE:
        return ()
    n = min(MOST, len(comparison.photographs))
    bases = [_basis(comparison, m, options) for m in range(len(comparison.models))]
    rows = tuple(
        tuple(view for m, basis in enumerate(bases) for view in _views(comparison, i, m, basis, how))
        for i in range(n)
    )
    told = (
        f"Upsampled ({how}): principal components in {FINE} times as many places along each side, "
        "interpolated between the patches beside. They are not what a model would say there, and nothing on "
        "this page is measured on them."
    )
    return (CloserLook("upsampled", "Upsampled colours", told, rows),)


def upsampled_ledger(how: str) -> tuple[LedgerEntry, ...]:
    """The ledger's line on upsampled maps, where a way was named."""
    if how == NONE:
        return ()
    detail = f"maps marked “upsampled” are interpolated ({how}), to look at; no number is of them."
    return (LedgerEntry("Numbers are of the models' own patches", True, detail),)


def _basis(comparison: Comparison, m: int, options: MapOptions) -> Basis:
    first, column = [(comparison.models[k], [maps[k] for maps in comparison.maps]) for k in (0, m)]
    return basis_beside(column, first if comparison.models[m].alignment else None, options)


def _views(comparison: Comparison, i: int, m: int, basis: Basis, how: str) -> tuple[View, View]:
    label, found = comparison.models[m].label, comparison.features[i][m]
    fine = _fine(comparison, i, found, basis, how)
    coarse = basis.colours(basis.turned(basis.pca.project(found)))
    return (
        View(label, COLOURS, coarse, f"{found.grid.h}×{found.grid.w} patches"),
        View(f"{label}, upsampled", COLOURS, fine, f"{how}: interpolated, no features"),
    )


def _fine(
    comparison: Comparison, i: int, found: PatchFeatures, basis: Basis, how: str
) -> Float[np.ndarray, "h w 3"]:
    size, photograph = (FINE * found.grid.h, FINE * found.grid.w), comparison.photographs[i]
    if how in WAYS:  # means of patches: the same of three scores as of all channels
        scores = basis.turned(basis.pca.project(found)).astype(np.float32)
        return basis.colours(upsampled(scores, size, how, photograph.pixels.astype(np.float32) / 255.0))
    values = upsample(found, size, how, photograph)
    whole = PatchFeatures.from_array(values, image_size=found.grid.image_size)
    return basis.colours(basis.turned(basis.pca.project(whole)))

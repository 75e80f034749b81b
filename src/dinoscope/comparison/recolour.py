"""Colours that are no principal components: entries of the normalised cut, and clusters.

Both are of all patches of all photographs at once, and a further model's are made to look like the first's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.comparison.maps import Drawn
from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import Maps
from dinoscope.maths.align import align_colours
from dinoscope.maths.clusters import fit_clusters, match_labels
from dinoscope.maths.pca import QUANTILES, to_rgb
from dinoscope.maths.spectral import fit_spectral

SHOWN = 3
"""Eigenvectors shown, after the first, which only says how central a patch is."""


def recoloured(
    columns: Sequence[Drawn], features: Sequence[Sequence[PatchFeatures]], kind: str, seed: int
) -> list[Drawn]:
    """Models with other colours on their maps; scores, bases and cosines stay.

    Args:
        columns: of one model each.
        features: ``features[model][photograph]``.
        kind: ``spectral`` or ``clusters``.
        seed: of the clusters.

    Raises:
        InputError: patches that span too few directions, or are too few to count clusters.
    """
    return _cut(columns, features) if kind == "spectral" else _clustered(columns, features, seed)


def _cut(columns: Sequence[Drawn], features: Sequence[Sequence[PatchFeatures]]) -> list[Drawn]:
    first: Float64[np.ndarray, "n 3"] | None = None
    found = []
    for (result, maps), several in zip(columns, features, strict=True):
        spectral = fit_spectral(several, n=1 + SHOWN)
        entries = np.concatenate([spectral.project(f)[..., 1:].reshape(-1, SHOWN) for f in several])
        deviation = entries.std(axis=0)
        scores = (entries - entries.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        values = ", ".join(f"{value:.2f}" for value in spectral.eigenvalues[1:])
        result = replace(result, alignment=None, coloured_by=f"cut, λ {values}")
        if first is None:
            first, reference = scores, result.label
        elif first.any() and scores.any():
            alignment = align_colours(scores, first, reference_name=reference)
            scores = scores @ alignment.rotation
            result = replace(result, alignment=alignment)
        limits = np.quantile(scores, QUANTILES, axis=0).T
        found.append((result, _painted(maps, np.asarray(to_rgb(scores[None], limits=limits))[0])))
    return found


def _clustered(
    columns: Sequence[Drawn], features: Sequence[Sequence[PatchFeatures]], seed: int
) -> list[Drawn]:
    from dinoscope.drawing.style import LABEL_COLOURS

    palette = np.array(LABEL_COLOURS) / 255
    first: Int64[np.ndarray, " n"] | None = None
    found = []
    for (result, maps), several in zip(columns, features, strict=True):
        clusters = fit_clusters(several, seed=seed)
        labels = np.concatenate([clusters.label(f).ravel() for f in several])
        said = f"{len(clusters.sizes)} clusters"
        if first is None:
            first, reference = labels, result.label
        else:
            labels = match_labels(labels, first)[labels]
            said += f", {(labels == first).mean():.0%} as by {reference}"
        result = replace(result, alignment=None, coloured_by=said)
        found.append((result, _painted(maps, palette[labels % len(palette)])))
    return found


def _painted(maps: Sequence[Maps], colours: Float64[np.ndarray, "n 3"]) -> list[Maps]:
    painted, at = [], 0
    for m in maps:
        h, w = m.scores.shape[:2]
        painted.append(replace(m, colours=colours[at : at + h * w].reshape(h, w, 3)))
        at += h * w
    return painted

"""Was the comparison fair? The ledger, line by line."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.comparison.fairness_models import (
    final_norm,
    one_difference,
    one_kind,
    own_normalisation,
    same_arithmetic,
    same_depth,
    same_fineness,
    same_registers,
    unseen_photographs,
)
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import LedgerEntry, ModelResult
from dinoscope.maths.clusters import RULE

ANISOTROPY_STATED = 0.05
"""A resize that changes the aspect ratio by more than this share is flagged."""


def fairness_ledger(
    models: Sequence[ModelResult],
    photographs: Sequence[Photograph],
    features: Sequence[Sequence[PatchFeatures]],
    *,
    official_resize: bool,
    colours: str = "pca",
) -> tuple[LedgerEntry, ...]:
    """Each condition of a fair comparison, whether it was met, and the facts.

    Args:
        models: at least one. What asks for trained models is judged of those alone, and names the controls.
        photographs: or previews of them.
        features: ``features[photograph][model]``.
        official_resize: each family's own resize filter was asked for.
        colours: as in `dinoscope.data.results.Comparison`.
    """
    return (
        _equal_grids(models, features),
        *same_fineness(models),
        _whole_image(features),
        _not_enlarged(models, features),
        _one_filter(features, official=official_resize),
        own_normalisation(models),
        final_norm(models, features),
        same_depth(models),
        same_arithmetic(models),
        one_kind(models),
        same_registers(models),
        _shared_basis(models, colours),
        _aligned_colours(models, colours),
        unseen_photographs(models, photographs),
        one_difference(models),
    )


def _equal_grids(models: Sequence[ModelResult], features: Sequence[Sequence[PatchFeatures]]) -> LedgerEntry:
    equal = all(len({f.grid.shape for f in row}) == 1 for row in features)
    inputs = {
        model.label: sorted({f.grid.input_size for f in column})
        for model, column in zip(models, zip(*features, strict=True), strict=True)
    }
    sizes = "; ".join(
        f"{label}: {'x'.join(map(str, sizes[0]))} px"
        + (f" and {len(sizes) - 1} more" if len(sizes) > 1 else "")
        for label, sizes in inputs.items()
    )
    grids = sorted({f.grid.shape for row in features for f in row})
    listed = ", ".join(f"{h}x{w}" for h, w in grids[:4]) + (" ..." if len(grids) > 4 else "")
    return LedgerEntry(
        "Every model sees a photograph on the same patch grid",
        equal,
        f"patches {listed} (rows x columns); input {sizes}. Equal grids mean unequal pixels where patch "
        "sizes differ.",
    )


def _whole_image(features: Sequence[Sequence[PatchFeatures]]) -> LedgerEntry:
    worst = max((abs(f.grid.anisotropy - 1.0) for row in features for f in row), default=0.0)
    return LedgerEntry(
        "The whole photograph is used, at its own aspect ratio",
        worst <= ANISOTROPY_STATED,
        f"no crop, no padding; resized to the nearest whole grid, which changes the aspect ratio by at "
        f"most {worst:.1%}.",
    )


def _not_enlarged(models: Sequence[ModelResult], features: Sequence[Sequence[PatchFeatures]]) -> LedgerEntry:
    """A photograph with fewer pixels than the input shows the resize, not detail."""
    told: dict[str, list[str]] = {}
    for model, column in zip(models, zip(*features, strict=True), strict=True):
        enlarged = [f.grid for f in column if _is_enlarged(f.grid)]
        if enlarged:
            most = max(enlarged, key=_enlargement)
            (width, height), (below, across) = most.image_size, most.input_size
            said = (
                f"{len(enlarged)} of {len(column)}, at most {_enlargement(most):.2f} times "
                f"({width}x{height} px to {across}x{below} px)"
            )
            told.setdefault(said, []).append(model.label)
    listed = "; ".join(f"{', '.join(labels)}: {said}" for said, labels in told.items())
    detail = (
        f"enlarged to the input, which adds no detail: {listed}."
        if told
        else "every photograph has at least the pixels of every input, but for the rounding to whole patches."
    )
    return LedgerEntry("Photographs are at least as large as the models' inputs", not told, detail)


def _is_enlarged(grid: PatchGrid) -> bool:
    """Both sides grew, or one by more than the rounding to whole patches."""
    (width, height), (below, across) = grid.image_size, grid.input_size
    grown = (across - width, below - height)
    return min(grown) > 0 or max(grown) > grid.patch_size / 2


def _enlargement(grid: PatchGrid) -> float:
    (width, height), (below, across) = grid.image_size, grid.input_size
    return max(across / width, below / height)


def _one_filter(features: Sequence[Sequence[PatchFeatures]], *, official: bool) -> LedgerEntry:
    filters = {f.provenance.resize for row in features for f in row}
    detail = f"{', '.join(sorted(filters))}, antialiased."
    if official:
        detail = f"each family's official filter was asked for: {detail}"
    return LedgerEntry("One resize filter for all models", len(filters) == 1, detail)


_BASES = {
    "pca": "exact PCA of {} patches a model; signs, order and colour limits by a stated rule, none chosen by "
    "eye.",
    "spectral": "exact normalised cut of {} patches a model; signs, order and colour limits by a stated "
    "rule, none chosen by eye.",
    "clusters": "k-means of {} patches a model; their number " + RULE + ".",
}


def _shared_basis(models: Sequence[ModelResult], colours: str) -> LedgerEntry:
    detail = _BASES[colours].format(f"{models[0].pca.n_patches:,}")
    return LedgerEntry("One colour basis per model over all photographs", True, detail)


def _aligned_colours(models: Sequence[ModelResult], colours: str) -> LedgerEntry:
    if colours == "clusters":
        detail = "clusters that share most patches have one number (Hungarian method); "
        detail += "; ".join(f"{m.label}: {m.coloured_by}" for m in models)
        return LedgerEntry("Colours are aligned to the first model's", True, f"{detail}.")
    aligned = [m for m in models if m.alignment is not None]
    detail = (
        "; ".join(
            f"{m.label} to {m.alignment.reference}: residual {m.alignment.residual:.2f}"
            for m in aligned
            if m.alignment is not None
        )
        or "one model only"
    )
    return LedgerEntry(
        "Colours are aligned to the first model's",
        len(aligned) == len(models) - 1,
        f"orthogonal Procrustes on the common grid; {detail} (0: the same map, 1: nothing in common). "
        "Aligned colours are no longer single components.",
    )

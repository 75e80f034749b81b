"""Was the comparison fair? The ledger, line by line."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import LedgerEntry, ModelResult

ANISOTROPY_STATED = 0.05
"""A resize that changes the aspect ratio by more than this share is flagged."""

PAIR = {"bundled with dinoscope: mini", "bundled with dinoscope: mini-gram"}
"""Origins of the two models that were made to differ in one thing."""


def fairness_ledger(
    models: Sequence[ModelResult], features: Sequence[Sequence[PatchFeatures]], *, official_resize: bool
) -> tuple[LedgerEntry, ...]:
    """Each condition of a fair comparison, whether it was met, and the facts.

    Args:
        models: at least one.
        features: ``features[photograph][model]``.
        official_resize: each family's own resize filter was asked for.
    """
    return (
        _equal_grids(models, features),
        _whole_image(features),
        _one_filter(features, official=official_resize),
        _own_normalisation(models),
        _final_norm(features),
        _same_depth(models),
        _same_arithmetic(models),
        _shared_basis(models),
        _aligned_colours(models),
        _one_difference(models),
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


def _one_filter(features: Sequence[Sequence[PatchFeatures]], *, official: bool) -> LedgerEntry:
    filters = {f.provenance.resize for row in features for f in row}
    detail = f"{', '.join(sorted(filters))}, antialiased."
    if official:
        detail = f"each family's official filter was asked for: {detail}"
    return LedgerEntry("One resize filter for all models", len(filters) == 1, detail)


def _own_normalisation(models: Sequence[ModelResult]) -> LedgerEntry:
    assumed = [m.label for m in models if any("assumed" in note for note in m.origin.notes)]
    listed = "; ".join(f"{m.label}: mean {_numbers(m.spec.mean)}, std {_numbers(m.spec.std)}" for m in models)
    if assumed:
        listed += f". Assumed, since a checkpoint does not say: {', '.join(assumed)}"
    return LedgerEntry("Each model gets its own published mean and std", not assumed, f"{listed}.")


def _final_norm(features: Sequence[Sequence[PatchFeatures]]) -> LedgerEntry:
    states = {f.provenance.final_norm for row in features for f in row}
    words = {True: "applied", False: "not applied", None: "unknown"}
    return LedgerEntry(
        "The final normalisation is applied",
        states == {True},
        f"{' and '.join(sorted(words[s] for s in states))}; features are not scaled to unit length for PCA.",
    )


def _same_depth(models: Sequence[ModelResult]) -> LedgerEntry:
    last = all(m.layer == m.spec.depth - 1 for m in models)
    listed = "; ".join(f"{m.label}: layer {m.layer} of 0-{m.spec.depth - 1}" for m in models)
    return LedgerEntry("Each model's last layer is compared", last, f"{listed}.")


def _same_arithmetic(models: Sequence[ModelResult]) -> LedgerEntry:
    kinds = {m.dtype for m in models}
    return LedgerEntry(
        "Forward passes in float32", kinds == {"float32"}, f"computed in {', '.join(sorted(kinds))}."
    )


def _shared_basis(models: Sequence[ModelResult]) -> LedgerEntry:
    return LedgerEntry(
        "One colour basis per model over all photographs",
        True,
        f"exact PCA of {models[0].pca.n_patches:,} patches a model; signs, order and colour limits by a "
        "stated rule, none chosen by eye.",
    )


def _aligned_colours(models: Sequence[ModelResult]) -> LedgerEntry:
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


def _one_difference(models: Sequence[ModelResult]) -> LedgerEntry:
    trained = [m for m in models if not m.spec.control]
    families = {m.spec.family for m in trained}
    if families >= {"dinov2", "dinov3"}:
        detail = (
            "DINOv2 and DINOv3 differ in training data, teacher, patch size, position encoding, high-"
            "resolution training and, without dinov2-reg, registers. The released DINOv3 S, S+, B, L and "
            "H+ are distilled and were not trained with Gram anchoring: a difference cannot be put down to "
            "any one of these."
        )
        return LedgerEntry("The models differ in one thing only", False, detail)
    if {m.origin.source for m in trained} == PAIR:
        detail = (
            "mini and mini-gram are one training run up to its last steps, which saw the same photographs in "
            "the same order; only mini-gram's were held to an early Gram matrix. One pair: another seed "
            "would make another. They say nothing of DINOv2 and DINOv3."
        )
        return LedgerEntry("The models differ in one thing only", True, detail)
    if len(trained) < 2:
        return LedgerEntry(
            "Two trained models are compared",
            False,
            "controls are not trained models: they show what colour, architecture or blur alone can do.",
        )
    return LedgerEntry(
        "The models differ in one thing only",
        False,
        "dinoscope cannot know how these models differ; a difference in the maps names no cause.",
    )


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in values) + ")"

"""What the colours of a comparison's maps are, as plain text."""

from __future__ import annotations

from dinoscope.comparison.words import component_list, number, percent, variance_shown
from dinoscope.data.results import Comparison, ModelResult


def named(comparison: Comparison) -> str:
    """What a colour map shows: ``principal components 1, 2, 3``."""
    if comparison.colours == "spectral":
        return "entries 2, 3, 4 of the normalised cut"
    if comparison.colours == "clusters":
        return "clusters of patches"
    return f"principal components {component_list(comparison)}"


def below(comparison: Comparison, model: ModelResult) -> str:
    """The fact to print below a model's colour map."""
    if comparison.colours != "pca":
        return model.coloured_by
    return f"PC {component_list(comparison)}: {percent(variance_shown(comparison, model))}"


def note(comparison: Comparison) -> str:
    """What the colours are, and what they leave out."""
    text = _whole(comparison)
    for m in comparison.models:
        if m.alignment is not None:
            text += (
                f" Colours of {m.label} are rotated towards those of {m.alignment.reference} (Procrustes "
                f"residual {number(m.alignment.residual, digits=2)}; 0: the same map, 1: nothing in "
                "common), so none of its channels is a single component."
            )
    if any(maps.foreground is not None for row in comparison.maps for maps in row):
        text += f" Black: not foreground ({comparison.settings.get('foreground', 'rule not recorded')})."
    return text


def _whole(comparison: Comparison) -> str:
    models = "; ".join(f"{m.label}: {m.coloured_by}" for m in comparison.models)
    if comparison.colours == "spectral":
        return (
            "Colours: eigenvectors 2, 3 and 4 of the normalised cut of all patches of all photographs "
            f"as red, green, blue, one cut per model ({models}, the eigenvalues); no principal components; "
            "what else there is, is not shown."
        )
    if comparison.colours == "clusters":
        return (
            "Colours: clusters of the patches of all photographs (k-means of directions), numbered like "
            f"the first model's where they share most patches ({models}). A colour is a number and no "
            "quantity: two alike colours say nothing of two clusters."
        )
    shares = "; ".join(
        f"{m.label}: {percent(variance_shown(comparison, m))} of the variance of {m.spec.dim:,} channels"
        for m in comparison.models
    )
    return (
        f"Colours: principal components {component_list(comparison)} as red, green, blue, one basis per "
        f"model over all photographs ({shares}); everything else is not shown."
    )

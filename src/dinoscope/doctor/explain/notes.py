"""What must be read beside a diagnosis: what files state, what recipes leave, lengths, structure."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from jaxtyping import Float

from dinoscope.data.features import Provenance
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import BackboneSpec
from dinoscope.doctor.diagnosis import Outcome, Recipe
from dinoscope.doctor.explain.recipe import spell
from dinoscope.doctor.explain.render import Rendered
from dinoscope.io.foreign_features import ForeignFeatures
from dinoscope.maths.same_places import patch_agreement

ALIKE = 0.95
"""Gram correlation from which features count as the same structure in other channels."""


def departures(name: str, recipe: Recipe) -> list[str]:
    """Which settings of a recipe are not what dinoscope does by default, grid and layer apart."""
    default = Recipe(recipe.model)
    changed = {
        field.name: getattr(recipe, field.name)
        for field in fields(Recipe)
        if field.name not in ("model", "grid", "layer")
        and getattr(recipe, field.name) != getattr(default, field.name)
    }
    return [f"{name} departs from what dinoscope does in {spell(changed)}"] if changed else []


def provenance_notes(
    stated: Provenance | None,
    recipe: Recipe,
    spec: BackboneSpec,
    photograph: Photograph,
    names: tuple[str, str],
) -> list[str]:
    """Where a file's own statement contradicts the recipe or the photograph."""
    if stated is None:
        return []
    notes = []
    if stated.image_digest not in ("", photograph.digest):
        notes.append(
            f"{names[1]} was made of another photograph ({stated.image}): no setting can make the two equal"
        )
    resize = {"official": stated.resize}.get(recipe.resize, recipe.resize)
    expected = {
        "backbone": spec.name,
        "layer": spec.depth - 1 if recipe.layer is None else recipe.layer,
        "final_norm": recipe.norm,
        "dtype": recipe.dtype,
        "resize": resize,
        "mean": recipe.mean or spec.mean,
        "std": recipe.std or spec.std,
    }
    for key, value in expected.items():
        found = getattr(stated, key)
        if found not in (None, "unknown", value):
            notes.append(f"the file states {key} {found}; {names[0]} has {value}")
    return notes


def length_note(
    base: Float[np.ndarray, "n dim"],
    target: Float[np.ndarray, "n dim"],
    names: tuple[str, str],
    before: float,
) -> list[str]:
    """Said where the directions agree and the lengths do not: a cosine is blind to that."""
    if before < 0.99:
        return []
    lengths = [np.linalg.norm(rows.astype(np.float64), axis=1) for rows in (base, target)]
    ratio = float(np.median(lengths[1] / np.maximum(lengths[0], 1e-12)))
    if abs(ratio - 1.0) <= 0.01:
        return []
    spread = lengths[1].std() / max(float(lengths[1].mean()), 1e-12)
    unit = "; all its patches have the same length, as after L2-normalisation" if spread < 1e-5 else ""
    return [
        f"{names[1]}'s patches are {ratio:.4g} times as long as {names[0]}'s, which no cosine shows{unit}"
    ]


def structure_note(
    base: Rendered, target: ForeignFeatures, names: tuple[str, str], outcome: Outcome
) -> list[str]:
    """Said of what nothing explains: whether the patches are alike in the same way, in other channels."""
    if outcome != "unexplained" or len(base.rows) < 3 or np.ptp(target.rows, axis=0).max() == 0:
        return []
    gram = patch_agreement(base.rows, base.shape, target.rows, target.shape, by_gram=True).mean
    if gram < ALIKE:
        return [
            f"the similarities between patches differ too (Gram correlation {gram:.4f}): this is more than "
            "another order or basis of the channels"
        ]
    return [
        f"yet {names[0]} and {names[1]} have the same similarities between patches (Gram correlation "
        f"{gram:.4f}): the same features in other channels, rotated, projected or reordered"
    ]

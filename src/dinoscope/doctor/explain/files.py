"""Two files of features, and no model to vary: what do their arrays and their own words say?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dinoscope.data.photograph import Photograph
from dinoscope.doctor.diagnosis import Diagnosis, Effect, Measure
from dinoscope.doctor.explain.arrays import array_effects
from dinoscope.doctor.explain.notes import length_note, structure_note
from dinoscope.doctor.explain.render import Rendered
from dinoscope.doctor.explain.verdict import concluded, shown
from dinoscope.errors import ShapeError
from dinoscope.io.foreign_features import ForeignFeatures
from dinoscope.maths.same_places import cka_same_places, patch_agreement


def compare_files(
    old: str, new: str, first: ForeignFeatures, second: ForeignFeatures, photograph: Photograph
) -> Diagnosis:
    """Compare the arrays, and turn, shift and centre OLD's; no model is run.

    Raises:
        ShapeError: a bare sequence of another length than the other file's.
        InputError: constant features of differing channels.
    """
    by_gram = first.rows.shape[1] != second.rows.shape[1]
    if None in (first.shape, second.shape) and len(first.rows) != len(second.rows):
        raise ShapeError(
            "NEW (say its grid: FILE?grid=24x32)",
            expected=f"n={len(first.rows)} dim",
            actual=second.rows.shape,
        )
    before = patch_agreement(first.rows, first.shape, second.rows, second.shape, by_gram=by_gram)
    notes = ["both are files: no model was run, only the arrays are compared"]
    names = ("OLD", "NEW")
    facts: list[Mapping[str, object]] = []
    for features, name in zip((first, second), names, strict=True):
        if features.provenance is not None:
            if features.provenance.image_digest not in ("", photograph.digest):
                notes.append(f"{name} was made of another photograph ({features.provenance.image})")
            facts.append({f: getattr(features.provenance, f) for f in features.provenance.__slots__})
    if len(facts) == 2:
        differing = {
            key: (facts[0][key], facts[1][key]) for key in facts[0] if facts[0][key] != facts[1][key]
        }
        notes += [f"the files state another {key}: {a} against {b}" for key, (a, b) in differing.items()]
    effects: tuple[Effect, ...] = ()
    if not by_gram:
        effects = tuple(sorted(array_effects(first, second), key=lambda effect: -effect.to_new))
        notes += length_note(first.rows, second.rows, names, before.mean) if not before.averaged else []
    measure: Measure = "Gram correlation" if by_gram else "patch cosine"
    found = concluded(before.mean, effects, (), measure=measure, names=names)
    if found.outcome == "unexplained" and not by_gram and not before.averaged:
        base = Rendered(np.array(first.rows), first.shape or (1, 1))
        notes += structure_note(base, second, names, found.outcome)
    if by_gram and found.outcome != "same":
        channels = first.rows.shape[1], second.rows.shape[1]
        said = (
            f"OLD has {channels[0]} channels, NEW {channels[1]}: cosines between them mean nothing; the Gram "
            f"correlation is {shown(before.mean)}. Give OLD as a model to find what made NEW."
        )
        found = replace(found, outcome="described", verdict=said)
    cka = cka_same_places(first.rows, first.shape, second.rows, second.shape)
    return replace(found, old=old, new=new, photo=photograph.name, cka=cka, notes=tuple(notes))

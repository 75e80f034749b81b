"""How much models disagree on a photograph, and in which order photographs are shown for it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.data.results import Comparison

MEASURE = "gram_correlation"
SAID = "correlation of their cosine Gram matrices"


def disagreements(comparison: Comparison) -> Float64[np.ndarray, " photographs"]:
    """1 minus the Gram correlation with the first model: a mean over the other trained models, or over all
    others where none is trained.

    In [0, 2]; 0 where every two patches are equally alike in all models, 1 where the cosines of one say
    nothing of another's. NaN where it was not measured.
    """
    measured = comparison.measurements
    rows = measured.values.get(MEASURE)
    by_digest = dict(zip(measured.digests, rows, strict=True)) if rows is not None else {}
    trained = [j for j, model in enumerate(comparison.models) if j and not model.spec.control]
    found = []
    for photograph in comparison.photographs:
        values = by_digest.get(photograph.digest, np.zeros(0))
        values = values[trained] if trained and len(values) else values
        known = values[np.isfinite(values)]
        found.append(1.0 - float(known.mean()) if len(known) else np.nan)
    return np.array(found)


def most_different_first(comparison: Comparison) -> list[int]:
    """Indices of the photographs; those of which it is not known come last, as given."""
    found = disagreements(comparison)
    return [int(i) for i in np.argsort(-np.nan_to_num(found, nan=-1.0), kind="stable")]

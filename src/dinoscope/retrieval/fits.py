"""Which suppression does a search apply? Fitted on the whole table, for queries from outside of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dinoscope.errors import InputError, MissingFeaturesError
from dinoscope.maths.background import background_means
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.pooling import FOREGROUND_RULE
from dinoscope.maths.suppression import (
    ANY_POOLING,
    SUPPRESSIONS,
    Suppression,
    fit_background,
    fit_centre,
    fit_common,
    fit_whiten,
    no_suppression,
)
from dinoscope.store.reading import each_row, pooled_vectors, vector_statistics
from dinoscope.store.store import FeatureStore, FeatureTable, table_of
from dinoscope.store.suppressions import check_suppression, fitted_for

LEAST_WHITENED = 1e-3
"""Whitening divides by the deviation: directions of less variance than this share of the largest would mostly
enlarge the rounding of stored float16 vectors."""


def fit_suppression(
    store: FeatureStore | FeatureTable,
    kind: str,
    *,
    pooling: str = "mean",
    components: int | None = None,
) -> Suppression:
    """A suppression fitted on everything a table holds; it remembers which vectors it is for.

    Args:
        store: a store, or one table of it.
        kind: ``none``, ``centre``, ``common``, ``whiten`` or ``background``. The background is that of
            each photograph's mean background patch (`FOREGROUND_RULE`).
        pooling: whose vectors it is for.
        components: directions removed (for ``whiten``: kept); None for one in a hundred channels (Mu &
            Viswanath, arXiv 1702.01417, propose about that for ``common``), and for whitening every
            component with more than `LEAST_WHITENED` of the largest variance. `evaluate_retrieval` chooses
            by held-out score where there are labels.

    Raises:
        InputError: no such kind, or a number of directions that cannot be.
        MissingFeaturesError: an empty table, or photographs without any background.
    """
    table = store if isinstance(store, FeatureTable) else table_of(store)
    dim = table.settings.dim
    if kind not in SUPPRESSIONS:
        raise InputError(f"no suppression {kind!r}; there are {', '.join(SUPPRESSIONS)}")
    if kind == "none":
        return no_suppression(dim)
    count = max(1, dim // 100) if components is None else components
    if kind == "background":
        return replace(_background(table, count), fitted_for=fitted_for(table, ANY_POOLING))
    return replace(
        _of_vectors(table, kind, pooling, count, components), fitted_for=fitted_for(table, pooling)
    )


def suppression_for(
    table: FeatureTable, suppress: str | Suppression, *, pooling: str, components: int | None = None
) -> Suppression:
    """A kind of suppression fitted on a table, or a fitted one that must be for its vectors.

    Raises:
        InputError: as `fit_suppression`, or components with a fitted one.
        ProvenanceMismatchError: fitted for other vectors.
    """
    if isinstance(suppress, str):
        return fit_suppression(table, suppress, pooling=pooling, components=components)
    if components is not None:
        raise InputError("components are for a suppression by name: one that is fitted has its own")
    check_suppression(table, pooling, suppress)
    return suppress


def _of_vectors(
    table: FeatureTable, kind: str, pooling: str, count: int, components: int | None
) -> Suppression:
    moments = vector_statistics(table, pooling)
    said = f"the {pooling} vectors of the {moments.n} photographs searched"
    if kind == "centre":
        return fit_centre(moments, fitted_on=said)
    if kind == "common":
        return fit_common(moments, count, fitted_on=said)
    whole = fit_whiten(moments, components, fitted_on=said)
    if components is not None:
        return whole
    return whole.leading(int((whole.energy > LEAST_WHITENED * whole.energy[0]).sum()))


def _background(table: FeatureTable, components: int) -> Suppression:
    shares = np.array([row.foreground_share for row in each_row(table)])
    means, foreground = (pooled_vectors(table, name).astype(np.float32) for name in ("mean", "foreground"))
    if not len(means):
        raise MissingFeaturesError(f"the table {table.name} is empty: nothing can be fitted on it")
    found = background_means(means, foreground, shares)
    if not len(found):
        raise MissingFeaturesError(f"no photograph of the table {table.name} has a background by the rule")
    said = f"the mean background patch of {len(found)} photographs searched ({FOREGROUND_RULE})"
    return fit_background(patch_moments(found), components, fitted_on=said)

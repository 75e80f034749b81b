"""Why this match, and which patches of a collection look like this one?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.kinds import check_features
from dinoscope.data.retrieval import Match, PatchHit
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.maths.contribution import PAIRS, contribution
from dinoscope.maths.patches import SHORTEST, unit
from dinoscope.maths.pooling import own_foreground
from dinoscope.maths.suppression import Suppression, no_suppression
from dinoscope.retrieval.queries import Region, pooled
from dinoscope.store.reading import StoredRow, check_condition, each_dense
from dinoscope.store.store import FeatureStore, check_provenance, table_of
from dinoscope.store.suppressions import check_suppression


def why_match(
    query: PatchFeatures,
    hit: PatchFeatures,
    *,
    pooling: str = "mean",
    suppression: Suppression | None = None,
    region: Region | None = None,
    pairs: int = PAIRS,
) -> Match:
    """What every patch of two photographs gives to the cosine of their pooled vectors.

    Args:
        query, hit: features of one model.
        pooling: ``mean`` and ``foreground`` are exact; of ``gem`` and ``cls``, which are no weighted means of
            patches, the shares are those of the plain mean, and the score is their own.
        suppression: applied to the pooled vectors; None for none.
        region: of the query; the whole of it where None.
        pairs: how many of the strongest pairs of patches.

    Raises:
        InputError: no such pooling, or a pooled vector of length 0.
        ShapeError: different channels.
    """
    place = region or Region()
    fitted = suppression or no_suppression(query.dim)
    inside = place.weights(query)
    foreground = pooling == "foreground"
    weights = own_foreground(query).astype(np.float64) if foreground and place.whole else inside
    held = own_foreground(hit).astype(np.float64) if foreground else np.ones(hit.grid.shape)
    found = contribution(
        query.values.reshape(-1, query.dim),
        hit.values.reshape(-1, hit.dim),
        fitted,
        query_weights=_some(weights),
        hit_weights=_some(held),
        pairs=pairs,
    )
    exact = pooling in ("mean", "foreground")
    score = found.score
    if not exact:
        a, b = fitted.apply(pooled(query, pooling, place)), fitted.apply(pooled(hit, pooling, Region()))
        score = float(unit(a[None])[0] @ unit(b[None])[0])
    return Match(
        score=score,
        query=found.query.reshape(query.grid.shape),
        hit=found.hit.reshape(hit.grid.shape),
        pairs=tuple((divmod(int(i), query.grid.w), divmod(int(j), hit.grid.w)) for i, j in found.pairs),
        pair_shares=tuple(float(share) for share in found.pair_shares),
        pooling=pooling,
        suppression=fitted.kind,
        exact=exact,
    )


def search_patches(
    store: FeatureStore,
    query: PatchFeatures,
    at: tuple[float, float],
    *,
    k: int = 10,
    suppression: Suppression | None = None,
    each: int = 1,
    where: str | None = None,
    table: str | None = None,
) -> tuple[PatchHit, ...]:
    """The patches of a collection of largest cosine with one patch, photograph by photograph.

    The query's own photograph is left out. One pass over the maps; memory is that of a batch of them
    (`dinoscope.store.reading.DENSE_BYTES`) and of the best so far. Of equal cosines the earlier patch comes
    first.

    Args:
        store: whose table keeps whole maps (``embed --dense``).
        query: features made as the table's.
        at: a place (x, y) in [0, 1]²: the patch there.
        k: patches to return.
        suppression: applied to every patch; None for none.
        each: at most so many of one photograph.
        where: a condition on the columns, as for `search`.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        MissingFeaturesError: the table keeps no maps.
        EmptyIndexError: no other photograph, or none that fits the condition.
        ProvenanceMismatchError: features or a suppression of another kind.
        InputError: k or each below 1, a condition that cannot be used.
    """
    if k < 1 or each < 1:
        raise InputError(f"k and each must be at least 1, got {k} and {each}")
    chosen = table_of(store, table)
    check_features(query)
    check_provenance(chosen, query.provenance)
    fitted = suppression or no_suppression(query.dim)
    check_suppression(chosen, None, fitted)
    if where is not None:
        check_condition(chosen, where)
    sought = unit(fitted.apply(query.values[query.grid.patch_at(*at)]))
    plain = fitted.kind == "none"
    best: list[tuple[float, StoredRow, int]] = []
    floor, seen = -np.inf, 0
    for row, features in each_dense(chosen, where=where):
        if row.digest == query.provenance.image_digest:
            continue
        seen += 1
        values = features.values.reshape(-1, features.dim)
        strongest = _strongest(values if plain else fitted.apply(values), sought, each, floor)
        better = [(score, row, flat) for score, flat in strongest]
        if better:
            best = sorted([*best, *better], key=lambda hit: -hit[0])[:k]
            floor = best[-1][0] if len(best) == k else floor
    if not seen:
        fitting = "" if where is None else f" that fits the condition {where!r}"
        raise EmptyIndexError(f"the table {chosen.name} has no other photograph{fitting} to search in")
    return tuple(_hit(rank, *found) for rank, found in enumerate(best, 1))


def _hit(rank: int, score: float, row: StoredRow, flat: int) -> PatchHit:
    place = divmod(flat, row.grid.w)
    return PatchHit(rank, score, row.source, row.digest, *place, _share(row.grid, *place))


def _strongest(
    values: Float[np.ndarray, "n dim"], sought: Float64[np.ndarray, " dim"], count: int, floor: float
) -> list[tuple[float, int]]:
    """The ``count`` patches of largest cosine with a unit vector, where above the floor, best first.

    Found in the values' own precision with its error bound as a margin, and ranked in float64, as in `top_k`.

    Raises:
        InputError: NaN or infinite values.
    """
    lengths = np.sqrt(np.einsum("nd,nd->n", values, values))
    cosines = (values @ sought.astype(values.dtype)) / np.maximum(lengths, SHORTEST)
    if not np.isfinite(cosines).all():
        raise InputError("a stored map holds NaN, infinite or far too large values")
    margin = (values.shape[1] + 8) * 2 * float(np.finfo(values.dtype).eps)
    least = floor if count >= len(cosines) else max(floor, float(np.partition(cosines, -count)[-count]))
    places = np.flatnonzero(cosines >= least - margin)
    exact = np.clip(unit(values[places].astype(np.float64)) @ sought, -1.0, 1.0)
    order = np.argsort(-exact, kind="stable")[:count]
    return [(float(exact[i]), int(places[i])) for i in order if exact[i] > floor]


def _share(grid: PatchGrid, row: int, col: int) -> tuple[float, float, float, float]:
    """A patch's footprint in [0, 1]² of the photograph."""
    (left, top, right, bottom), (width, height) = grid.box(row, col), grid.image_size
    return left / width, top / height, right / width, bottom / height


def _some(weights: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, " n"]:
    """Equal weights where none is left."""
    flat = weights.ravel()
    return flat if flat.any() else np.ones(len(flat))

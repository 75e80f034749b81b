"""Why this match, and which patches of a collection look like this one?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from dinoscope.analyses.search_queries import Region, pooled
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.retrieval import Match, PatchHit
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.io.store import FeatureStore, check_provenance, each_row, read_dense
from dinoscope.maths.contribution import PAIRS, contribution
from dinoscope.maths.patches import unit
from dinoscope.maths.pooling import own_foreground
from dinoscope.maths.suppression import Suppression, no_suppression


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
    inside = place.inside(query).astype(np.float64)
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
    table: str | None = None,
) -> tuple[PatchHit, ...]:
    """The patches of a collection of largest cosine with one patch, photograph by photograph.

    The query's own photograph is left out. Memory is that of one map.

    Args:
        store: whose table keeps whole maps (``embed --dense``).
        query: features made as the table's.
        at: a place (x, y) in [0, 1]²: the patch there.
        k: patches to return.
        suppression: applied to every patch; None for none.
        each: at most so many of one photograph.
        table: name of the table or of its backbone, where the store has several.

    Raises:
        MissingFeaturesError: the table keeps no maps.
        EmptyIndexError: no other photograph.
        ProvenanceMismatchError: features of another kind.
        InputError: k or each below 1.
    """
    if k < 1 or each < 1:
        raise InputError(f"k and each must be at least 1, got {k} and {each}")
    chosen = store.table(table)
    check_provenance(chosen, query.provenance)
    fitted = suppression or no_suppression(query.dim)
    row, col = query.grid.patch_at(*at)
    sought = unit(fitted.apply(query.values[row, col])[None])[0]
    found: list[tuple[float, str, str, int, int, tuple[float, float, float, float]]] = []
    seen = 0
    for stored in each_row(chosen):
        if stored.digest == query.provenance.image_digest:
            continue
        seen += 1
        features = read_dense(chosen, stored.digest)
        cosines = unit(fitted.apply(features.values.reshape(-1, features.dim))) @ sought
        for flat in np.argsort(-cosines, kind="stable")[:each]:
            r, c = divmod(int(flat), features.grid.w)
            found.append(
                (float(cosines[flat]), stored.source, stored.digest, r, c, _share(features.grid, r, c))
            )
        found = sorted(found, key=lambda hit: -hit[0])[:k]
    if not seen:
        raise EmptyIndexError(f"the table {chosen.name} has no other photograph to search in")
    return tuple(
        PatchHit(rank, min(max(score, -1.0), 1.0), source, digest, r, c, box)
        for rank, (score, source, digest, r, c, box) in enumerate(found, 1)
    )


def _share(grid: PatchGrid, row: int, col: int) -> tuple[float, float, float, float]:
    """A patch's footprint in [0, 1]² of the photograph."""
    (left, top, right, bottom), (width, height) = grid.box(row, col), grid.image_size
    return left / width, top / height, right / width, bottom / height


def _some(weights: Float64[np.ndarray, "h w"]) -> Float64[np.ndarray, " n"]:
    """Equal weights where none is left."""
    flat = weights.ravel()
    return flat if flat.any() else np.ones(len(flat))

"""Does retrieval improve once background directions are suppressed? Every pooling, suppression and rank.

Nothing is fitted on a query that it is applied to. Photographs are in folds. The queries of a fold are
scored against all other labelled photographs, with a suppression fitted on the other folds; how many
directions it has is chosen among those other folds too, each of them in turn held out from both the fit
and the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from dinoscope.data.retrieval import FIRST, RetrievalScores
from dinoscope.errors import InputError, ShapeError
from dinoscope.evaluation.bench import Bench
from dinoscope.evaluation.fits import Fits, FoldMoments
from dinoscope.evaluation.rows import BASELINE, Column, Tried, rows_of, warnings_of
from dinoscope.maths.retrieval_scores import (
    CUTOFFS,
    chance_average_precision,
    score_columns,
)
from dinoscope.maths.suppression import RANKED, SUPPRESSIONS, Suppression
from dinoscope.maths.suppression_controls import CONTROLS, overlap

KS = (0, 1, 2, 4, 8, 16, 32)
DRAWS = 3
MAX_QUERIES = 2000


def evaluate_vectors(
    vectors: Mapping[str, Float[np.ndarray, "n _"]],
    labels: Sequence[str | None],
    folds: Int[np.ndarray, " n"],
    *,
    background: FoldMoments | None = None,
    patches: FoldMoments | None = None,
    poolings: Sequence[str] | None = None,
    suppressions: Sequence[str] | None = None,
    ks: Sequence[int] = KS,
    kept: Sequence[int] | None = None,
    controls: Sequence[str] | None = None,
    cutoffs: Sequence[int] = CUTOFFS,
    draws: int = DRAWS,
    centred_background: bool = False,
    background_rule: str = "background patches",
    max_queries: int = MAX_QUERIES,
    seed: int = 0,
) -> RetrievalScores:
    """Score every pooling with every suppression, each photograph in turn searching for its class.

    Args:
        vectors: by pooling, in one order of photographs, not normalised; ``mean`` must be among them.
        labels: of the photographs; None where unknown: not ranked, but fitted on.
        folds: of the photographs, at least 3 different, as from `dinoscope.maths.folds.fold_of`.
        background: of each fold, by its number, moments of the patches that a named mask calls background.
        patches: of each fold, moments of all its patches: for the control ``all_patches``.
        poolings: which; None for all that are given.
        suppressions: which; None for all that can be fitted on what is given.
        ks: directions removed, to choose from (``common``, ``background``); 0 may be among them.
        kept: components kept, to choose from (``whiten``); None for powers of two up to all.
        controls: of ``common`` and ``background``; None for all that can be had. ``matched`` is one of
            ``background`` alone: the directions of ``common`` are the only ones with their variance.
        cutoffs: of recall and success.
        draws: of each random control; scores are means over them.
        centred_background: subtract the mean of the background patches, and remove the directions of
            their covariance; otherwise those of their second moment about zero.
        background_rule: the mask's rule, in words.
        max_queries: a random choice of so many labelled photographs, where there are more.
        seed: of that choice and of the random controls.

    Raises:
        InputError: no ``mean``, unknown names, labels of fewer than two classes, no query with a relevant
            photograph, fewer than 3 folds, NaN, or nothing to fit a suppression on.
        ShapeError: labels, folds or vectors for different numbers of photographs.

    Intervals are a jackknife over the labelled photographs, each left out as a query and from the collection,
    with the suppressions that were fitted as they are.

    Cost: for each pooling, suppression and rank about as many rankings of all queries as there are folds;
    sorting them dominates: quadratic in photographs. Leaving each photograph out costs one more sort of every
    ranking that is shown, not one for each photograph.
    """
    poolings = tuple(vectors) if poolings is None else tuple(dict.fromkeys((BASELINE[0], *poolings)))
    if suppressions is None:
        suppressions = [s for s in SUPPRESSIONS if s != "background" or background is not None]
    suppressions = tuple(dict.fromkeys((BASELINE[1], *suppressions)))
    if controls is None:
        controls = [c for c in CONTROLS if c != "all_patches" or patches is not None]
    _check_names(vectors, poolings, suppressions, controls, background, patches)
    classes, class_of = _classes(labels)
    folds = np.asarray(folds, dtype=np.int64)
    for name in poolings:
        _check_vectors(name, vectors[name], len(labels))
    if folds.shape != (len(labels),):
        raise ShapeError("folds", expected=f"n={len(labels)}", actual=folds.shape)
    if len(np.unique(folds)) < 3:
        raise InputError("choosing a rank off the queries needs photographs in at least 3 folds")
    if draws < 1 or max_queries < 1:
        raise InputError("draws and max_queries must be at least 1")
    labelled = np.flatnonzero(class_of >= 0)
    queries = labelled
    if len(labelled) > max_queries:
        queries = np.sort(np.random.default_rng(seed).choice(labelled, max_queries, replace=False))
    bench = Bench(class_of, folds, labelled, queries, cutoffs)
    sizes = np.bincount(class_of[labelled])[class_of[queries]] - 1
    if len(bench.asked) < 2:
        raise InputError("choosing a rank off the queries needs queries in at least 2 folds")
    if not sizes.any():
        raise InputError("no query has a relevant photograph: every label is used once")
    known = [chance_average_precision(int(r), len(labelled) - 1) for r in sizes if r > 0]

    tried: list[Tried] = []
    for name in poolings:
        matrix = np.asarray(vectors[name], dtype=np.float64)
        fits = Fits(
            matrix, folds, background, patches,
            centred=centred_background, background_rule=background_rule, seed=seed,
        )  # fmt: skip
        for kind in suppressions:
            ladder = fits.ladder(kind, ks, kept)
            own = _try(bench, matrix, fits, name, kind, ladder)
            tried.append(own)
            for control in controls if kind in RANKED else ():
                if control == "matched" and kind != "background":
                    continue
                repeats = 1 if control == "all_patches" else draws
                tried.append(_try_control(bench, matrix, fits, own, control, repeats))
    settings = {
        "folds": len(bench.used),
        "ks": tuple(ks),
        "kept": "powers of two" if kept is None else tuple(kept),
        "draws": draws,
        "centred_background": centred_background,
        "background_rule": background_rule if background is not None else "",
        "max_queries": max_queries,
        "seed": seed,
    }
    return RetrievalScores(
        queries=tuple(int(i) for i in queries),
        labels=tuple(classes[class_of[i]] for i in queries),
        scores=tuple(tried[0].scores[None]),
        rows=rows_of(tried, bench.fold_of_query, bench.used, bench.counts_left_out()),
        chance=float(np.mean(known)),
        n_images=len(labelled),
        n_unlabelled=len(labels) - len(labelled),
        n_undefined=int((sizes == 0).sum()),
        settings=settings,
        warnings=warnings_of(
            tried,
            ks,
            n_known=int((sizes > 0).sum()),
            n_unlabelled=len(labels) - len(labelled),
            n_undefined=int((sizes == 0).sum()),
        ),
    )


def _try(
    bench: Bench,
    vectors: Float64[np.ndarray, "n dim"],
    fits: Fits,
    pooling: str,
    kind: str,
    ladder: tuple[int | None, ...],
) -> Tried:
    """A suppression at every rank, and for each fold the rank that is best without it."""
    chosen: dict[int, int | None] = {}
    for fold in bench.asked:
        means = []
        for k in ladder if len(ladder) > 1 else ():
            inner = [
                ranks
                for other in bench.asked
                if other != fold
                for ranks in bench.ranks(vectors, fits.fit(kind, frozenset((fold, other)), k), other, fold)
            ]
            values = score_columns(inner, ())["ap"]
            known = values[~np.isnan(values)]
            means.append(known.mean() if len(known) else -np.inf)
        best = next((i for i, m in enumerate(means) if m >= max(means) - 1e-12), 0)
        chosen[fold] = ladder[best]
    own = Tried(pooling, kind, "", ladder, chosen)
    for k in ladder:

        def without(fold: int, k: int | None = k) -> Suppression:
            return fits.fit(kind, frozenset((fold,)), k)

        own.scores[k] = _scored(bench, vectors, own, k, without)
    return own


def _try_control(
    bench: Bench,
    vectors: Float64[np.ndarray, "n dim"],
    fits: Fits,
    own: Tried,
    control: str,
    repeats: int,
) -> Tried:
    """A control at every rank of its suppression; scores are means over the draws."""
    found = Tried(own.pooling, own.suppression, control, own.ladder, own.chosen)
    for k in (k for k in own.ladder if k is not None):
        draws = []
        for draw in range(repeats):

            def drawn(fold: int, k: int = k, draw: int = draw) -> Suppression:
                out = frozenset((fold,))
                other = fits.control(control, own.suppression, out, k, draw)
                if k == own.chosen[fold] and k > 0:
                    found.overlaps.append(overlap(fits.fit(own.suppression, out, k), other))
                return other

            draws.append(_scored(bench, vectors, found, k, drawn, share=1 / repeats))
        found.scores[k] = {key: np.mean([draw[key] for draw in draws], axis=0) for key in draws[0]}
    return found


def _scored(
    bench: Bench,
    vectors: Float64[np.ndarray, "n dim"],
    into: Tried,
    k: int | None,
    fitted: Callable[[int], Suppression],
    *,
    share: float = 1.0,
) -> dict[str, Column]:
    """Every query's scores with what was fitted without its fold; sums with photographs left out are kept."""
    order, ranks = [], []
    for fold in bench.asked:
        names = bench.scores if into.chosen[fold] == k else (FIRST,)
        found, sums = bench.left_out(vectors, fitted(fold), fold, names=names)
        order.append(np.flatnonzero(bench.fold_of_query == fold))
        ranks += found
        into.leave_out(k, sums, share, chosen=into.chosen[fold] == k)
    columns = score_columns(ranks, bench.cutoffs)
    back = np.argsort(np.concatenate(order))
    return {key: column[back] for key, column in columns.items()}


def _classes(labels: Sequence[str | None]) -> tuple[list[str], Int64[np.ndarray, " n"]]:
    classes = sorted({label for label in labels if label is not None})
    if len(classes) < 2:
        raise InputError(
            f"retrieval needs photographs of at least two classes, the labels name {len(classes)}: with one "
            "class every ranking is perfect"
        )
    number = {label: i for i, label in enumerate(classes)}
    return classes, np.array([-1 if label is None else number[label] for label in labels], np.int64)


def _check_names(
    vectors: Mapping[str, object],
    poolings: Sequence[str],
    suppressions: Sequence[str],
    controls: Sequence[str],
    background: FoldMoments | None,
    patches: FoldMoments | None,
) -> None:
    if BASELINE[0] not in vectors:
        raise InputError("gains refer to the plain mean: vectors of the pooling 'mean' are needed")
    for what, asked, known in (
        ("pooling", poolings, tuple(vectors)),
        ("suppression", suppressions, SUPPRESSIONS),
        ("control", controls, CONTROLS),
    ):
        for name in asked:
            if name not in known:
                raise InputError(f"no {what} {name!r}; there are {', '.join(known)}")
    if "background" in suppressions and background is None:
        raise InputError("the suppression 'background' needs moments of background patches of each fold")
    if "all_patches" in controls and patches is None:
        raise InputError("the control 'all_patches' needs moments of all patches of each fold")


def _check_vectors(name: str, values: Float[np.ndarray, "n _"], n: int) -> None:
    if values.ndim != 2 or len(values) != n or values.shape[1] == 0:
        raise ShapeError(f"vectors {name!r}", expected=f"n={n} dim", actual=values.shape)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(f"vectors {name!r}: photograph {int(bad[0])} holds NaN or infinite values")

"""Does retrieval improve once background directions are suppressed? Every pooling, suppression and rank.

Nothing is fitted on a query that it is applied to. Photographs are in folds. The queries of a fold are
scored against all other labelled photographs, with a suppression fitted on the other folds; how many
directions it has is chosen among those other folds too, each of them in turn held out from both the fit
and the choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dinoscope.data.retrieval import FIRST, RetrievalScores
from dinoscope.errors import InputError, ShapeError
from dinoscope.evaluation.fits import Fits
from dinoscope.evaluation.judged import JudgedCollection
from dinoscope.evaluation.protocol import FoldStatistics, Protocol
from dinoscope.evaluation.rows import BASELINE, Column, Tried, rows_of, warnings_of
from dinoscope.maths.retrieval_scores import Ranks, Score, score_columns, scores_named
from dinoscope.maths.suppression import RANKED, SUPPRESSIONS, Suppression
from dinoscope.maths.suppression_controls import CONTROLS, overlap


def evaluate_vectors(
    vectors: Mapping[str, Float[np.ndarray, "n _"]],
    labels: Sequence[str | None],
    folds: Int[np.ndarray, " n"],
    statistics: FoldStatistics | None = None,
    protocol: Protocol | None = None,
) -> RetrievalScores:
    """Score every pooling with every suppression, each photograph in turn searching for its class.

    Args:
        vectors: by pooling, in one order of photographs, not normalised; ``mean`` must be among them.
        labels: of the photographs; None where unknown: not ranked, but fitted on.
        folds: of the photographs, at least 3 different, as from `dinoscope.maths.folds.fold_of`.
        statistics: of the patches of each fold; None where they are not known.
        protocol: what is tried; None for the defaults.

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
    protocol, statistics = protocol or Protocol(), statistics or FoldStatistics()
    poolings, suppressions, controls = _chosen(vectors, statistics, protocol)
    for name in poolings:
        _check_vectors(name, vectors[name], len(labels))
    judged = JudgedCollection(labels, folds, max_queries=protocol.max_queries, seed=protocol.seed)
    if len(judged.used) < 3:
        raise InputError("choosing a rank off the queries needs photographs in at least 3 folds")
    if len(judged.asked) < 2:
        raise InputError("choosing a rank off the queries needs queries in at least 2 folds")
    scores = scores_named(protocol.cutoffs)
    tried: list[Tried] = []
    for name in poolings:
        fits = Fits(np.asarray(vectors[name], dtype=np.float64), judged.folds, statistics, protocol)
        trial = _Trial(judged, fits, scores)
        for kind in suppressions:
            own = trial.suppression(name, kind)
            tried.append(own)
            for control in controls if kind in RANKED else ():
                if control != "matched" or kind == "background":
                    tried.append(trial.control(own, control))
    n_undefined, n_unlabelled = int((judged.n_relevant == 0).sum()), len(labels) - len(judged.labelled)
    return RetrievalScores(
        queries=tuple(int(i) for i in judged.queries),
        labels=tuple(judged.classes[judged.class_of[i]] for i in judged.queries),
        scores=tuple(scores),
        rows=rows_of(tried, judged.fold_of_query, judged.used, judged.counts_left_out()),
        chance=float(np.nanmean(judged.chance())),
        n_images=len(judged.labelled),
        n_unlabelled=n_unlabelled,
        n_undefined=n_undefined,
        settings={
            "folds": len(judged.used),
            "ks": tuple(protocol.ks),
            "kept": "powers of two" if protocol.kept is None else tuple(protocol.kept),
            "draws": protocol.draws,
            "centred_background": protocol.centred_background,
            "background_rule": "" if statistics.background is None else statistics.rule,
            "max_queries": protocol.max_queries,
            "seed": protocol.seed,
        },
        warnings=warnings_of(
            tried,
            protocol.ks,
            n_known=len(judged.queries) - n_undefined,
            n_unlabelled=n_unlabelled,
            n_undefined=n_undefined,
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    """One pooling's vectors, what is fitted on them, and who judges the rankings."""

    judged: JudgedCollection
    fits: Fits
    scores: Mapping[str, Score]

    def suppression(self, pooling: str, kind: str) -> Tried:
        """A suppression at every rank, and for each fold the rank that is best without it."""
        ladder, fits, judged = self.fits.ladder(kind), self.fits, self.judged
        chosen: dict[int, int | None] = {}
        for fold in judged.asked:
            means = []
            for k in ladder if len(ladder) > 1 else ():
                inner: list[Ranks] = []
                for other in judged.asked:
                    if other != fold:
                        alone = fits.fit(kind, frozenset((fold, other)), k)
                        inner += judged.ranks(fits.vectors, alone, other, without=fold)
                values = score_columns(inner, ())["ap"]
                known = values[~np.isnan(values)]
                means.append(known.mean() if len(known) else -np.inf)
            best = next((i for i, m in enumerate(means) if m >= max(means) - 1e-12), 0)
            chosen[fold] = ladder[best]
        own = Tried(pooling, kind, "", ladder, chosen)
        for k in ladder:
            own.scores[k] = self._scored(
                own, k, {f: fits.fit(kind, frozenset((f,)), k) for f in judged.asked}
            )
        return own

    def control(self, own: Tried, control: str) -> Tried:
        """A control at every rank of its suppression; scores are means over the draws."""
        found = Tried(own.pooling, own.suppression, control, own.ladder, own.chosen)
        repeats = 1 if control == "all_patches" else self.fits.protocol.draws
        for k in (k for k in own.ladder if k is not None):
            draws = []
            for draw in range(repeats):
                fitted = {}
                for fold in self.judged.asked:
                    out = frozenset((fold,))
                    fitted[fold] = self.fits.control(control, own.suppression, out, k, draw)
                    if k == own.chosen[fold] and k > 0:
                        mine = self.fits.fit(own.suppression, out, k)
                        found.overlaps.append(overlap(mine, fitted[fold]))
                draws.append(self._scored(found, k, fitted, share=1 / repeats))
            found.scores[k] = {key: np.mean([draw[key] for draw in draws], axis=0) for key in draws[0]}
        return found

    def _scored(
        self, into: Tried, k: int | None, fitted: Mapping[int, Suppression], *, share: float = 1.0
    ) -> dict[str, Column]:
        """Each query's scores by what was fitted without its fold; keeps the sums without each photograph."""
        order, ranks = [], []
        for fold, suppression in fitted.items():
            chosen = into.chosen[fold] == k
            wanted = self.scores if chosen else {FIRST: self.scores[FIRST]}
            found, sums = self.judged.left_out(self.fits.vectors, suppression, fold, wanted)
            order.append(np.flatnonzero(self.judged.fold_of_query == fold))
            ranks += found
            into.leave_out(k, sums, share, chosen=chosen)
        back = np.argsort(np.concatenate(order))
        columns = score_columns(ranks, self.fits.protocol.cutoffs)
        return {key: column[back] for key, column in columns.items()}


def _chosen(
    vectors: Mapping[str, object], statistics: FoldStatistics, protocol: Protocol
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Poolings, suppressions and controls to try, all of them possible; baselines first."""
    background, patches = statistics.background is not None, statistics.patches is not None
    poolings, suppressions, controls = protocol.poolings, protocol.suppressions, protocol.controls
    poolings = tuple(vectors) if poolings is None else tuple(dict.fromkeys((BASELINE[0], *poolings)))
    if suppressions is None:
        suppressions = [s for s in SUPPRESSIONS if s != "background" or background]
    suppressions = tuple(dict.fromkeys((BASELINE[1], *suppressions)))
    if controls is None:
        controls = [c for c in CONTROLS if c != "all_patches" or patches]
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
    if "background" in suppressions and not background:
        raise InputError("the suppression 'background' needs moments of background patches of each fold")
    if "all_patches" in controls and not patches:
        raise InputError("the control 'all_patches' needs moments of all patches of each fold")
    return poolings, suppressions, controls


def _check_vectors(name: str, values: Float[np.ndarray, "n _"], n: int) -> None:
    if values.ndim != 2 or len(values) != n or values.shape[1] == 0:
        raise ShapeError(f"vectors {name!r}", expected=f"n={n} dim", actual=values.shape)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise InputError(f"vectors {name!r}: photograph {int(bad[0])} holds NaN or infinite values")

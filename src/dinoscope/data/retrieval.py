"""What searches and their evaluation return: plain, read-only values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64

from dinoscope.data.photograph import read_only
from dinoscope.data.results import Interval, PairedDifference

FIRST = "ap"
"""The score that numbers of directions are chosen by, and that verdicts and curves are of."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One photograph that was found.

    Attributes:
        rank: from 1.
        score: cosine with the query after the suppression, in [-1, 1].
        source: where the photograph was found. Data, never markup.
        digest: sha256 of the photograph.
        row: its 0-based place in the table.
    """

    rank: int
    score: float
    source: str
    digest: str
    row: int


@dataclass(frozen=True, slots=True)
class Hits:
    """The answer to one search, best first.

    Attributes:
        query: what was searched for, in words. Data, never markup.
        hits: of equal scores the lower row comes first.
        table: the table searched in.
        pooling, suppression: as asked for.
        k_removed: directions that the suppression removed (``whiten``: kept); None where it has none.
        fitted_on: what the suppression was fitted on, in words; empty where it was not fitted.
        exact: whether every vector was compared.
        notes: what must be read beside the hits.
    """

    query: str
    hits: tuple[Hit, ...]
    table: str
    pooling: str
    suppression: str
    k_removed: int | None = None
    fitted_on: str = ""
    exact: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PatchHit:
    """One patch that was found.

    Attributes:
        rank: from 1.
        score: cosine, in [-1, 1].
        source, digest: of the photograph.
        row, col: of the patch in the photograph's grid.
        box: its footprint (left, top, right, bottom) in [0, 1]² of the photograph.
    """

    rank: int
    score: float
    source: str
    digest: str
    row: int
    col: int
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """Why two photographs are alike: what every patch gives to the cosine of their pooled vectors.

    Attributes:
        score: the cosine, in [-1, 1].
        query, hit: the share of every patch; where ``exact``, each sums to the score.
        pairs: the strongest pairs of patches: (row, col) of the query, (row, col) of the hit.
        pair_shares: of each, strongest first.
        pooling, suppression: what was compared.
        exact: False where the pooling is no weighted mean: the shares are then those of the plain mean.
    """

    score: float
    query: Float64[np.ndarray, "_ _"]
    hit: Float64[np.ndarray, "_ _"]
    pairs: tuple[tuple[tuple[int, int], tuple[int, int]], ...]
    pair_shares: tuple[float, ...]
    pooling: str
    suppression: str
    exact: bool

    def __post_init__(self) -> None:
        for name in ("query", "hit"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


@dataclass(frozen=True, slots=True, eq=False)
class RankCurve:
    """Mean average precision against the number of directions, each fitted without the queries scored.

    Attributes:
        ks: directions removed (``whiten``: kept), ascending.
        means: mean average precision at each, with its interval.
        gains: the same minus that of the same pooling without suppression.
    """

    ks: tuple[int, ...]
    means: tuple[Interval, ...]
    gains: tuple[Interval, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalRow:
    """One pooling with one suppression, or with a control of it.

    Attributes:
        pooling, suppression: by name.
        control: empty for the suppression itself.
        chosen: directions removed (``whiten``: kept) for the queries of each fold, chosen without them;
            None for a fold without queries, and where there is nothing to choose. A control has those of
            its suppression.
        values: per score, one value for each query; NaN for queries without relevant photographs. A
            random control's are means over its draws.
        summaries: per score, the mean over queries and its interval.
        gains: per score, this row minus the same pooling without suppression, query by query.
        pooling_gains: per score, of a pooling without suppression: itself minus the plain mean; empty for the
            plain mean itself and for suppressions.
        margins: per score, of a control: the suppression minus this control, query by query; empty for
            the suppression itself.
        overlap: of a control: how much its directions share with the suppressed ones, in [0, 1], mean over
            folds and draws: at 1 it is no control. NaN where not defined.
        curve: over the number of directions; None where there is nothing to choose.
    """

    pooling: str
    suppression: str
    control: str
    chosen: tuple[int | None, ...]
    values: Mapping[str, Float64[np.ndarray, " queries"]]
    summaries: Mapping[str, Interval]
    gains: Mapping[str, PairedDifference]
    pooling_gains: Mapping[str, PairedDifference] = field(default_factory=dict)
    margins: Mapping[str, PairedDifference] = field(default_factory=dict)
    overlap: float = float("nan")
    curve: RankCurve | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", {key: read_only(v) for key, v in self.values.items()})


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalScores:
    """Every pooling with every suppression on one labelled collection.

    Attributes:
        queries: places of the queries among the vectors given, ascending.
        labels: of the queries.
        scores: keys of the scores, in the order to show them.
        rows: suppressions, each followed by its controls; ``mean`` with ``none`` is the plain mean.
        chance: mean average precision expected of random rankings.
        n_images: labelled photographs that were ranked.
        n_unlabelled: photographs without a label: not ranked, but suppressions may be fitted on them.
        n_undefined: queries without any relevant photograph: in no mean.
        settings: what was asked for: folds, ranks, draws, seed; and the backbone of a store.
        warnings: what must be read beside these numbers.
    """

    queries: tuple[int, ...]
    labels: tuple[str, ...]
    scores: tuple[str, ...]
    rows: tuple[RetrievalRow, ...]
    chance: float
    n_images: int
    n_unlabelled: int
    n_undefined: int
    settings: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def row(self, pooling: str, suppression: str, control: str = "") -> RetrievalRow:
        """One row by its names.

        Raises:
            KeyError: there is none.
        """
        for row in self.rows:
            if (row.pooling, row.suppression, row.control) == (pooling, suppression, control):
                return row
        raise KeyError((pooling, suppression, control))


@dataclass(frozen=True, slots=True, eq=False)
class RevisitedDifficulty:
    """One difficulty of the revisited Oxford and Paris protocol.

    Attributes:
        average_precision: of each query, by trapezoids; NaN where it has no positive.
        precision_at: by cut-off, of each query.
        n_undefined: queries without positives.
    """

    average_precision: Float64[np.ndarray, " queries"]
    precision_at: Mapping[int, Float64[np.ndarray, " queries"]]
    n_undefined: int

    @property
    def mean_average_precision(self) -> float:
        """Over the queries where it is defined; NaN where there is none."""
        known = self.average_precision[~np.isnan(self.average_precision)]
        return float(known.mean()) if len(known) else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class RevisitedScores:
    """The three difficulties."""

    easy: RevisitedDifficulty
    medium: RevisitedDifficulty
    hard: RevisitedDifficulty

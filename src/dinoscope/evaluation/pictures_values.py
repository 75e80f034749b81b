"""What the page of retrieval scores shows beside the numbers: plain, read-only values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, UInt8

from dinoscope.data.photograph import read_only
from dinoscope.data.results import Interval


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A photograph as the contact sheet shows it.

    Attributes:
        name, label: data, never markup.
        pixels: a thumbnail.
        relevant: whether it has the query's label; None for the query itself.
    """

    name: str
    label: str
    pixels: UInt8[np.ndarray, "H W 3"]
    relevant: bool | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixels", read_only(self.pixels))


@dataclass(frozen=True, slots=True, eq=False)
class QueryRow:
    """A query with its hits without and with a suppression, best first.

    Attributes:
        k: directions removed, where known.
    """

    query: Shown
    before: tuple[Shown, ...]
    after: tuple[Shown, ...]
    k: int | None = None

    @property
    def relevant_before(self) -> int:
        """Hits of the query's label, without the suppression."""
        return sum(hit.relevant is True for hit in self.before)

    @property
    def relevant_after(self) -> int:
        """Hits of the query's label, with it."""
        return sum(hit.relevant is True for hit in self.after)


@dataclass(frozen=True, slots=True, eq=False)
class RemovedMap:
    """What a suppression takes out of a photograph: the share of each patch's squared length, in [0, 1].

    Attributes:
        k: directions removed, where known.
    """

    photograph: Shown
    shares: Float64[np.ndarray, "h w"]
    k: int | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", read_only(self.shares))


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Hits before and after a suppression, and what it removed.

    Attributes:
        suppression: in words, without the number of directions; what ``after`` and ``removed`` are of.
        queries, removed: may be empty.
        fitted_on: in words, what the suppression was fitted on.
        notes: what is not shown, and why.
    """

    suppression: str
    queries: tuple[QueryRow, ...] = ()
    removed: tuple[RemovedMap, ...] = ()
    fitted_on: str = ""
    notes: tuple[str, ...] = ()


PARTLY, CARRIED = 0.05, 0.25
"""Where the cases part, on the excess of backgrounds alone.

Conventions, between what 240 procedural scenes of 12 classes gave at a `background_correlation` of 0 (0.01 to
0.02), 0.5 (0.11 to 0.12) and 1 (0.43 to 0.52), with a small trained network and with a random one:
``examples/retrieval_scenes.py``.
"""

CASE_RULE = (
    "Photographs are searched for by the mean of their background patches alone. Excess: the mean average "
    "precision above chance, as a share of what a perfect ranking has above it. Independent of class: the "
    f"whole interval of the excess lies below {PARTLY}. Partly tied to it: between {PARTLY} and {CARRIED}. "
    f"Carrying it: above {CARRIED}. Unclear: anything else. The limits lie between what procedural scenes "
    "gave whose backgrounds go with the class never, in half of the photographs, and always. Where the mask "
    "leaves parts of subjects in the background, or background patches already know the subject, a "
    "collection looks more tied than it is; where the features cannot tell backgrounds apart, less."
)


@dataclass(frozen=True, slots=True)
class BackgroundAlone:
    """How well photographs are found by their backgrounds alone, and by their foregrounds alone.

    Attributes:
        background, foreground: mean average precision of mean background and mean foreground patches.
        chance: mean average precision expected of random rankings.
        excess: of the background: (average precision - chance) / (1 - chance), mean over queries.
        foreground_excess: of the foreground.
        ahead: average precision of the foreground minus that of the background, query by query.
        n_images: labelled photographs that have both.
        n_left_out: labelled photographs that lack one of them.
        case: ``independent``, ``partly``, ``carried`` or ``unclear``, by `CASE_RULE`.
    """

    background: Interval
    foreground: Interval
    chance: float
    excess: Interval
    foreground_excess: Interval
    ahead: Interval
    n_images: int
    n_left_out: int
    case: str

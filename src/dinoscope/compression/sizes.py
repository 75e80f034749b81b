"""What is lost at each size: measured on photographs that the components were not fitted on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from dinoscope.data.results import Interval
from dinoscope.errors import InputError
from dinoscope.maths.intervals import SHARE, mean_interval
from dinoscope.maths.ranking import top_k
from dinoscope.maths.vector_code import VectorCode

NEIGHBOURS = 10
DIMS = (4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096)
BITS = (8, 16)
NONE_KEEPS = "no size keeps what was promised, not even all channels in 16 bits"


@dataclass(frozen=True, slots=True)
class Promise:
    """What a size must keep, each by the lower end of its 95% interval over photographs; None for anything.

    Attributes:
        cosine: mean cosine of a vector with what its code stands for.
        recall: mean share of the ten nearest that are still among the ten nearest.
    """

    cosine: float | None = None
    recall: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("cosine", self.cosine), ("recall", self.recall)):
            if value is not None and not 0 < value < 1:
                raise InputError(f"a {name} to keep lies between 0 and 1, got {value}")


@dataclass(frozen=True, slots=True)
class Size:
    """One size, and its loss.

    Attributes:
        dims, bits: channels, and bits of each.
        n_bytes: of a vector.
        cosine: of held-out vectors with what their codes stand for.
        worst: the lowest of these.
        recall: of the ten nearest of held-out photographs among all others.
    """

    dims: int
    bits: int
    n_bytes: int
    cosine: Interval
    worst: float
    recall: Interval

    def keeps(self, promise: Promise) -> bool:
        """Whether it keeps a promise."""
        cosine = promise.cosine is None or self.cosine.low >= promise.cosine
        return cosine and (promise.recall is None or self.recall.low >= promise.recall)


def size_of(
    code: VectorCode,
    vectors: Float[np.ndarray, "n dim"],
    held_out: Int64[np.ndarray, " q"],
    truth: Int64[np.ndarray, "q k"],
) -> Size:
    """The loss of one code.

    Args:
        code: fitted on other vectors than the held-out ones.
        vectors: of the whole collection.
        held_out: places of those that are asked for.
        truth: from `neighbours` of the vectors as they are.
    """
    kept = code.kept(vectors[held_out])
    found = neighbours(code.decode(code.encode(vectors)), held_out, truth.shape[1])
    shares = [len(set(a) & set(b)) / len(b) for a, b in zip(found.tolist(), truth.tolist(), strict=True)]
    return Size(
        len(code.components),
        code.bits,
        code.n_bytes,
        mean_interval(kept, (-1.0, 1.0)),
        float(kept.min()),
        mean_interval(np.array(shares), SHARE),
    )


def neighbours(
    vectors: Float[np.ndarray, "n dim"], asked: Int64[np.ndarray, " q"], k: int = NEIGHBOURS
) -> Int64[np.ndarray, "q k"]:
    """Places of the ``k`` nearest of some vectors among all others."""
    found = top_k(vectors[asked], vectors, min(k, len(vectors) - 1), exclude=asked)
    return np.asarray(found.indices)


def smallest(sizes: Iterable[Sequence[Size]], promise: Promise) -> tuple[int, int] | None:
    """Channels and bits of the fewest bytes that keep a promise for every kind of vector; None for none.

    Args:
        sizes: of each kind, the same sizes in the same order. Of equal bytes the one of the higher recall of
            the first kind.
    """
    rows = [row for row in zip(*sizes, strict=True) if all(size.keeps(promise) for size in row)]
    best = min(rows, key=lambda row: (row[0].n_bytes, -row[0].recall.mean), default=None)
    return None if best is None else (best[0].dims, best[0].bits)

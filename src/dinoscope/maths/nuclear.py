"""What do the singular values of each of some matrices add up to? Without finding one of them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from jaxtyping import Float64
from scipy.special import ellipj, ellipk

from dinoscope.maths.eigen import tridiagonal
from dinoscope.maths.patches import lower_product
from dinoscope.maths.spectrum import FEW, singular_values

FLOOR = 1e-12
"""Share of the largest eigenvalue down to which roots are as exact as `POLES` make them: to 4e-9."""

POLES = 32


def nuclear_norms(matrices: Sequence[Float64[np.ndarray, "_ _"]]) -> Float64[np.ndarray, " matrices"]:
    """Sums of singular values, to 1e-8 of them; of entries from 1e-20 to 1e20, or zeros.

    With T the smaller of XᵀX and XXᵀ in tridiagonal form, the sum is the trace of the root of T. The root is
    a sum of poles, ``λ Σ c / (λ + t)``, and the trace of every ``1 / (T + t)`` is read off one elimination,
    of all matrices and poles at a time. Where more than `FEW` eigenvalues are far below `FLOOR`,
    `singular_values` are added up instead. Source: Hale, Higham & Trefethen, Computing A^α, log(A), and
    related matrix functions by contour integrals (2008), method 3.
    """
    forms = [tridiagonal(lower_product(x if len(x) >= x.shape[1] else x.T)) for x in matrices]
    longest = max((len(diagonal) for diagonal, _ in forms), default=0)
    diagonals, beside = np.zeros((len(forms), longest)), np.zeros((len(forms), longest))
    largest = np.ones(len(forms))
    for i, (diagonal, off) in enumerate(forms):
        diagonals[i, : len(diagonal)], beside[i, 1 : len(diagonal)] = diagonal, off
        reach = diagonal + np.abs(beside[i, : len(diagonal)])
        reach[:-1] += np.abs(off)
        largest[i] = reach.max() or 1.0
    traces, weak = _traces(diagonals / largest[:, None], (beside / largest[:, None]) ** 2)
    norms = np.sqrt(largest) * traces
    weak -= np.array([longest - len(diagonal) for diagonal, _ in forms])
    for k in np.flatnonzero(~(weak < FEW + 0.5)):
        norms[k] = singular_values(matrices[int(k)]).sum()
    return norms


def _traces(
    diagonals: Float64[np.ndarray, "m n"], squares: Float64[np.ndarray, "m n"]
) -> tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """Traces of the roots of tridiagonal matrices, and about how many eigenvalues are far below `FLOOR`.

    Args:
        diagonals: of matrices whose eigenvalues are in [0, 1]; zeros beyond their ends add nothing.
        squares: of the entry before each of the diagonal; 0 for the first.
    """
    shifts, weights = _poles()
    shifts = np.repeat(shifts[:, None], len(diagonals), axis=1)
    pivot, inverse, total = np.ones_like(shifts), np.zeros_like(shifts), np.zeros_like(shifts)
    ratio = np.empty_like(shifts)
    for i in range(diagonals.shape[1]):
        # The trace of 1 / (T + t) is the derivative of log det: the sum of each pivot's over the pivot.
        np.divide(squares[:, i], pivot, out=ratio)
        np.add(diagonals[:, i], shifts, out=pivot)
        pivot -= ratio
        ratio *= inverse
        ratio += 1.0
        np.divide(ratio, pivot, out=inverse)
        total += inverse
    total *= shifts
    return weights @ (diagonals.shape[1] - total), total[0]


@cache
def _poles() -> tuple[Float64[np.ndarray, " poles"], Float64[np.ndarray, " poles"]]:
    """Shifts t, smallest first, and weights c of the root on [`FLOOR`, 1]."""
    quarter = ellipk(1 - FLOOR)
    sine, cosine, delta, _ = ellipj((np.arange(POLES) + 0.5) / POLES * quarter, 1 - FLOOR)
    weights = 2 * quarter * np.sqrt(FLOOR) / (np.pi * POLES) * delta / cosine**2
    return FLOOR * (sine / cosine) ** 2, weights

"""What are the eigenvectors of a symmetric matrix of a thousand rows, soon and on a busy machine too?"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from jaxtyping import Float64
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def eigenvalues(matrix: Float64[np.ndarray, "n n"]) -> Float64[np.ndarray, " n"]:
    """All eigenvalues of a symmetric matrix, smallest first. Runs on one thread, as `eigenvectors`."""
    from scipy.linalg import eigh

    with _one_thread():
        return np.asarray(eigh(matrix, eigvals_only=True, check_finite=False))


def tridiagonal(
    matrix: Float64[np.ndarray, "n n"],
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]]:
    """A matrix with the eigenvalues of a symmetric one: its diagonal, and what lies beside it.

    Args:
        matrix: its lower triangle is read. Runs on one thread, as `eigenvectors`.
    """
    with _one_thread():
        return _reduced(np.array(matrix.T, order="F"))  # whose upper triangle is read


def eigenvalues_of_both(
    matrix: Float64[np.ndarray, "n n"], direction: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """`eigenvalues` of a symmetric matrix A, and of A + d dᵀ, from one reduction to tridiagonal form.

    A reflection turns d onto the last axis, which the reduction leaves where it is: there d dᵀ changes one
    entry of the tridiagonal matrix. Source: LAPACK's ``dsytrd`` (upper) and ``dsterf``.

    Args:
        matrix: its lower triangle is read.
        direction: d; zeros for twice the same.
    """
    from scipy.linalg.blas import dsymv, dsyr2
    from scipy.linalg.lapack import dsterf

    length = float(np.linalg.norm(direction))
    turned = np.array(matrix.T, order="F")  # whose upper triangle is read
    with _one_thread():
        if length > 0:
            mirror = direction / length
            mirror[-1] += np.copysign(1.0, mirror[-1])
            mirror /= np.linalg.norm(mirror)
            image = dsymv(1.0, turned, mirror)
            turned = dsyr2(-2.0, mirror, image - (mirror @ image) * mirror, a=turned, overwrite_a=1)
        diagonal, beside = _reduced(turned)
        plain, failed = dsterf(diagonal, beside)
        diagonal[-1] += length**2
        raised, failed_too = dsterf(diagonal, beside)
    if failed or failed_too:
        raise np.linalg.LinAlgError("the eigenvalues of a tridiagonal matrix were not found")
    return np.asarray(plain), np.asarray(raised)


def _reduced(
    upper: Float64[np.ndarray, "n n"],
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " m"]]:
    """`tridiagonal` of a matrix in columns, whose upper triangle is read, and which is overwritten."""
    from scipy.linalg.lapack import dsytrd, dsytrd_lwork

    work = int(dsytrd_lwork(len(upper))[0])
    _, diagonal, beside, _, _ = dsytrd(upper, lwork=work, overwrite_a=1)
    return np.asarray(diagonal), np.asarray(beside)


def eigenvectors(
    matrix: Float64[np.ndarray, "n n"], first: int, last: int
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "n k"]]:
    """Eigenvalues ``first`` to ``last`` (0-based, both included), smallest first, and their vectors.

    Runs on one thread of the linear algebra library: the reduction to tridiagonal form is a thousand short
    matrix-vector products, and threads that wait for each other after every one of them can take longer than
    one alone, by far where another process has a core.
    """
    from scipy.linalg import eigh

    with _one_thread():
        values, vectors = eigh(matrix, subset_by_index=[first, last], check_finite=False)
    return np.asarray(values), np.asarray(vectors)


def leading_directions(
    matrix: Float64[np.ndarray, "dim dim"], k: int
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, "k dim"]]:
    """The ``k`` largest eigenvalues (never below 0) and eigenvectors as rows, largest first.

    Sign: the entry of largest magnitude is positive.
    """
    dim = len(matrix)
    if k == 0:
        return np.zeros(0), np.zeros((0, dim))
    values, vectors = eigenvectors(matrix, dim - k, dim - 1)
    rows = np.ascontiguousarray(vectors[:, ::-1].T)
    largest = np.abs(rows).argmax(axis=1)
    rows *= np.where(rows[np.arange(k), largest] < 0, -1.0, 1.0)[:, None]
    return np.maximum(values[::-1], 0.0), rows


_ONE_AT_A_TIME = threading.Lock()


@contextmanager
def _one_thread() -> Iterator[None]:
    """The limit holds for the process, so decompositions take turns, but where it holds already."""
    if all(library.num_threads == 1 for library in _libraries().lib_controllers):
        yield
        return
    with _ONE_AT_A_TIME, _libraries().limit(limits=1):
        yield


@cache
def _libraries() -> ThreadpoolController:
    """The linear algebra libraries loaded by then, and SciPy's own; finding them takes milliseconds."""
    import scipy.linalg  # noqa: F401  # which loads it

    return ThreadpoolController().select(user_api="blas")

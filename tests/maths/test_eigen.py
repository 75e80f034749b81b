import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.linalg
from threadpoolctl import ThreadpoolController

from dinoscope.maths import eigen

EIGH = scipy.linalg.eigh


def blas_threads() -> list[int]:
    """Of every linear algebra library that is loaded."""
    return [library.num_threads for library in ThreadpoolController().select(user_api="blas").lib_controllers]


def symmetric(n: int = 6) -> np.ndarray:
    half = np.random.default_rng(0).normal(size=(n, n))
    return half + half.T


def test_where_there_is_one_thread_for_each_they_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=30)

    def eigh(*args: object, **kwargs: object) -> object:
        both.wait()
        return EIGH(*args, **kwargs)

    monkeypatch.setattr(scipy.linalg, "eigh", eigh)
    matrix = symmetric()
    with ThreadpoolController().limit(limits=1, user_api="blas"), ThreadPoolExecutor(2) as pool:
        values = pool.submit(eigen.eigenvalues, matrix)
        some, vectors = pool.submit(eigen.eigenvectors, matrix, 0, 1).result()
    np.testing.assert_allclose(values.result()[:2], some)
    np.testing.assert_allclose(matrix @ vectors, vectors * some, atol=1e-12)


def test_a_decomposition_takes_one_thread_and_gives_the_others_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def eigh(*args: object, **kwargs: object) -> object:
        seen.append(set(blas_threads()))
        return EIGH(*args, **kwargs)

    monkeypatch.setattr(scipy.linalg, "eigh", eigh)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        eigen.eigenvalues(symmetric())
        assert seen == [{1}]
        assert blas_threads() == before


def test_the_threads_come_back_after_an_error() -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(ValueError, match="eigenvalue"):
            eigen.eigenvectors(symmetric(), 4, 9)
        assert blas_threads() == before
        eigen.eigenvalues(symmetric())
        assert blas_threads() == before

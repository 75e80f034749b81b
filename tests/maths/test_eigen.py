import subprocess
import sys
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
    both = threading.Barrier(2, timeout=300)

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


FIRST_AND_NEXT = """
import sys
import numpy as np
from threadpoolctl import ThreadpoolController
from dinoscope.maths import eigen

matrix = np.diag(np.arange(6.0))
assert "scipy.linalg" not in sys.modules
eval(sys.argv[1], {"eigen": eigen, "matrix": matrix})

import scipy.linalg
libraries = ThreadpoolController().select(user_api="blas")
threads = lambda: {library.num_threads for library in libraries.lib_controllers}
eigh, seen = scipy.linalg.eigh, []
scipy.linalg.eigh = lambda *args, **kwargs: seen.append(threads()) or eigh(*args, **kwargs)
with libraries.limit(limits=2):
    before = threads()
    eigen.eigenvalues(matrix)
    assert seen == [{1}], seen
    assert threads() == before
"""


@pytest.mark.parametrize(
    "first", ["eigenvalues(matrix)", "eigenvectors(matrix, 0, 1)", "tridiagonal(matrix)"]
)
def test_a_decomposition_takes_one_thread_and_gives_the_others_back(first: str) -> None:
    """Whichever was the first of the process: SciPy brings its own library, as late as it is needed."""
    words = [sys.executable, "-c", FIRST_AND_NEXT, f"eigen.{first}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("direction", ["any", "axis", "last", "less", "none"])
def test_a_direction_more_changes_the_eigenvalues_as_if_it_were_added(direction: str) -> None:
    rng = np.random.default_rng(1)
    d = {
        "any": rng.normal(size=9) * 3,
        "axis": 2.0 * np.eye(9)[0],
        "last": 2.0 * np.eye(9)[8],
        "less": -2.0 * np.eye(9)[8],
        "none": np.zeros(9),
    }[direction]
    matrix = symmetric(9)
    plain, raised = eigen.eigenvalues_of_both(np.tril(matrix), d)
    np.testing.assert_allclose(plain, np.linalg.eigvalsh(matrix), atol=1e-13)
    np.testing.assert_allclose(raised, np.linalg.eigvalsh(matrix + np.outer(d, d)), atol=1e-13)


def test_the_threads_come_back_after_an_error() -> None:
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        before = blas_threads()
        with pytest.raises(ValueError, match="eigenvalue"):
            eigen.eigenvectors(symmetric(), 4, 9)
        assert blas_threads() == before
        eigen.eigenvalues(symmetric())
        assert blas_threads() == before

"""Vectors in fewer channels, and in 8 bits a channel: principal components, fitted once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Float16, Float64, UInt8

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.patches import SHORTEST

BLOCK = 8192
LEVELS = 255


@dataclass(frozen=True, slots=True, eq=False)
class VectorCode:
    """How vectors become small ones whose cosines are nearly those of the vectors.

    Attributes:
        mean: taken away first; zeros where it is not.
        components: orthonormal rows, that of the most energy first.
        low, step: of each channel of 8 bits, its value at 0 and between two numbers; None for float16.
    """

    mean: Float64[np.ndarray, " dim"]
    components: Float64[np.ndarray, "n dim"]
    low: Float64[np.ndarray, " n"] | None = None
    step: Float64[np.ndarray, " n"] | None = None

    @property
    def bits(self) -> int:
        """Bits of a channel."""
        return 16 if self.low is None else 8

    @property
    def n_bytes(self) -> int:
        """Bytes of a vector."""
        return len(self.components) * self.bits // 8

    def project(self, vectors: Float[np.ndarray, "q dim"]) -> Float64[np.ndarray, "q n"]:
        """Components, before any rounding.

        Raises:
            ShapeError: other channels.
        """
        if vectors.ndim != 2 or vectors.shape[1] != len(self.mean):
            raise ShapeError("vectors", expected=f"q dim={len(self.mean)}", actual=vectors.shape)
        return np.asarray((vectors.astype(np.float64) - self.mean) @ self.components.T)

    def encode(
        self, vectors: Float[np.ndarray, "q dim"]
    ) -> UInt8[np.ndarray, "q n"] | Float16[np.ndarray, "q n"]:
        """As they are kept; what lies outside of the range that was fitted is moved to its end."""
        found = self.project(vectors)
        if self.low is None or self.step is None:
            return found.astype(np.float16)
        return np.clip(np.rint((found - self.low) / self.step), 0, LEVELS).astype(np.uint8)

    def decode(
        self, codes: UInt8[np.ndarray, "q n"] | Float16[np.ndarray, "q n"]
    ) -> Float16[np.ndarray, "q n"]:
        """The components that were kept."""
        if self.low is None or self.step is None:
            return codes.astype(np.float16)
        return (codes * self.step + self.low).astype(np.float16)

    def kept(self, vectors: Float[np.ndarray, "q dim"]) -> Float64[np.ndarray, " q"]:
        """Cosine of each vector, without the mean, with what its code stands for."""
        shifted = vectors.astype(np.float64) - self.mean
        stands = self.decode(self.encode(vectors)).astype(np.float64)
        lengths = np.linalg.norm(shifted, axis=1) * np.linalg.norm(stands, axis=1)
        return np.asarray((self.project(vectors) * stands).sum(axis=1) / np.maximum(lengths, SHORTEST))

    def leading(self, n: int, bits: int) -> VectorCode:
        """The first channels alone, in 16 bits, or in the 8 of this code.

        Raises:
            InputError: more channels than there are, or other bits.
        """
        if not 1 <= n <= len(self.components) or bits not in (8, 16):
            raise InputError(f"a code of {len(self.components)} channels has none of {n} in {bits} bits")
        if bits == 16 or self.low is None or self.step is None:
            return replace(self, components=self.components[:n], low=None, step=None)
        return replace(self, components=self.components[:n], low=self.low[:n], step=self.step[:n])


def fit_components(
    vectors: Float[np.ndarray, "q dim"], *, centred: bool
) -> tuple[Float64[np.ndarray, " dim"], Float64[np.ndarray, "dim dim"]]:
    """Mean, or zeros, and all components of some vectors.

    Without the mean the first component is about its direction, and cosines are those of the vectors as they
    are; with it, those of what tells them apart.

    Raises:
        InputError: fewer than 2 vectors, or NaN among them.
    """
    if len(vectors) < 2 or not np.isfinite(vectors).all():
        raise InputError("components need at least 2 vectors, without NaN")
    dim = vectors.shape[1]
    mean = vectors.mean(axis=0, dtype=np.float64) if centred else np.zeros(dim)
    energy = np.zeros((dim, dim))
    for start in range(0, len(vectors), BLOCK):
        block = vectors[start : start + BLOCK].astype(np.float64) - mean
        energy += block.T @ block
    _, directions = np.linalg.eigh(energy)
    return mean, np.ascontiguousarray(directions[:, ::-1].T)


def with_range(code: VectorCode, vectors: Float[np.ndarray, "q dim"]) -> VectorCode:
    """The code in 8 bits a channel, from the smallest to the largest value of some vectors."""
    low = np.full(len(code.components), np.inf)
    high = -low
    for start in range(0, len(vectors), BLOCK):
        found = code.project(vectors[start : start + BLOCK])
        low, high = np.minimum(low, found.min(axis=0)), np.maximum(high, found.max(axis=0))
    return replace(code, low=low, step=np.maximum(high - low, SHORTEST) / LEVELS)

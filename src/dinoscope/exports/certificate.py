"""What is found of an export: how its patches agree with the model's, where, and whether that passes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, slots=True)
class Limits:
    """What an export must keep to pass; the mean is the one below which no way of computing may measure here.

    Attributes:
        mean: cosine with the model's patches, over all patches of all photographs and grids.
        worst: of the worst patch.
    """

    mean: float = 0.999
    worst: float = 0.99


LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """One photograph on one grid.

    Attributes:
        photograph: its name.
        grid: ``(h, w)``.
        cosines: of each patch with the model's; 0 where the export's has no length or is no number. None
            where the export could not be run.
        n_not_finite: patches of the export with NaN or infinite values.
        error: why it could not be run; empty where it could.
    """

    photograph: str
    grid: tuple[int, int]
    cosines: Float64[np.ndarray, "h w"] | None
    n_not_finite: int = 0
    error: str = ""

    @property
    def mean(self) -> float:
        """The mean cosine over the patches; NaN where it could not be run."""
        return float("nan") if self.cosines is None else float(self.cosines.mean())

    @property
    def worst(self) -> float:
        """The lowest cosine of the patches; NaN where it could not be run."""
        return float("nan") if self.cosines is None else float(self.cosines.min())

    @property
    def worst_place(self) -> tuple[float, float] | None:
        """``(x, y)`` of the worst patch's centre."""
        if self.cosines is None:
            return None
        row, column = np.unravel_index(int(self.cosines.argmin()), self.grid)
        return (int(column) + 0.5) / self.grid[1], (int(row) + 0.5) / self.grid[0]


@dataclass(frozen=True, slots=True, eq=False)
class ExportCertificate:
    """How the dense features of an export agree with its model's.

    Attributes:
        model, exported: names.
        readings: every photograph on every grid.
        limits: of the verdict.
        cause: the likeliest cause where it does not pass, for people; empty where none is named.
        change: the cause in the words of `dinoscope doctor --explain`, such as ``layout=transposed``; empty
            where it has none.
        notes: what must be read beside, such as sizes that were not tried.
    """

    model: str
    exported: str
    readings: tuple[Reading, ...]
    limits: Limits
    cause: str = ""
    change: str = ""
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """Over all patches; NaN where the export could be run nowhere."""
        return mean_of(self.readings)

    @property
    def worst(self) -> float:
        """The lowest cosine of all patches; NaN where the export could be run nowhere."""
        return _worst_of(self.readings)

    @property
    def passed(self) -> bool:
        """Whether it ran everywhere, gave numbers only, and kept the limits."""
        ran = all(not r.error and r.n_not_finite == 0 for r in self.readings)
        return ran and self.mean >= self.limits.mean and self.worst >= self.limits.worst

    @property
    def by_grid(self) -> dict[tuple[int, int], tuple[float, float]]:
        """Mean and worst cosine on each grid; NaN where it could not be run."""
        on = {grid: [r for r in self.readings if r.grid == grid] for grid in (r.grid for r in self.readings)}
        return {grid: (mean_of(readings), _worst_of(readings)) for grid, readings in on.items()}

    @property
    def verdict(self) -> str:
        """One or two sentences."""
        n_patches = sum(r.cosines.size for r in self.readings if r.cosines is not None)
        photographs = sum(r.grid == self.readings[0].grid for r in self.readings)
        said = (
            f"{self.exported} against {self.model}: cosine {self.mean:.6f} mean, {self.worst:.6f} worst of "
            f"{n_patches:,} patches in {photographs} photograph{'s' * (photographs != 1)}"
        )
        if self.passed:
            return f"passes. {said}."
        limits = f"the limits are {self.limits.mean:g} and {self.limits.worst:g}"
        return f"does not pass. {said}; {limits}." + (f" Likeliest: {self.cause}" if self.cause else "")


def mean_of(readings: Iterable[Reading]) -> float:
    """Over all patches of all readings that there are; NaN where there are none."""
    every = [r.cosines.ravel() for r in readings if r.cosines is not None]
    return float(np.concatenate(every).mean()) if every else float("nan")


def _worst_of(readings: Iterable[Reading]) -> float:
    return min((r.worst for r in readings if r.cosines is not None), default=float("nan"))

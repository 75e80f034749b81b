"""Will it fit? An estimate made before any work, and the memory there is."""

from __future__ import annotations

import os

from dinoscope.data.grid import PatchGrid
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import InputError

LIVE_WIDTHS = 14
"""Token widths alive at the peak of a block: its input, the normalised tokens, query, key, value and
attention output, the 4-wide hidden layer before and after its activation, and the kept features."""


def forward_bytes(spec: BackboneSpec, grid: PatchGrid) -> int:
    """About how much memory one photograph needs in a float32 forward pass, without the weights.

    Linear in patches: attention is computed without an n×n matrix.
    """
    height, width = grid.input_size
    tokens = grid.n + 1 + spec.registers
    return tokens * spec.dim * 4 * LIVE_WIDTHS + height * width * 3 * 4 * 2


def available_bytes() -> int | None:
    """Memory that can be had now, in bytes; None where the system does not say."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def check_memory(needed_bytes: int, what: str, advice: str) -> None:
    """Refuse work that cannot fit.

    Raises:
        InputError: more is needed than can be had.
    """
    available = available_bytes()
    if available is not None and needed_bytes > available:
        raise InputError(
            f"{what} needs about {needed_bytes / 2**30:,.1f} GiB; {available / 2**30:,.1f} GiB are "
            f"available. {advice}"
        )


def check_grid(spec: BackboneSpec, grid: int | tuple[int, int]) -> None:
    """Refuse a grid that is impossible for any photograph, before any work.

    Raises:
        InputError: below 1, or too large for the memory there is even on a square photograph.
    """
    h, w = grid if isinstance(grid, tuple) else (grid, grid)
    if h < 1 or w < 1:
        raise InputError(f"a grid needs at least 1 patch on each side, got {h}x{w}")
    plan = PatchGrid(h, w, spec.patch_size, (w * spec.patch_size, h * spec.patch_size))
    height, width = plan.input_size
    check_memory(
        forward_bytes(spec, plan),
        f"a grid of {h}x{w} ({height:,}x{width:,} px) through {spec.name}",
        "Ask for a smaller grid.",
    )

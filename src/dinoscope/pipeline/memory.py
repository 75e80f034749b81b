"""Will it fit? An estimate made before any work, and the memory there is."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

from dinoscope.backbones.memory import available_bytes
from dinoscope.data.grid import PatchGrid, whole_number
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import InputError

LOG = logging.getLogger(__name__)

LIVE_WIDTHS = 14
"""Token widths alive at the peak of a block: its input, the normalised tokens, query, key, value and
attention output, the 4-wide hidden layer before and after its activation, and the kept features."""

KEPT_WIDTHS, TURNED_WIDTHS = 4, 4
"""Token widths that each block leaves: query, key, value and mixed values; and copies of the first three with
their norms and rotary positions, for a moment one more."""

ROLLOUT_ROWS, CHECKED_ROWS = 256, 4
"""Rows of attention at a time: of a rollout, and those that are checked against what the block mixed."""

LARGE_BYTES = 2**30
"""A photograph that needs more than this is announced before it is begun."""


def forward_bytes(spec: BackboneSpec, grid: PatchGrid) -> int:
    """About how much memory one photograph needs in a float32 forward pass, without the weights.

    Linear in patches: attention is computed without an n×n matrix.
    """
    height, width = grid.input_size
    tokens = grid.n + 1 + spec.registers
    return tokens * spec.dim * 4 * LIVE_WIDTHS + height * width * 3 * 4 * 2


def tiled_bytes(spec: BackboneSpec, grid: PatchGrid, tile: PatchGrid, n_layers: int) -> int:
    """About how much memory a photograph in tiles needs: one tile, the resized photograph, and the maps."""
    height, width = grid.input_size
    kept = grid.n * spec.dim * 4 * 2 * n_layers
    return forward_bytes(spec, tile) + height * width * 3 * 4 * 2 + kept


def device_bytes(device: torch.device) -> int | None:
    """Memory that can be had on a device now; None where it does not say.

    On CUDA, what torch keeps for later counts: it can be had again.
    """
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    return available_bytes()


def check_memory(needed_bytes: int, what: str, advice: str) -> None:
    """Refuse work that cannot fit.

    Raises:
        InputError: more is needed than can be had.
    """
    _refuse_beyond(available_bytes(), needed_bytes, what, lambda: advice)


def check_work(needed_bytes: int, what: str, advice: str) -> None:
    """Refuse work that cannot fit, and announce what is large.

    Raises:
        InputError: more is needed than can be had.
    """
    check_memory(needed_bytes, what, advice)
    if needed_bytes > LARGE_BYTES:
        LOG.warning("%s: about %s GiB", what, f"{needed_bytes / 2**30:,.1f}")


def attention_bytes(spec: BackboneSpec, grid: PatchGrid, n_blocks: int, *, rollout: bool) -> int:
    """About how much memory the attention of one photograph needs, without the weights.

    A forward pass, during which queries, keys, values and what they were mixed to are kept of ``n_blocks``;
    then queries and keys at their places, and the rows of one query, or of `ROLLOUT_ROWS` for a rollout.
    Linear in patches: never a matrix of all with all.
    """
    tokens = grid.n + 1 + spec.registers
    kept = n_blocks * tokens * spec.dim * 4 * (KEPT_WIDTHS + TURNED_WIDTHS)
    rows = max(1, spec.heads) * tokens * 8 * 4 * (ROLLOUT_ROWS if rollout else CHECKED_ROWS)
    return forward_bytes(spec, grid) + kept + rows


def check_forward(
    spec: BackboneSpec, grid: PatchGrid, available: int | None, *, what: str, n_bytes: int | None = None
) -> int:
    """Refuse a photograph that cannot fit, and announce a large one.

    Args:
        spec: of the backbone.
        grid: of the photograph.
        available: bytes on the device that computes; None where unknown.
        what: the photograph, in words.
        n_bytes: needed, where it is not one whole forward pass.

    Returns:
        The estimate, in bytes.

    Raises:
        InputError: more is needed than can be had; names the largest grid of the same shape that fits.
    """
    needed = forward_bytes(spec, grid) if n_bytes is None else n_bytes

    def advice() -> str:
        if n_bytes is not None:
            return "Ask for a smaller grid or smaller tiles."
        best = largest_grid(spec, grid, available or 0)
        if best is None:
            return "Not even one patch fits; a smaller grid does not help."
        height, width = best.input_size
        return (
            f"Ask for a smaller grid: {best.h}x{best.w} ({height:,}x{width:,} px) is the nearest that fits; "
            "or for tiles (--tile)."
        )

    described = f"{what} on a grid of {grid.h}x{grid.w} through {spec.name}"
    _refuse_beyond(available, needed, described, advice)
    if needed > LARGE_BYTES:
        room = "" if available is None else f" of {available / 2**30:,.1f} available"
        LOG.warning("%s: about %s GiB%s", described, f"{needed / 2**30:,.1f}", room)
    return needed


def largest_grid(spec: BackboneSpec, wanted: PatchGrid, available: int) -> PatchGrid | None:
    """The largest grid of about the shape of ``wanted``, and no larger, whose forward pass fits; None where
    none does.
    """
    short, long = sorted(wanted.shape)

    def shaped(side: int) -> PatchGrid:
        other = max(side, min(long, (2 * side * long + short) // (2 * short)))
        h, w = (side, other) if wanted.h <= wanted.w else (other, side)
        return PatchGrid(h, w, wanted.patch_size, wanted.image_size)

    fits, fails = 0, short + 1
    while fails - fits > 1:
        middle = (fits + fails) // 2
        if forward_bytes(spec, shaped(middle)) <= available:
            fits = middle
        else:
            fails = middle
    return shaped(fits) if fits else None


def check_grid(spec: BackboneSpec, grid: int | tuple[int, int]) -> None:
    """Refuse a grid that is impossible for any photograph, before any work.

    Raises:
        InputError: below 1, or too large for the memory there is even on a square photograph.
    """
    h, w = map(whole_number, grid if isinstance(grid, tuple) and len(grid) == 2 else (grid, grid))
    if h < 1 or w < 1:
        raise InputError(f"a grid needs at least 1 patch on each side, got {h}x{w}")
    plan = PatchGrid(h, w, spec.patch_size, (w * spec.patch_size, h * spec.patch_size))
    height, width = plan.input_size
    available = available_bytes()
    nearest = largest_grid(spec, plan, available) if available is not None else None
    advice = "Ask for a smaller grid" + (f": {nearest.h}x{nearest.w} fits." if nearest else ".")
    _refuse_beyond(
        available,
        forward_bytes(spec, plan),
        f"a grid of {h}x{w} ({height:,}x{width:,} px) through {spec.name}",
        lambda: advice,
    )


def _refuse_beyond(available: int | None, needed: int, what: str, advice: Callable[[], str]) -> None:
    if available is not None and needed > available:
        raise InputError(
            f"{what} needs about {needed / 2**30:,.1f} GiB; {available / 2**30:,.1f} GiB are "
            f"available. {advice()}"
        )

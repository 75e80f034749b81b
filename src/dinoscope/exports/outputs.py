"""Which of a model's outputs holds the patches?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from dinoscope.errors import InputError

NAMES = ("patches", "x_norm_patchtokens", "patch_tokens", "last_hidden_state", "features")
"""Outputs are looked at in this order, and after them in their own."""


def patches_in(
    outputs: Mapping[str, np.ndarray], grid: tuple[int, int], n_prefix: int
) -> Float[np.ndarray, "n dim"]:
    """The patches of one photograph, row by row, without what stands before them.

    Args:
        outputs: by name, with a batch of 1.
        grid: ``(h, w)`` that the model was shown.
        n_prefix: class token and registers of the model; as many are expected before the patches.

    Raises:
        InputError: none of them has this many tokens.
    """
    n = grid[0] * grid[1]
    order = [name for name in NAMES if name in outputs]
    for name in [*order, *(name for name in outputs if name not in order)]:
        array = np.asarray(outputs[name])
        if array.ndim == 4 and array.shape[0] == 1 and array.shape[1] * array.shape[2] == n:
            return array.reshape(n, -1)
        if array.ndim == 3 and array.shape[0] == 1 and array.shape[1] in (n, n + n_prefix):
            return array[0, array.shape[1] - n :]
    found = ", ".join(f"{name} {np.shape(array)}" for name, array in outputs.items())
    raise InputError(
        f"no output holds patch tokens for a grid of {grid[0]}x{grid[1]} (1 {n} dim, or 1 {n + n_prefix} dim "
        f"with {n_prefix} tokens before them): there are {found}"
    )

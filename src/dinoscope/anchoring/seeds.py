"""Random numbers that depend on (seed, purpose, step) and on nothing else.

So the random state of a run is two whole numbers: a run that is resumed, or forked, goes on exactly as it
would have.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What the numbers are for; each has its own stream."""

    WEIGHTS = 0
    ORDER = 1
    BATCH = 2
    NETWORK = 3


def generator(seed: int, purpose: Purpose, step: int) -> np.random.Generator:
    """A fresh generator."""
    return np.random.default_rng([seed, int(purpose), step])


def torch_seed(seed: int, purpose: Purpose, step: int) -> int:
    """For `torch.manual_seed`: 63 bits."""
    state = np.random.SeedSequence([seed, int(purpose), step]).generate_state(1, np.uint64)
    return int(state[0]) >> 1

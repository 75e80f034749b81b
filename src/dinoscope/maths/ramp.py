"""A weight that rises along half a cosine."""

from __future__ import annotations

import math


def cosine_ramp(step: int, start: int, length: int) -> float:
    """How far a ramp has come at a step, in [0, 1]: 0 up to ``start``, 1 from ``start + length`` on.

    Source: facebookresearch/dinov3@6876159 (`dinov3_vit7b16_gram_anchor.yaml`, the weight of the Gram loss).

    >>> [round(cosine_ramp(step, 10, 4), 3) for step in (10, 12, 14)]
    [0.0, 0.5, 1.0]
    """
    if step <= start:
        return 0.0
    along = min(1.0, (step - start) / length) if length else 1.0
    return (1.0 - math.cos(math.pi * along)) / 2.0

"""What explains the difference of two feature arrays where there is no model to vary: order, turns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float

from dinoscope.doctor.diagnosis import Effect
from dinoscope.errors import ShapeError
from dinoscope.io.foreign_features import ForeignFeatures
from dinoscope.maths.same_places import patch_agreement

MAX_SHIFT = 8
"""Tokens by which a slice may be off: more than any published model has before its patches."""

Map = Float[np.ndarray, "h w dim"]

_TURNS: dict[str, tuple[str, Callable[[Map], Map]]] = {
    "layout=transposed": ("rows and columns of the map exchanged", lambda m: m.transpose(1, 0, 2)),
    "flip=columns": ("the map mirrored from left to right", lambda m: m[:, ::-1]),
    "flip=rows": ("the map mirrored from top to bottom", lambda m: m[::-1]),
    "turn=90": ("the map turned by 90 degrees", lambda m: np.rot90(m, 1)),
    "turn=180": ("the map turned by 180 degrees", lambda m: np.rot90(m, 2)),
    "turn=270": ("the map turned by 270 degrees", lambda m: np.rot90(m, 3)),
}


def array_effects(old: ForeignFeatures, new: ForeignFeatures) -> Iterator[Effect]:
    """Every change of OLD's array, with its agreement with NEW; both have the same channels.

    A shift is judged on the patches that both have after it.
    """
    for change, meaning, rows, shape in _changed(old):
        try:
            to_old = patch_agreement(rows, shape, old.rows, old.shape)
            to_new = patch_agreement(rows, shape, new.rows, new.shape)
        except ShapeError:  # a bare sequence cannot be laid on this grid
            continue
        yield Effect(change, meaning, to_old.mean, to_new.mean, to_new.lowest, to_new.averaged)
    if len(old.rows) != len(new.rows):
        return
    for k in range(1, min(MAX_SHIFT, len(old.rows) // 2) + 1):
        for sign, where in ((-1, "early"), (1, "late")):
            ours, theirs = (old.rows[:-k], new.rows[k:]) if sign < 0 else (old.rows[k:], new.rows[:-k])
            to_new = patch_agreement(ours, None, theirs, None)
            to_old = patch_agreement(old.rows[:-k], None, old.rows[k:], None)
            meaning = f"the patches cut out of the token sequence {k} token{'s' * (k > 1)} too {where}"
            yield Effect(f"shift={sign * k}", meaning, to_old.mean, to_new.mean, to_new.lowest)


def _changed(
    old: ForeignFeatures,
) -> Iterator[tuple[str, str, Float[np.ndarray, "n dim"], tuple[int, int] | None]]:
    rows = old.rows.astype(np.float64)
    yield "centred", "the mean over the patches taken out", rows - rows.mean(axis=0), old.shape
    if old.shape is None:
        return
    h, w = old.shape
    values = old.rows.reshape(h, w, -1)
    for change, (meaning, turn) in _TURNS.items():
        turned = turn(values)
        shape = (h, w) if turned.shape[:2] == (h, w) else (w, h)
        yield change, meaning, turned.reshape(h * w, -1), shape

"""What belongs to what was clicked on? And how few clicks are enough?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float64
from scipy.ndimage import distance_transform_edt

from dinoscope.data.features import PatchFeatures
from dinoscope.data.kinds import check_features
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.foreground import otsu
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.patches import as_map, unit
from dinoscope.maths.segments import linear_labels

Click = tuple[float, float, bool]
"""A place (x, y) in [0, 1]², and whether it belongs."""

HOW = ("nearest", "linear")


def segment(f: PatchFeatures, clicks: Sequence[Click], *, how: str = "nearest") -> Bool[np.ndarray, "h w"]:
    """The patches that belong to what was clicked on.

    ``nearest``: those whose largest cosine with a patch clicked as belonging exceeds that with every patch
    clicked as not. Without clicks that do not belong the limit is Otsu's threshold of those cosines over the
    photograph. ``linear``: a logistic regression on the clicked patches, which needs both kinds. The clicked
    patches are always as clicked; of two clicks on one patch the later counts.

    Args:
        f: the photograph.
        clicks: one at least that belongs.
        how: of `HOW`.

    Raises:
        InputError: no click that belongs, a place outside the photograph, or ``linear`` without both kinds.
    """
    check_features(f)
    if how not in HOW:
        raise InputError(f"segment by {' or '.join(HOW)}, not {how!r}")
    if any(len(click) != 3 for click in clicks):
        raise InputError("a click is (x, y, whether it belongs): a place in [0, 1]² and True or False")
    known = {f.grid.patch_at(x, y): bool(belongs) for x, y, belongs in clicks}
    inside = [patch for patch, belongs in known.items() if belongs]
    outside = [patch for patch, belongs in known.items() if not belongs]
    if not inside:
        raise InputError("no click says what belongs: give at least one (x, y, True)")
    x = unit(as_map(f))
    if how == "linear":
        if not outside:
            raise InputError("a linear readout needs clicks of both kinds: one (x, y, False) at least")
        rows = np.array([x[patch] for patch in known])
        labels, _ = linear_labels(rows, np.array(list(known.values()), np.int64), x.reshape(-1, f.dim))
        found = labels.reshape(f.grid.shape) == 1
    else:
        near = _largest(x, inside)
        limit = _largest(x, outside) if outside else otsu(near.ravel())
        found = near > limit
    for patch, belongs in known.items():
        found[patch] = belongs
    return np.asarray(found)


def clicks_curve(
    f: PatchFeatures, mask: Bool[np.ndarray, "_ _"], *, n: int = 10, how: str = "nearest", seed: int = 0
) -> tuple[Float64[np.ndarray, " n"], tuple[Click, ...]]:
    """Intersection over union with a mask after each of ``n`` clicks of a simulated user, and the clicks.

    The first click lies deepest inside the mask; each further one deepest inside what is wrong, missing or
    too much. Of equally deep places one is drawn. Nothing wrong: no more clicks, the value stays.
    Source: Xu et al., Deep interactive object selection (CVPR 2016), as in Sofiiuk et al. (arXiv 2102.06583).

    Args:
        f: the photograph.
        mask: the patches that belong, or the pixels: then a patch belongs with most of its pixels.
        n: clicks at most.
        how: as for `segment`; ``nearest`` until there are clicks of both kinds.
        seed: of the draw.

    Raises:
        ShapeError: a mask of another shape than the grid and the photograph.
        InputError: an empty mask, or no clicks.
    """
    width, height = f.grid.image_size
    if mask.shape not in (f.grid.shape, (height, width)):
        patches = f"h={f.grid.h} w={f.grid.w}"
        raise ShapeError("mask", expected=f"{patches}, or H={height} W={width}", actual=mask.shape)
    if mask.shape != f.grid.shape:
        mask = patch_labels(mask.astype(np.int64), f.grid).labels == 1
    if not mask.any() or n < 1:
        raise InputError("simulated clicks need a mask with patches inside, and at least one click")
    rng = np.random.default_rng(seed)
    clicks: list[Click] = []
    found, scores = np.zeros(mask.shape, bool), []
    for _ in range(n):
        wrong = mask != found
        if wrong.any():
            deep = np.maximum(_depth(mask & ~found), _depth(found & ~mask))
            row, col = rng.choice(np.argwhere(deep == deep.max()))
            clicks.append((*f.grid.centre(int(row), int(col)), bool(mask[row, col])))
            both = len({belongs for *_, belongs in clicks}) == 2
            found = segment(f, clicks, how=how if both else "nearest")
        scores.append(float((mask & found).sum() / (mask | found).sum()))
    return np.array(scores), tuple(clicks)


def _largest(
    x: Float64[np.ndarray, "h w dim"], patches: Sequence[tuple[int, int]]
) -> Float64[np.ndarray, "h w"]:
    return np.asarray((x @ np.array([x[patch] for patch in patches]).T).max(axis=2))


def _depth(region: Bool[np.ndarray, "h w"]) -> Float64[np.ndarray, "h w"]:
    """Distance to the outside, the photograph's border being outside too."""
    return np.asarray(distance_transform_edt(np.pad(region, 1)))[1:-1, 1:-1]

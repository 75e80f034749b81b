"""Match: for every patch of one photograph its place in another."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int64

from dinoscope.data.features import PatchFeatures, check_alike
from dinoscope.data.grid import PatchGrid, place
from dinoscope.data.kinds import check_features
from dinoscope.errors import InputError
from dinoscope.matching.matches import Matches
from dinoscope.maths.nearest import centres, nearest_both_ways, thinned

Foreground = tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h_2 w_2"]]


def match(
    f: PatchFeatures,
    g: PatchFeatures,
    *,
    mutual: bool = True,
    spread: float | None = None,
    ratio: float | None = None,
    at: Sequence[tuple[float, float]] | None = None,
    foreground: Foreground | None = None,
    refine: bool = False,
) -> Matches:
    """The places of ``g`` that are most like the places of ``f``, patch by patch.

    Args:
        f, g: two photographs by one model, on any grids.
        mutual: keep only pairs in which each patch is the other's best. Swapping the photographs then swaps
            the pairs.
        spread: keep, from the largest cosine down, only what lies at least so many pixels of the first
            photograph apart. None: all.
        ratio: keep only matches whose `Matches.ratio` is at most this. None: all.
        at: match these places (x, y) in [0, 1]² alone, in this order. A place keeps its offset within its
            patch. None: the centre of every patch.
        foreground: patches of each that may be matched at all. None: all.
        refine: places between the patches' centres, by a soft-argmax over the patches around the best.

    Raises:
        InputError: a place outside the photograph, a spread or ratio not above 0, an empty mask, or a place
            to match that the mask leaves out.
        ProvenanceMismatchError: features of different models or layers.
        ShapeError: different channels, or a mask of another shape than its grid.
    """
    check_features(f, g)
    check_alike(f.provenance, g.provenance)
    for name, value in (("spread", spread), ("ratio", ratio)):
        if value is not None and not value > 0:
            raise InputError(f"{name} must be above 0, got {value}")
    of, among = (None, None) if foreground is None else foreground
    forth, back = nearest_both_ways(f, g, of=of, among=among, refine=refine)
    own = centres(f.grid.shape)
    if at is None:
        patches = np.flatnonzero(forth.index >= 0)
        source, target = own[patches], forth.places[patches]
    else:
        patches = _patches_at(at, f.grid)
        source = np.array(at, np.float64).reshape(-1, 2)
        if (forth.index[patches] < 0).any():
            x, y = source[int(np.argmin(forth.index[patches]))]
            raise InputError(f"the place ({x:g}, {y:g}) lies outside the foreground mask")
        scale = np.array([f.grid.w / g.grid.w, f.grid.h / g.grid.h])
        target = np.clip(forth.places[patches] + (source - own[patches]) * scale, 0.0, 1.0)
    best = forth.index[patches]
    both = back[best] == patches
    kept = np.flatnonzero(both if mutual else np.ones(len(patches), bool))
    if ratio is not None:
        kept = kept[forth.ratio[patches[kept]] <= ratio]
    if spread is not None:
        kept = kept[thinned(source[kept] * f.grid.image_size, forth.cosine[patches[kept]], spread)]
    chosen = patches[kept]
    return Matches(
        source[kept],
        target[kept],
        forth.cosine[chosen],
        forth.ratio[chosen],
        both[kept],
        forth.tied[chosen],
        f.grid,
        g.grid,
        len(patches),
        g.grid.n if among is None else int(among.sum()),
        _digest(f.grid, g.grid, chosen, best[kept]),
    )


def _patches_at(at: Sequence[tuple[float, float]], grid: PatchGrid) -> Int64[np.ndarray, " n"]:
    if not len(at):
        raise InputError("no places to match: give at least one (x, y)")
    return np.array([row * grid.w + col for row, col in (grid.patch_at(*place(one)) for one in at)], np.int64)


def _digest(
    source: PatchGrid, target: PatchGrid, patches: Int64[np.ndarray, " n"], best: Int64[np.ndarray, " n"]
) -> str:
    """The digest of whole numbers alone, so that digits which differ between machines do not count."""
    listed = f"{source.h}x{source.w} {target.h}x{target.w}\n" + "".join(
        f"{i} {j}\n" for i, j in zip(patches.tolist(), best.tolist(), strict=True)
    )
    return hashlib.sha256(listed.encode()).hexdigest()


def fixed_places(n: int) -> tuple[tuple[float, float], ...]:
    """Places spread evenly over any photograph, no two at one height: the same for everybody and every model.

    Source: the Fibonacci lattice, Niederreiter & Sloan, Integration of nonperiodic functions of two
    variables by Fibonacci lattice rules (1994).

    >>> [tuple(round(v, 2) for v in place) for place in fixed_places(3)]
    [(0.5, 0.17), (0.12, 0.5), (0.74, 0.83)]
    """
    golden = (5**0.5 - 1) / 2
    return tuple(((0.5 + i * golden) % 1.0, (i + 0.5) / n) for i in range(n))

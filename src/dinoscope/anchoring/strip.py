"""Maps of photographs at every checkpoint, in one basis; and Gram matrices beside the teacher's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dinoscope.anchoring.evaluate import Subject
from dinoscope.anchoring.findings import TRUNK, Frame, GramPair, Strip
from dinoscope.anchoring.plan import AT
from dinoscope.anchoring.probes import features_of
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import preview
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.patches import unit
from dinoscope.maths.pca import fit_pca, to_rgb
from dinoscope.maths.similarity import similarity_map

GRID, GRAM_GRID = 28, 14
FRAMES = 6
"""Snapshots of the trunk, at most; the first and the last are among them."""

_PREVIEW_PX = 512


def film_strip(
    subjects: Sequence[Subject],
    photographs: Sequence[Photograph],
    *,
    at: tuple[float, float] = AT,
    device: str = "cpu",
) -> Strip:
    """Maps of every photograph by every network.

    The basis is fitted on the features of all networks and photographs together, so that a colour means
    the same direction throughout; a network that has turned away from the others shows it.

    Args:
        subjects: in the order to show.
        photographs: that no run was trained on.
        at: reference place (x, y) in [0, 1]².
        device: as torch names it.
    """
    found = [features_of(s.path, photographs, GRID, device=device) for s in subjects]
    basis = fit_pca([f for of_network in found for f in of_network])
    frames = tuple(
        Frame(
            s.run,
            s.seed,
            s.step,
            tuple(to_rgb(basis.project(f), limits=basis.limits) for f in of_network),
            tuple(similarity_map(f, at).values for f in of_network),
        )
        for s, of_network in zip(subjects, found, strict=True)
    )
    shares = basis.explained_variance_ratio
    return Strip(
        photographs=tuple(preview(p, longest_px=_PREVIEW_PX) for p in photographs),
        at=at,
        patches=tuple(f.grid.patch_at(*at) for f in found[0]),
        frames=frames,
        explained=(float(shares[0]), float(shares[1]), float(shares[2])),
    )


def gram_pairs(
    subjects: Sequence[Subject],
    teacher: Path,
    teacher_step: int,
    photograph: Photograph,
    *,
    device: str = "cpu",
) -> tuple[GramPair, ...]:
    """Cosine matrices of one photograph by each network, each beside the teacher's."""
    held = features_of(teacher, [photograph], GRAM_GRID, device=device)[0]
    pairs = []
    for s in subjects:
        own = features_of(s.path, [photograph], GRAM_GRID, device=device)[0]
        distance = gram_distance(own, held)
        pairs.append(GramPair(s.run, s.seed, s.step, teacher_step, _cosines(own), _cosines(held), distance))
    return tuple(pairs)


def chosen_frames(subjects: Sequence[Subject], *, also: int | None = None) -> list[Subject]:
    """The first trunk's snapshots, evenly spaced, and that of step ``also``; each arm's last."""
    trunks = [s for s in subjects if s.run == TRUNK]
    first = [s for s in trunks if s.seed == trunks[0].seed]
    places = np.unique(np.linspace(0, len(first) - 1, min(FRAMES, len(first))).round().astype(int))
    chosen = [s for i, s in enumerate(first) if i in places or s.step == also]
    return chosen + last_of_arms(subjects)


def last_of_arms(subjects: Sequence[Subject]) -> list[Subject]:
    """The last snapshot of each arm, of the first seed that has it."""
    found: dict[str, Subject] = {}
    for s in subjects:
        known = found.get(s.run)
        newer = known is None or (s.seed == known.seed and s.step > known.step)
        if s.step > 0 and s.run != TRUNK and newer:
            found[s.run] = s
    return list(found.values())


def _cosines(features: PatchFeatures) -> np.ndarray:
    rows = unit(features.values.reshape(-1, features.dim).astype(np.float64))
    return np.asarray(rows @ rows.T, dtype=np.float32)

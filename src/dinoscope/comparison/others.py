"""The control ``other:NAME``: a model's features of another photograph, which know nothing of this one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from dinoscope.comparison.collected import Beside
from dinoscope.comparison.row import Job
from dinoscope.comparison.rows import rows_of
from dinoscope.comparison.sample import Features, Sample, collection_numbers
from dinoscope.data.annotation import Annotation
from dinoscope.data.photograph import Photograph


def partners(shapes: Mapping[str, tuple[int, int]], *, seed: int = 0) -> dict[str, str]:
    """For each photograph another one of its grid shape; those that have none are left out.

    Of all others the one of the smallest sha256 of seed, digest and the other's digest: which does not
    depend on their order, and hardly on which further photographs there are.

    Args:
        shapes: ``(h, w)`` by the photograph's digest.
    """
    found = {}
    for digest, shape in shapes.items():
        others = [other for other, theirs in shapes.items() if theirs == shape and other != digest]
        if others:
            found[digest] = min(others, key=lambda other: _draw(seed, digest, other))
    return found


def other_sample(sample: Sample, name: str, *, seed: int = 0) -> Sample:
    """The sample's photographs, each with the first model's features of its partner instead of its own."""
    shapes = {digest: features[0].grid.shape for digest, (features, _) in sample.rows.items()}
    rows: dict[str, tuple[Features, Int64[np.ndarray, "h w"] | None]] = {}
    for digest, partner in partners(shapes, seed=seed).items():
        features = sample.rows[partner][0][0]
        named = replace(features, provenance=replace(features.provenance, backbone=name))
        rows[digest] = ((named,), sample.rows[digest][1])
    return Sample(sample.kept, rows, {digest: sample.photographs[digest] for digest in rows})


def others_beside(
    sample: Sample,
    name: str,
    read: Callable[[Photograph], Annotation | None],
    *,
    masked: bool = False,
    seed: int = 0,
) -> Beside:
    """What photographs of the sample score with other photographs' features.

    Args:
        sample: of the whole collection.
        name: of the control.
        read: a photograph's masks.
        masked: whether masks were asked for.
        seed: decides which photograph is whose partner.
    """
    chosen = other_sample(sample, name, seed=seed)

    def jobs() -> Iterator[Job]:
        for digest, (features, _) in sorted(chosen.rows.items()):
            photograph = chosen.photographs[digest]
            yield Job(photograph, features, read(photograph))

    with closing(rows_of(jobs(), masked=masked, n_models=1)) as measured:
        rows = {row.digest: row for row in measured}
    return Beside(name, rows, collection_numbers(chosen, masked=masked, seed=seed))


def _draw(seed: int, digest: str, other: str) -> str:
    return hashlib.sha256(f"{seed} {digest} {other}".encode()).hexdigest()

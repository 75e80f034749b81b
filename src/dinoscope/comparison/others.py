"""The control ``other:NAME``: a model's features of another photograph, which know nothing of this one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from dinoscope.comparison.collected import Beside
from dinoscope.comparison.numbers import Same
from dinoscope.comparison.row import Job, Row
from dinoscope.comparison.rows import rows_of
from dinoscope.comparison.sample import Features, Sample, collection_numbers
from dinoscope.data.annotation import Annotation
from dinoscope.data.photograph import Photograph

ELSEWHERE = frozenset({"photograph", "masks", "reference"})
"""What is not as for these features at their own photograph, of `dinoscope.metrics.facts.SIGHTS`."""


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
            drawn = {
                hashlib.sha256(f"{seed} {digest} {other}".encode()).hexdigest(): other for other in others
            }
            found[digest] = drawn[min(drawn)]
    return found


def other_sample(sample: Sample, name: str, pairs: Mapping[str, str]) -> Sample:
    """The sample's photographs, each with the first model's features of its partner instead of its own."""
    rows: dict[str, tuple[Features, Int64[np.ndarray, "h w"] | None]] = {}
    for digest, partner in pairs.items():
        features = sample.rows[partner][0][0]
        named = replace(features, provenance=replace(features.provenance, backbone=name))
        rows[digest] = ((named,), sample.rows[digest][1])
    photographs = {digest: sample.photographs[digest] for digest in rows}
    return Sample(sample.kept, rows, photographs, {digest: sample.seen[digest] for digest in rows})


def others_beside(
    sample: Sample,
    name: str,
    read: Callable[[Photograph], Annotation | None],
    own: Mapping[str, Row],
    *,
    masked: bool = False,
    seed: int = 0,
) -> Beside:
    """What photographs of the sample score with other photographs' features.

    Args:
        sample: of the whole collection.
        name: of the control.
        read: a photograph's masks.
        own: the sample's rows by digest, of the first model at least; what lies in features alone is theirs.
        masked: whether masks were asked for.
        seed: decides which photograph is whose partner.
    """
    shapes = {digest: features[0].grid.shape for digest, (features, _) in sample.rows.items()}
    pairs = partners(shapes, seed=seed)
    chosen = other_sample(sample, name, pairs)

    def jobs() -> Iterator[Job]:
        for digest, (features, _) in sorted(chosen.rows.items()):
            photograph = chosen.photographs[digest]
            same = Same(own[pairs[digest]].column(0), ELSEWHERE)
            yield Job(photograph, features, read(photograph), seen=chosen.seen[digest], same=same)

    with closing(rows_of(jobs(), masked=masked, n_models=1)) as measured:
        rows = {row.digest: row for row in measured}
    return Beside(name, rows, collection_numbers(chosen, moved={0: ELSEWHERE}, masked=masked, seed=seed))

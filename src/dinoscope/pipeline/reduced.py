"""Photographs decoded to fewer pixels: how far their features are from those of all, and how it is said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.data.results import Failure, LedgerEntry
from dinoscope.errors import DinoscopeError
from dinoscope.pipeline.certificate import Certificate, patch_cosines
from dinoscope.pipeline.extract import ImageLike, each_image, extracted, load_photograph
from dinoscope.pipeline.run import Run

LEAST_MEAN_REDUCED = 0.9999
"""Mean cosine to full decoding below which a reduced reading is said to be too far from it."""

LOOKED_AT = 64
"""Photographs that are decoded, at most, in search of some to certify with."""

RULE = "Photographs are decoded in full"


def check_decoding(
    images: ImageLike | Iterable[ImageLike], backbone: Backbone, run: Run, *, n_images: int = 2
) -> Certificate | None:
    """Runs photographs both ways: as reduced decoding reads them, and from all their pixels.

    Args:
        images: a list of files; those already decoded, or that cannot be used, say nothing.
        backbone: in whatever arithmetic; it is the same on both sides.
        run: every layer of it is compared. Its ``decode`` is not looked at.
        n_images: how many of the first that are read reduced at all.

    Returns:
        The certificate; None where none of the first `LOOKED_AT` photographs is read reduced.
    """
    reducing, full = replace(run, decode="reduced"), replace(run, decode="full")
    enough = partial(reducing.enough, patch_size=backbone.spec.patch_size)
    cosines: list[np.ndarray] = []
    reductions: list[int] = []
    unusable: list[Failure] = []  # extraction tells of them
    for image in islice(each_image(images), LOOKED_AT):
        try:
            fewer = load_photograph(image, enough=enough)
        except DinoscopeError:
            continue
        if fewer.reduction == 1:
            continue
        whole = list(extracted(image, backbone, full, on_failure=unusable.append))
        found = list(extracted(fewer, backbone, reducing, on_failure=unusable.append))
        if not whole or len(whole) != len(found):
            continue
        cosines += [patch_cosines(a.values, b.values) for a, b in zip(whole, found, strict=True)]
        reductions.append(fewer.reduction)
        if len(reductions) == n_images:
            break
    if not cosines:
        return None
    every = np.concatenate(cosines)
    return Certificate(
        backbone=backbone.spec.name,
        way="decoded at " + ", ".join(f"1/{reduction}" for reduction in sorted(set(reductions))),
        mean=float(every.mean()),
        minimum=float(every.min()),
        n_images=len(reductions),
        n_patches=len(every),
        against="full decoding",
        least=LEAST_MEAN_REDUCED,
    )


def decoding_entry(proof: Certificate | None, counts: Mapping[int, int]) -> LedgerEntry:
    """The line of a ledger about reduced decoding.

    Args:
        proof: of `check_decoding`.
        counts: photographs by their reduction.
    """
    of_each = [f"{n} at 1/{reduction}" for reduction, n in sorted(counts.items()) if reduction > 1]
    if counts.get(1):
        of_each.append(f"{counts[1]} in full, which are no JPEG files or have no pixels to spare")
    said = ["; ".join(of_each) or "no photograph"]
    if proof is not None:
        said.append(proof.words)
        if not proof.exact_enough:
            said.append(f"below {proof.least} on average: these are not the features of full decoding")
    return LedgerEntry(
        RULE, not any(n for reduction, n in counts.items() if reduction > 1), ". ".join(said) + "."
    )

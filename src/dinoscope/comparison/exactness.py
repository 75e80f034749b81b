"""Models that compute a faster way are measured only where that is exact enough, or by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.first import FirstPhotographs
from dinoscope.pipeline.certificate import LEAST_MEAN, guarded
from dinoscope.pipeline.extract import ImageLike, each_image
from dinoscope.pipeline.run import Arithmetic, Run

N_PHOTOGRAPHS = 2
"""How many of the photographs to be measured the proof is on: the first that can be read."""


def exact_enough(
    backbones: Sequence[Backbone],
    images: ImageLike | Iterable[ImageLike],
    arithmetic: Arithmetic,
    run: Run,
    layers: Sequence[int | None],
) -> tuple[list[Backbone], Iterator[ImageLike], tuple[str, ...]]:
    """The backbones in the way asked for, each with its proof on the first photographs.

    Args:
        backbones: in float32; see `dinoscope.pipeline.certificate.guarded`.
        run, layers: as they will be measured; no photograph is read where nothing needs a proof.

    Returns:
        The backbones as they will compute; all images given, in order, with those that were looked at; and
        the certificate of each backbone that computes otherwise than in float32 eager, in words.

    Raises:
        InputError: a way that is too far from float32, unless ``allow_inexact``.
    """
    looked_at = FirstPhotographs(each_image(images))
    models: list[Backbone] = []
    notes: list[str] = []
    for backbone, layer in zip(backbones, layers, strict=True):
        model, proof = guarded(backbone, looked_at, arithmetic, run.at(layer), n_images=N_PHOTOGRAPHS)
        models.append(model)
        if proof is not None:
            verdict = (
                "" if proof.exact_enough else f"; below {LEAST_MEAN} on average: inexact, allowed by name"
            )
            notes.append(f"not in float32 eager arithmetic: {proof.words}{verdict}")
        elif model.dtype in (torch.bfloat16, torch.float16):
            notes.append(
                f"not in float32 eager arithmetic: {model.spec.name} was loaded in "
                f"{str(model.dtype).removeprefix('torch.')}, and how far that is from float32 is not known; "
                "allowed by name"
            )
    return models, looked_at.all(), tuple(notes)

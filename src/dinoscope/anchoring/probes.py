"""Every measure of one network on held-out scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from dinoscope.anchoring.held_out import HeldOut
from dinoscope.backbones.load import load_backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import BackboneError, InputError
from dinoscope.maths.boundary import boundary_auc, coherence_auc
from dinoscope.maths.distance import cls_patch_cosine
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.patches import unit
from dinoscope.maths.position import position_fit
from dinoscope.maths.segments import TEMPERATURE, knn_miou
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.spectrum import effective_rank
from dinoscope.pipeline.extract import extract

BATCH = 16


def features_of(
    network: Path, photographs: Sequence[object], grid: int, *, device: str = "cpu"
) -> list[PatchFeatures]:
    """Patch features of photographs by an exported network: last layer, after the final norm.

    Args:
        network: a Hugging Face folder.
        photographs: anything `extract` takes.
        grid: patches on the short side.
        device: as torch names it.

    Raises:
        InputError: not a network that can be loaded.
    """
    try:
        backbone = load_backbone(weights=network, device=device)
    except BackboneError as error:
        raise InputError(f"{str(network)!r} cannot be measured: {error}") from error
    return list(extract(list(photographs), backbone, grid=grid, batch_size=BATCH))  # type: ignore[arg-type]


def measure(
    features: Sequence[PatchFeatures], scenes: HeldOut, teacher: Sequence[PatchFeatures] | None = None
) -> dict[str, float]:
    """Every metric of `dinoscope.data.laboratory.METRICS`, NaN where undefined.

    Args:
        features: of every scene, in order.
        scenes: the scenes.
        teacher: the frozen teacher's features of the first ``n_dense``; None for no Gram distance.
    """
    probes = scenes.probes
    dense = features[: probes.n_dense]
    regions = [patch_labels(m, f.grid) for m, f in zip(scenes.regions, dense, strict=False)]
    classes = [patch_labels(m, f.grid).labels for m, f in zip(scenes.classes, dense, strict=False)]
    half = len(dense) // 2
    segmented = knn_miou(
        dense[:half],
        classes[:half],
        dense[half:],
        classes[half:],
        k=probes.patch_neighbours,
        max_train=probes.most_patches,
    )
    triples = [smoothness(f) for f in dense]
    tokens = [f.cls for f in features if f.cls is not None]
    if len(tokens) != len(features):
        raise InputError("the laboratory measures networks that have a class token")
    return {
        "patch_knn_miou": segmented.miou,
        "cls_knn": cls_accuracy(np.stack(tokens), scenes.labels, k=probes.image_neighbours),
        "boundary_auc": _mean(boundary_auc(f, r).auc for f, r in zip(dense, regions, strict=True)),
        "coherence_auc": _mean(coherence_auc(f, r).auc for f, r in zip(dense, regions, strict=True)),
        "effective_rank": effective_rank(
            np.concatenate([f.values.reshape(-1, f.dim) for f in dense]), centre=True
        ),
        "locality": _mean(t.locality for t in triples),
        "neighbour": _mean(t.neighbour for t in triples),
        "random_pair": _mean(t.random_pair for t in triples),
        "cls_patch_cosine": _mean(
            cls_patch_cosine(f, token) for f, token in zip(dense, tokens, strict=False)
        ),
        "position_r2": position_fit(dense).mean,
        "gram_distance": float("nan")
        if teacher is None
        else _mean(gram_distance(f, t) for f, t in zip(dense, teacher, strict=True)),
    }


def cls_accuracy(tokens: Float[np.ndarray, "n dim"], labels: Int64[np.ndarray, " n"], *, k: int) -> float:
    """Share of scenes whose class the ``k`` nearest of all other scenes vote for, in [0, 1].

    Votes are weighted ``exp(cosine / 0.07)``; of equal votes the smallest class wins.
    Source: Wu et al. (arXiv 1805.01978, section 3.4), leaving one out.

    Raises:
        InputError: fewer than two scenes, or ``k`` below 1.
    """
    if len(tokens) < 2 or k < 1:
        raise InputError(f"nearest neighbours need two scenes and k of 1, got {len(tokens)} and {k}")
    directions = unit(np.asarray(tokens, dtype=np.float64))
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    k = min(k, len(tokens) - 1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    weights = np.exp((np.take_along_axis(cosines, nearest, axis=1) - 1.0) / TEMPERATURE)
    known, index = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(tokens), len(known)))
    np.add.at(votes, (np.arange(len(tokens))[:, None], index[nearest]), weights)
    return float((known[votes.argmax(axis=1)] == labels).mean())


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """NaN as None, for JSON."""
    return {name: float(v) if np.isfinite(v) else None for name, v in values.items()}


def _mean(values: object) -> float:
    known = np.array([v for v in values if np.isfinite(v)])  # type: ignore[attr-defined]
    return float(known.mean()) if len(known) else float("nan")

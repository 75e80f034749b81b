"""Every measure of one network on held-out scenes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int32

from dinoscope.anchoring.findings import METRICS
from dinoscope.anchoring.held_out import HeldOut
from dinoscope.backbones.load import load_backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import BackboneError, InputError
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.patches import prepared
from dinoscope.metrics.facts import OfCollection, OfPhotograph, OfScenes
from dinoscope.metrics.registry import COLLECTION, PHOTOGRAPH, SCENES
from dinoscope.metrics.subject import Collection, Regions, Scenes, Seen, Subject
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
    """Every metric of `dinoscope.anchoring.findings.METRICS`, NaN where undefined.

    Args:
        features: of every scene, in order.
        scenes: the scenes.
        teacher: the frozen teacher's features of the first ``n_dense``; None for no Gram distance.
    """
    probes = scenes.probes
    dense = features[: probes.n_dense]
    tokens = [f.cls for f in features if f.cls is not None]
    if len(tokens) != len(features):
        raise InputError("the laboratory measures networks that have a class token")
    found: dict[str, float] = {}
    held = Scenes(
        maps=dense,
        classes=[patch_labels(m, f.grid).labels for m, f in zip(scenes.classes, dense, strict=False)],
        tokens=np.stack(tokens),
        labels=scenes.labels,
        teacher=teacher,
        patch_neighbours=probes.patch_neighbours,
        image_neighbours=probes.image_neighbours,
        most_patches=probes.most_patches,
    )
    for of_scenes in _wanted(SCENES):
        found |= of_scenes.measure(held)
    for of_collection in _wanted(COLLECTION):
        found |= of_collection.measure(Collection(dense))
    subjects = [_subject(f, m) for f, m in zip(dense, scenes.regions, strict=False)]
    for of_photograph in _wanted(PHOTOGRAPH):
        rows = [of_photograph.measure(subject) for subject in subjects]
        found |= {key: _mean(row[key] for row in rows) for key in rows[0]}
    return {key: found[key] for key in METRICS}


F = TypeVar("F", OfScenes, OfCollection, OfPhotograph)


def _wanted(families: Iterable[F]) -> Iterator[F]:
    return (family for family in families if any(metric.key in METRICS for metric in family.metrics))


def _subject(features: PatchFeatures, mask: Int32[np.ndarray, "H W"]) -> Subject:
    labels = patch_labels(mask, features.grid)
    return Subject(
        prepared(features), Seen(features.grid.shape, regions=Regions(labels, labels, ())), cls=features.cls
    )


def finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """NaN as None, for JSON."""
    return {name: float(v) if np.isfinite(v) else None for name, v in values.items()}


def _mean(values: object) -> float:
    known = np.array([v for v in values if np.isfinite(v)])  # type: ignore[attr-defined]
    return float(known.mean()) if len(known) else float("nan")

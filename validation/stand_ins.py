"""Do the proxies order features as the masks do? On procedural scenes, where both can be asked."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from dinoscope.backbones.load import load_backbone
from dinoscope.data.grid import PatchGrid
from dinoscope.maths.intervals import mean_interval
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.patches import prepared
from dinoscope.metrics.registry import PHOTOGRAPH
from dinoscope.metrics.subject import Regions, Seen, Subject
from dinoscope.pipeline.extract import extract
from dinoscope.scenes.generate import scenes
from dinoscope.scenes.scene import Scene
from validation.causes import CAUSES, Map
from validation.planted import DIM, draw_vectors, draw_world

SCENES = 48
SEED = 11
SIZE_PX = 128
SIDE = 16
RESAMPLES = 2000
FEATURES = (
    "pixels",
    "pixels, blurred",
    "pixels, noised",
    "planted",
    "planted, blurred",
    "planted, noised",
    "planted, more noise",
    "both",
)
"""None needs trained weights. ``planted``: a class vector and an instance's own for each pixel's mask,
averaged over the patch, with noise; ``both``: that beside the pixel statistics."""

GROUPS = {
    "all eight": FEATURES,
    "pixels and its damage": FEATURES[:3],
    "planted and its damage": FEATURES[3:7],
}
"""Whose order is compared within a scene."""

PAIRS = (("proxy_sharpness", "boundary_auc"), ("proxy_coherence", "coherence_auc"))


def compare(*, n: int = SCENES, seed: int = SEED) -> dict[str, Any]:
    """Spearman's correlation of each proxy with its masked version, within scenes and over scenes."""
    tables: dict[str, list[float]] = {key: [] for pair in PAIRS for key in pair}
    backbone = load_backbone("pixels")
    world = draw_world(seed)
    asked = [family for family in PHOTOGRAPH if any(metric.key in tables for metric in family.metrics)]
    with threadpool_limits(1):
        for scene in scenes(n, seed, size=(SIZE_PX, SIZE_PX)):
            picture = np.array(scene.first.image)
            (raw,) = extract(picture, backbone, grid=(SIDE, SIDE))
            maps = _maps(raw.values.astype(np.float64), scene, world.axes, seed)
            grid = PatchGrid(SIDE, SIDE, 8, (SIZE_PX, SIZE_PX))
            labels = patch_labels(scene.first.instances, grid)
            seen = Seen(grid.shape, picture, Regions(labels, labels, ()))
            for name in FEATURES:
                subject = Subject(prepared(maps[name]), seen)
                for family in asked:
                    for key, value in family.measure(subject).items():
                        if key in tables:
                            tables[key].append(value)
    found = {key: np.array(values).reshape(n, len(FEATURES)) for key, values in tables.items()}
    return {
        "scenes": n,
        "seed": seed,
        "features": list(FEATURES),
        "groups": list(GROUPS),
        "means": {key: np.nanmean(table, axis=0).tolist() for key, table in found.items()},
        "correlations": {
            proxy: {
                "masked": masked,
                "within_scenes": {
                    group: _within(found[proxy], found[masked], [FEATURES.index(name) for name in names])
                    for group, names in GROUPS.items()
                },
                "over_scenes": {
                    name: _over(found[proxy][:, j], found[masked][:, j]) for j, name in enumerate(FEATURES)
                },
            }
            for proxy, masked in PAIRS
        },
    }


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Rank correlation of what both know; NaN where either is constant."""
    known = ~(np.isnan(first) | np.isnan(second))
    a, b = rankdata(first[known]), rankdata(second[known])
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])


def _within(proxy: np.ndarray, masked: np.ndarray, columns: list[int]) -> list[float]:
    """Over some features of one scene; mean over scenes with its 95% interval."""
    values = np.array([spearman(p, m) for p, m in zip(proxy[:, columns], masked[:, columns], strict=True)])
    found = mean_interval(values)
    return [found.mean, found.low, found.high]


def _over(proxy: np.ndarray, masked: np.ndarray) -> list[float]:
    """Over scenes, for one kind of features, with the percentile interval of resampled scenes."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(proxy), (RESAMPLES, len(proxy)))
    resampled = np.array([spearman(proxy[i], masked[i]) for i in drawn])
    low, high = np.nanquantile(resampled, (0.025, 0.975))
    return [spearman(proxy, masked), float(low), float(high)]


def _maps(raw: Map, scene: Scene, axes: np.ndarray, seed: int) -> dict[str, Map]:
    rng = np.random.default_rng((seed, scene.index, 1))
    by_class = draw_vectors(np.random.default_rng((seed, 2)), axes, scene.settings.n_classes + 1)
    by_instance = 0.5 * draw_vectors(rng, axes, len(scene.objects) + 1)
    vectors = by_class[scene.first.classes] + by_instance[scene.first.instances]
    cell = SIZE_PX // SIDE
    planted = vectors.reshape(SIDE, cell, SIDE, cell, DIM).mean(axis=(1, 3))
    planted = planted + 0.3 / np.sqrt(DIM) * rng.normal(size=planted.shape)

    def blurred(values: Map) -> Map:
        return np.asarray(gaussian_filter(values, (1.0, 1.0, 0.0), mode="nearest"))

    def noised(values: Map, amount: float, name: str) -> Map:
        spread = float(np.sqrt(values.reshape(-1, values.shape[2]).var(axis=0).sum() / values.shape[2]))
        own = np.random.default_rng((seed, scene.index, zlib.crc32(name.encode())))
        return np.asarray(values + amount * spread * own.normal(size=values.shape))

    noise = CAUSES["noise"].amount
    scale = np.sqrt((raw**2).sum(axis=-1).mean() / (planted**2).sum(axis=-1).mean())
    return {
        "pixels": raw,
        "pixels, blurred": blurred(raw),
        "pixels, noised": noised(raw, noise, "pixels"),
        "planted": planted,
        "planted, blurred": blurred(planted),
        "planted, noised": noised(planted, noise, "planted"),
        "planted, more noise": noised(planted, 3 * noise, "more"),
        "both": np.concatenate([raw, scale * planted], axis=-1),
    }

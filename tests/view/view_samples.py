"""Comparisons to look at: real photographs, features of a known spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.ndimage
import skimage.data
import sklearn.datasets
from PIL import Image

from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.maps import ColourAlignment, PatchPCA
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import (
    Comparison,
    Interval,
    LedgerEntry,
    Maps,
    Measurements,
    ModelResult,
    PairedDifference,
)
from dinoscope.data.spec import BackboneSpec, WeightsOrigin

HOSTILE = "</script><img src=x onerror=window.hacked=1>&<b>.jpg"
"""A file name that tries to be markup."""


def photographs(n: int) -> list[tuple[str, np.ndarray]]:
    """Up to six photographs that ship with scikit-image and scikit-learn."""
    data: Any = skimage.data  # untyped
    known = {
        "chelsea.png": data.chelsea,
        "astronaut.png": data.astronaut,
        "coffee.png": data.coffee,
        "flower.jpg": lambda: sklearn.datasets.load_sample_image("flower.jpg"),
        "rocket.jpg": data.rocket,
        "motorcycle.png": lambda: data.stereo_motorcycle()[0],
    }
    return [(name, np.asarray(load())) for name, load in list(known.items())[:n]]


def noise_features(
    n_photos: int, grid: tuple[int, int], dim: int, *, seed: int, mean: float = 0.0
) -> list[np.ndarray]:
    """Independent patches whose covariance has the eigenvalues 1/k, in a random rotation."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((dim, dim)))[0]
    spectrum = 1 / np.sqrt(np.arange(1, dim + 1))
    offset = mean * rng.standard_normal(dim) / np.sqrt(dim)
    shape = (grid[0] * grid[1], dim)
    return [
        ((rng.standard_normal(shape) * spectrum) @ turn + offset).astype(np.float32).reshape(*grid, dim)
        for _ in range(n_photos)
    ]


def picture_features(
    images: Sequence[np.ndarray],
    grid: tuple[int, int],
    dim: int,
    *,
    seed: int,
    blur: float,
    mean: float = 0.6,
) -> list[np.ndarray]:
    """Random smooth functions of each patch's colours and their surroundings: looks like features."""
    rng = np.random.default_rng(seed)
    described = []
    for image in images:
        layers = []
        small = np.asarray(Image.fromarray(image).resize(grid[::-1], Image.Resampling.BOX)) / 255.0
        for sigma in (blur, 2 * blur, 5 * blur):
            layers.append(
                np.stack([_gaussian(small[..., c], sigma) for c in range(3)], axis=-1) if sigma else small
            )
        layers.append(np.abs(small - layers[1]))
        described.append(np.concatenate(layers, axis=-1))
    stacked = np.concatenate([d.reshape(-1, d.shape[-1]) for d in described])
    centre, spread = stacked.mean(axis=0), stacked.std(axis=0)
    weights = rng.standard_normal((stacked.shape[1], dim)) * 0.9
    phase = rng.uniform(0, 2 * np.pi, dim)
    gain = 1 / np.sqrt(np.arange(1, dim + 1)) ** 0.5
    return [
        (np.cos(((d - centre) / spread) @ weights + phase) * gain + mean * gain * np.cos(phase))
        .astype(np.float32)
        .reshape(*grid, dim)
        for d in described
    ]


def _gaussian(channel: np.ndarray, sigma: float) -> np.ndarray:
    return np.asarray(scipy.ndimage.gaussian_filter(channel, sigma))


def comparison(
    photos: Sequence[tuple[str, np.ndarray]],
    features: Sequence[Sequence[np.ndarray]],
    labels: Sequence[str],
    *,
    notes: tuple[str, ...] = (),
    point: tuple[float, float] = (0.42, 0.45),
) -> Comparison:
    """A comparison of ready features: ``features[model][photograph]``."""
    taken = [
        Photograph(name, f"{i:064d}", (image.shape[1], image.shape[0]), image, notes)
        for i, (name, image) in enumerate(photos)
    ]
    models, rows = [], []
    for m, (label, per_photo) in enumerate(zip(labels, features, strict=True)):
        dim = per_photo[0].shape[2]
        pca = _pca(per_photo)
        models.append(
            ModelResult(
                label=label,
                spec=BackboneSpec(label, "control", 14 + 2 * m, dim, 12, 12, 0),
                origin=WeightsOrigin("none", "acb"[m % 3] * 64),
                layer=11,
                dtype="float32",
                pca=pca,
                alignment=ColourAlignment(np.eye(3), 0.31, labels[0]) if m else None,
            )
        )
        rows.append(
            [
                PatchFeatures(
                    values,
                    PatchGrid(values.shape[0], values.shape[1], 14 + 2 * m, photo.size),
                    Provenance(photo.name, photo.digest, label),
                )
                for values, photo in zip(per_photo, taken, strict=True)
            ]
        )
    by_photo = tuple(zip(*rows, strict=True))
    maps = tuple(
        tuple(_maps(model.pca, feature) for model, feature in zip(models, row, strict=True))
        for row in by_photo
    )
    digests = tuple(photo.digest for photo in taken)
    nothing = Interval(0.0, 0.0, 0.0, len(taken))
    measurements = Measurements(
        tuple(photo.name for photo in taken),
        digests,
        tuple(labels),
        {"neighbour": np.zeros((len(taken), len(labels)))},
        {"neighbour": (nothing,) * len(labels)},
        {"neighbour": (PairedDifference(nothing, 0.0, 1.0, 0.0),) * (len(labels) - 1)},
    )
    return Comparison(
        tuple(taken),
        tuple(models),
        by_photo,
        maps,
        (point,),
        (0, 1, 2),
        measurements,
        (LedgerEntry("equal grids", True, "all grids agree"),),
        settings={"versions": {"dinoscope": "9.8.7"}},
    )


def _pca(per_photo: Sequence[np.ndarray], n: int = 6) -> PatchPCA:
    flat = np.concatenate([values.reshape(-1, values.shape[2]) for values in per_photo]).astype(np.float64)
    if len(flat) > 20_000:
        flat = flat[:: len(flat) // 20_000]
    mean = flat.mean(axis=0)
    values, vectors = np.linalg.eigh(np.cov((flat - mean).T))
    components = vectors[:, ::-1][:, :n].T
    scores = (flat - mean) @ components.T
    limits = np.quantile(scores, [0.01, 0.99], axis=0).T
    variance = values[::-1][:n]
    return PatchPCA(mean, components, variance, variance / values.sum(), limits, len(flat))


def _maps(pca: PatchPCA, features: PatchFeatures) -> Maps:
    scores = pca.project(features)
    low, high = pca.limits[:3].T
    colours = np.clip((scores[..., :3] - low) / (high - low), 0, 1)
    return Maps(scores, colours, ())

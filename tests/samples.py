"""Comparisons from numpy alone: smooth random feature fields under file names that mean harm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from PIL import Image

from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.maps import ColourAlignment, PatchPCA, SimilarityMap
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import (
    FEW_WARNING,
    Comparison,
    Curve,
    Failure,
    Interval,
    LedgerEntry,
    Maps,
    Measurements,
    ModelResult,
    PairedDifference,
)
from dinoscope.data.spec import BackboneSpec, WeightsOrigin

HOSTILE = (
    "<script>alert(1)</script>.jpg",
    "\"quoted\" 'single' & $x^2$ \\alpha.png",
    "new\nline \u202egpj.exe",
    "фото 猫 \N{CAMERA}.jpg",
    "=HYPERLINK(1;2).png",
    "not text \udc80.jpg",
)
POINTS = ((0.5, 0.5), (0.12, 0.12), (0.98, 0.75))
METRICS = ("neighbour", "random_pair", "locality")


def smooth_field(h: int, w: int, channels: int, rng: np.random.Generator) -> np.ndarray:
    """Random values on a coarse lattice, bicubic in between."""
    coarse = rng.standard_normal((channels, 4, 5)).astype(np.float32)
    planes = [np.asarray(Image.fromarray(plane).resize((w, h), Image.Resampling.BICUBIC)) for plane in coarse]
    return np.stack(planes, axis=-1)


def images(n: int, *, seed: int = 0) -> list[np.ndarray]:
    """Landscape, portrait and square pictures of smooth colour."""
    rng = np.random.default_rng(seed)
    sizes = [(96, 128), (120, 90), (100, 100)]
    shown = []
    for i in range(n):
        height, width = sizes[i % 3]
        field = smooth_field(height, width, 3, rng)
        shown.append(np.clip(field * 60 + 128, 0, 255).astype(np.uint8))
    return shown


def comparison(
    names: Sequence[str] = HOSTILE[:3],
    labels: Sequence[str] = ("first-model", "second-model"),
    *,
    grid: int = 6,
    dim: int = 12,
    points: Sequence[tuple[float, float]] = POINTS,
    seed: int = 0,
    controls: Sequence[str] = (),
    toys: Sequence[str] = (),
    undefined: bool = False,
    foreground: bool = False,
    failures: Sequence[Failure] = (),
    settings: dict[str, object] | None = None,
    pixels: Sequence[np.ndarray] | None = None,
    features: Sequence[Sequence[np.ndarray]] | None = None,
    families: Sequence[str] = ("dinov2", "dinov3"),
) -> Comparison:
    """A whole comparison.

    ``features[model][photograph]`` replaces the random fields; ``undefined`` makes the first photograph's
    locality NaN in every model; ``foreground`` masks the left half away and aligns nothing.
    """
    rng = np.random.default_rng(seed)
    pixels = images(len(names), seed=seed) if pixels is None else pixels
    photographs = tuple(
        Photograph(name, f"{i:064x}", (image.shape[1] * 2, image.shape[0] * 2), image, (), name)
        for i, (name, image) in enumerate(zip(names, pixels, strict=True))
    )
    patch_sizes = [14 if m == 0 else 16 for m in range(len(labels))]
    columns: list[list[PatchFeatures]] = []
    for m, label in enumerate(labels):
        column = []
        for i, photograph in enumerate(photographs):
            cut = PatchGrid.fit(photograph.size, patch_sizes[m], grid=grid)
            values = (
                smooth_field(cut.h, cut.w, dim, rng) + 0.5 if features is None else features[m][i]
            ).astype(np.float32)
            provenance = Provenance(photograph.name, photograph.digest, label, "b" * 64, 11, True)
            cut = PatchGrid(values.shape[0], values.shape[1], patch_sizes[m], photograph.size)
            column.append(PatchFeatures(values, cut, provenance))
        columns.append(column)
    models, drawn = [], []
    whitened: list[list[np.ndarray]] = []
    for m, (label, column) in enumerate(zip(labels, columns, strict=True)):
        pca = _pca(column)
        scores = [pca.project(f) for f in column]
        whitened.append([s[..., :3] / np.sqrt(pca.explained_variance[:3]) for s in scores])
        turned, alignment = whitened[m], None
        if m and not foreground:
            mine = np.concatenate([s.reshape(-1, 3) for s in whitened[m]])
            theirs = np.concatenate([s.reshape(-1, 3) for s in whitened[0]])
            u, _, vt = np.linalg.svd(mine.T @ theirs)
            residual = float(((mine @ u @ vt - theirs) ** 2).sum() / (theirs**2).sum())
            alignment = ColourAlignment(u @ vt, min(residual, 1.0), labels[0])
            turned = [s @ u @ vt for s in whitened[m]]
        low, high = np.quantile(np.concatenate([s.reshape(-1, 3) for s in turned]), (0.01, 0.99), axis=0)
        models.append(
            ModelResult(
                label=label,
                spec=BackboneSpec(
                    name=label,
                    family="control" if label in controls else families[m % len(families)],
                    patch_size=patch_sizes[m],
                    dim=columns[m][0].dim,
                    depth=12,
                    heads=6,
                    registers=4,
                    licence="unknown" if label in controls else ("Apache-2.0", "DINOv3-License")[m % 2],
                    control=label in controls,
                    toy=label in toys,
                    description="A model of the tests.",
                ),
                origin=WeightsOrigin(f"{label}.safetensors", "b" * 64, "official", ("a note",)),
                layer=11,
                dtype="float32",
                pca=pca,
                alignment=alignment,
            )
        )
        maps = []
        for f, s, t in zip(column, scores, turned, strict=True):
            colours = np.clip((t - low) / (high - low), 0, 1)
            mask = None
            if foreground:
                mask = np.zeros(f.grid.shape, dtype=bool)
                mask[:, f.grid.w // 2 :] = True
                colours = np.where(mask[..., None], colours, 0.0)
            maps.append(Maps(s, colours, tuple(similarity(f, at) for at in points), mask))
        drawn.append(maps)
    return Comparison(
        photographs=photographs,
        models=tuple(models),
        features=tuple(zip(*columns, strict=True)),
        maps=tuple(zip(*drawn, strict=True)),
        points=tuple(points),
        components=(0, 1, 2),
        measurements=replace(
            measurements(columns, photographs, labels, undefined=undefined),
            is_control=tuple(model.spec.control for model in models),
        ),
        ledger=(
            LedgerEntry("Every model sees a photograph on the same patch grid", True, "patches 6x8."),
            LedgerEntry("The models differ in one thing only", False, "They do <b>not</b>."),
        ),
        failures=tuple(failures),
        settings=settings
        if settings is not None
        else {
            "grid": grid,
            "resize": "bilinear",
            "foreground": "none",
            "seed": 0,
            "versions": {"numpy": "2"},
        },
    )


def similarity(features: PatchFeatures, at: tuple[float, float]) -> SimilarityMap:
    patch = features.grid.patch_at(*at)
    return SimilarityMap(features.cosine_to(features.values[patch]), at, patch, features.grid)


def measurements(
    columns: Sequence[Sequence[PatchFeatures]],
    photographs: Sequence[Photograph],
    labels: Sequence[str],
    *,
    undefined: bool = False,
) -> Measurements:
    triples = np.array([[triple(f) for f in column] for column in columns])
    if undefined:
        triples[:, 0, 2] = np.nan
    values = {name: triples[:, :, k].T.copy() for k, name in enumerate(METRICS)}
    return summarised(
        tuple(p.name for p in photographs),
        tuple(p.digest for p in photographs),
        tuple(labels),
        values,
        warnings=(f"{len(photographs)} photographs: {FEW_WARNING}",),
    )


def with_planted(made: Comparison, **chosen: object) -> Comparison:
    """The same comparison with measurements as `planted` makes them, of its photographs and models."""
    order = [m.label for m in made.models]
    places = dict(zip(order, (PLANTED["first-model"], *[PLANTED["second-model"]] * len(order)), strict=False))
    for label, at in PLANTED.items():
        if label == "pixels" or ":" in label:
            places.setdefault(label.replace("first-model", order[0]), at)
    measured = planted(places, **{"n": len(made.photographs), "n_models": len(order), **chosen})  # type: ignore[arg-type]
    images = tuple(p.name for p in made.photographs)
    digests = tuple(p.digest for p in made.photographs)
    controls = measured.controls and replace(measured.controls, images=images, digests=digests)
    kinds = tuple(model.spec.control for model in made.models)
    measured = replace(measured, images=images, digests=digests, controls=controls, is_control=kinds)
    return replace(made, measurements=measured)


PLANTED: Mapping[str, tuple[float, float]] = {
    "first-model": (0.72, 0.66),
    "second-model": (0.69, 0.78),
    "pixels": (0.66, 0.57),
    "random:first-model": (0.61, 0.55),
    "blur:first-model": (0.62, 0.68),
    "shuffled:first-model": (0.5, 0.5),
}
"""(sharpness, coherence) of two models and their controls."""


def planted(
    places: Mapping[str, tuple[float, float]] = PLANTED,
    *,
    n: int = 40,
    masks: str = "200 label images",
    proxies: bool = True,
    controls: bool = True,
    collection: bool = True,
    curves: bool = True,
    extra: Mapping[str, float] | None = None,
    n_models: int | None = None,
    noise: float = 0.04,
    seed: int = 0,
) -> Measurements:
    """Measurements whose means lie at ``places``, noise apart.

    Without ``masks`` there are only proxies. ``extra`` are further metrics of
    photographs, by their mean; models come first in ``places``.
    """
    labels = list(places)
    guessed = sum(":" not in label and label != "pixels" for label in labels)
    models = labels[: guessed if n_models is None else n_models]
    beside = labels[len(models) :] if controls else []
    metrics = {"neighbour": 0.7, "random_pair": 0.4, "locality": 0.5, **(extra or {})}
    whole = measured_at(
        places, [*models, *beside], metrics, n, masks=masks, proxies=proxies, noise=noise, seed=seed
    )
    if collection:
        whole = replace(
            whole,
            collection={
                key: tuple(0.3 + 0.1 * j for j in range(len(whole.models)))
                for key in (("knn_miou",) if masks else ()) + ("dse", "position_r2")
            },
        )
    if curves:
        x = np.linspace(0.02, 0.9, 12)
        y = np.array([0.1 * j + 0.6 * np.exp(-x / (0.1 + 0.05 * j)) for j in range(len(whole.models))])
        whole = replace(
            whole,
            curves={"distance": Curve("distance, in longer sides of the photograph", "mean cosine", x, y)},
        )
    return parted(whole, len(models))


def measured_at(
    places: Mapping[str, tuple[float, float]],
    labels: Sequence[str],
    metrics: Mapping[str, float],
    n: int,
    *,
    masks: str,
    proxies: bool,
    noise: float,
    seed: int,
) -> Measurements:
    rng = np.random.default_rng(seed)
    values = {key: mean + noise * rng.standard_normal((n, len(labels))) for key, mean in metrics.items()}
    keys = [("boundary_auc", "matched_coherence_auc")] if masks else []
    keys += [("proxy_sharpness", "proxy_coherence")] if proxies else []
    shared = noise * rng.standard_normal((n, 1, 2))
    for k, pair in enumerate(keys):
        own = noise / 2 * rng.standard_normal((n, len(labels), 2))
        own -= own.mean(axis=0)
        at = np.array([places[label] for label in labels]).reshape(-1, 2)
        spread = at + shared - shared.mean(axis=0) + own
        for axis, key in enumerate(pair):
            values[key] = spread[:, :, axis] - (0.4 if key == "proxy_sharpness" else 0.0) - 0.02 * k
    digests = tuple(f"{i:064x}" for i in range(n))
    return summarised(tuple(f"photo-{i}.jpg" for i in range(n)), digests, tuple(labels), values, masks=masks)


def parted(whole: Measurements, n: int) -> Measurements:
    """The first ``n`` columns as models, the rest as their controls."""
    if n == len(whole.models):
        return whole
    parts = []
    for part in (slice(0, n), slice(n, None)):
        values = {key: table[:, part] for key, table in whole.values.items()}
        parts.append(
            replace(
                summarised(whole.images, whole.digests, whole.models[part], values, masks=whole.masks),
                collection={key: row[part] for key, row in whole.collection.items()},
                curves={key: replace(curve, y=curve.y[part]) for key, curve in whole.curves.items()},
            )
        )
    labels = parts[1].models
    borrowed = next((label for label in labels if label.startswith("other:")), "")
    controls = replace(parts[1], is_control=(True,) * len(labels), borrowed=borrowed)
    return replace(parts[0], controls=controls)


def summarised(
    images: tuple[str, ...],
    digests: tuple[str, ...],
    models: tuple[str, ...],
    values: Mapping[str, np.ndarray],
    *,
    masks: str = "",
    warnings: tuple[str, ...] = (),
) -> Measurements:
    """Means, intervals and differences of a table of values."""
    return Measurements(
        images=images,
        digests=digests,
        models=models,
        values=dict(values),
        summaries={
            key: tuple(interval(table[:, m]) for m in range(len(models))) for key, table in values.items()
        },
        differences={
            key: tuple(
                PairedDifference(
                    interval(table[:, m] - table[:, 0]),
                    float((table[:, m] > table[:, 0]).mean()),
                    float((table[:, m] == table[:, 0]).mean()),
                    float((table[:, m] < table[:, 0]).mean()),
                )
                for m in range(1, len(models))
            )
            for key, table in values.items()
        },
        warnings=warnings,
        masks=masks,
    )


def triple(features: PatchFeatures) -> tuple[float, float, float]:
    v = features.values.astype(np.float64)
    v = v / np.linalg.norm(v, axis=2, keepdims=True)
    edges = np.concatenate([(v[1:] * v[:-1]).sum(2).ravel(), (v[:, 1:] * v[:, :-1]).sum(2).ravel()])
    n = features.grid.n
    gram = v.reshape(n, -1) @ v.reshape(n, -1).T
    pairs = float((gram.sum() - np.trace(gram)) / (n * (n - 1)))
    neighbour = float(edges.mean())
    return neighbour, pairs, 1 - (1 - neighbour) / (1 - pairs)


def interval(values: np.ndarray) -> Interval:
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return Interval(float("nan"), float("nan"), float("nan"), 0)
    mean = float(known.mean())
    if len(known) == 1:
        return Interval(mean, float("nan"), float("nan"), 1)
    half = 1.96 * float(known.std(ddof=1)) / float(np.sqrt(len(known)))
    return Interval(mean, mean - half, mean + half, len(known))


def _pca(column: Sequence[PatchFeatures], n: int = 6) -> PatchPCA:
    flat = np.concatenate([f.values.reshape(-1, f.dim) for f in column]).astype(np.float64)
    mean = flat.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov((flat - mean).T))
    components = vectors[:, ::-1][:, :n].T
    components = (
        components
        * np.sign(components[np.arange(len(components)), np.abs(components).argmax(axis=1)])[:, None]
    )
    limits = np.quantile((flat - mean) @ components.T, (0.01, 0.99), axis=0).T
    top = variances[::-1][:n]
    return PatchPCA(mean, components, top, top / variances.sum(), limits, len(flat))

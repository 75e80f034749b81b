"""Defects planted in scenes: are they found, and are sound ones left alone?

    python -m validation.normality [--scenes 4] [--models mini,pixels,random:dinov2-small]

Normal photographs are one scene seen again and again: moved by a few pixels, a little brighter or darker,
with noise of its own. Into half of the queries a defect of each kind is planted on the main subject.
A minute.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, gaussian_filter

import dinoscope as ds
from dinoscope.normality.judge import judge
from dinoscope.normality.judged import Judged
from dinoscope.scenes.generate import scene

KINDS = ("scratch", "blob", "missing", "colour")
SIDE, MARGIN = 160, 6
NORMAL, QUERIES = 12, 3
SEED = 77
"""Of scenes on whose subjects there is room for a defect."""


def plant(
    image: np.ndarray, subject: np.ndarray, kind: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The image with a defect of a kind somewhere on the subject, and the pixels that it changed.

    A scratch is a thin bright or dark line; a blob a smooth stain; of a missing part the background beside it
    takes the place; the colour is wrong where red, green and blue change places.
    """
    height, width = subject.shape
    deep = distance_transform_edt(subject)
    rows, cols = np.nonzero(deep >= 0.5 * deep.max())
    at = rng.integers(len(rows))
    y, x = np.mgrid[:height, :width] - np.array([rows[at], cols[at]])[:, None, None]
    reach = 0.08 * min(height, width)
    light = image.astype(np.float64)
    if kind == "scratch":
        angle = rng.uniform(0, np.pi)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        mask = (np.abs(along) < 2 * reach) & (np.abs(across) < 1.5) & subject
        changed = np.full_like(light, 245.0 if light[mask].mean() < 128 else 10.0)
    elif kind == "blob":
        mask = x**2 / 1.5 + y**2 < reach**2
        changed = light * 0.25 + 30.0 * rng.random(3)
    elif kind == "missing":
        mask = (x**2 + y**2 < (1.4 * reach) ** 2) & subject
        _, (row, col) = distance_transform_edt(subject, return_indices=True)
        changed = np.stack([gaussian_filter(light[row, col, c], 1.0) for c in range(3)], axis=-1)
    elif kind == "colour":
        mask = (x**2 + y**2 < (1.4 * reach) ** 2) & subject
        changed = 255.0 - light[..., [1, 2, 0]]
    else:
        raise ValueError(f"defects are {', '.join(KINDS)}, not {kind!r}")
    planted = np.where(mask[..., None], changed, light)
    return np.clip(planted, 0, 255).astype(np.uint8), mask


def views(index: int, n: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """One scene seen ``n`` times, and its main subject."""
    side = SIDE + 2 * MARGIN
    drawn = scene(SEED, index=index, size=(side, side), noise=0.0)
    for _ in range(n):
        top, left = rng.integers(0, 2 * MARGIN + 1, 2)
        part = (slice(top, top + SIDE), slice(left, left + SIDE))
        seen = drawn.first.image[part].astype(np.float64) * rng.uniform(0.95, 1.05)
        noisy = np.clip(seen + rng.normal(0, 3, seen.shape), 0, 255).astype(np.uint8)
        yield noisy, drawn.first.instances[part] == 1


def write_category(folder: Path, index: int, *, queries: int = QUERIES, seed: int = 0) -> Path:
    """One scene as a category in MVTec AD's layout: train/good, test/KIND, ground_truth/KIND."""
    rng = np.random.default_rng([seed, index])
    seen = list(views(index, NORMAL + queries * (1 + len(KINDS)), rng))
    for i, (image, _) in enumerate(seen[: NORMAL + queries]):
        place = folder / ("train" if i < NORMAL else "test") / "good"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{i:03d}.png")
    for i, (image, subject) in enumerate(seen[NORMAL + queries :]):
        kind = KINDS[i % len(KINDS)]
        planted, mask = plant(image, subject, kind, rng)
        for part, pixels, name in (
            ("test", planted, f"{i:03d}.png"),
            ("ground_truth", mask.astype(np.uint8) * 255, f"{i:03d}_mask.png"),
        ):
            (folder / part / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / part / kind / name)
    return folder


def judged_category(folder: Path, models: list[str], grid: int = 20) -> Judged:
    """The category judged by models."""
    backbones = [ds.load_backbone(name) for name in models]
    return judge(folder, [], backbones, grid=grid)


def main() -> None:
    """Print how well each kind is found, and how many sound ones are called defective."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--scenes", type=int, default=4)
    options.add_argument("--models", default="mini,pixels,random:dinov2-small")
    chosen = options.parse_args()
    names = chosen.models.split(",")
    found: dict[tuple[str, str], list[bool]] = {}
    areas: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as work:
        for index in range(chosen.scenes):
            judged = judged_category(write_category(Path(work) / str(index), index), names)
            for model in judged.models:
                for key, interval in model.summaries.items():
                    areas.setdefault((model.label, key), []).append(interval.mean)
                for kind, score in zip(judged.kinds, model.scores, strict=True):
                    found.setdefault((model.label, kind), []).append(score > model.threshold.photograph)
    for name in dict.fromkeys(label for label, _ in areas):
        shown = "  ".join(f"{key} {np.mean(areas[name, key]):.3f}" for n, key in areas if n == name)
        called = "  ".join(f"{kind} {np.mean(found[name, kind]):.2f}" for n, kind in found if n == name)
        print(f"{name}: {shown}\n  called defective: {called}")


if __name__ == "__main__":
    main()

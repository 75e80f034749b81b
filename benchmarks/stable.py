"""Ratios that hold on a busy machine: processor time of one thread, both ways in turn, the least of rounds.

`python -m benchmarks.baseline` runs them. Each has a floor, about two thirds of what was measured on an Intel
Xeon: the former way's time over ours may not fall below it. Those of the Gram distance and of PCA grow with
the patches, to 15 at 16,384 and 20 at 136,900.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.extract import same_weights
from benchmarks.machine import processor_seconds
from benchmarks.measure import dense, incremental, models, patches, photographs, streaming
from dinoscope.io.images import decode_photograph
from dinoscope.io.resize import resize_pixels
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.spectrum import singular_values
from dinoscope.pipeline.extract import extract

Job = Callable[[], object]
ROUNDS = 3


class Race(NamedTuple):
    """The former way, ours, and how many times as fast ours has to be."""

    former: Job
    ours: Job
    floor: float


def races() -> Mapping[str, Race]:
    """Of the mathematics, of reading and of small passes."""
    f, g = models(4096, 384)
    x = patches(12 * 37 * 37, 768)
    features = photographs(x)
    rows = patches(1024, 384).astype(np.float64)
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (250, 333, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((4000, 3000), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    data = file.getvalue()
    fewer = partial(decode_photograph, data, name="a.jpg", enough=lambda _: (683, 512))
    _, vit = same_weights()
    thumbnails = [rng.integers(0, 256, (64, 64, 3), dtype=np.uint8) for _ in range(16)]
    return {
        "Gram distance at 4,096 x 384, over the dense form": Race(
            partial(dense, f, g), partial(gram_distance, f, g), 1.5
        ),
        "exact PCA of 16,428 x 768, over IncrementalPCA": Race(
            partial(incremental, x), partial(streaming, features), 3.0
        ),
        "singular values of 1,024 x 384, over an SVD": Race(
            partial(np.linalg.svd, rows, compute_uv=False), partial(singular_values, rows), 1.3
        ),
        "decoding a JPEG of 12 megapixels, over Pillow": Race(
            lambda: np.asarray(Image.open(io.BytesIO(data))),
            partial(decode_photograph, data, name="a.jpg"),
            1.2,
        ),
        "the same reduced and resized, over full": Race(
            lambda: resize_pixels(decode_photograph(data, name="a.jpg"), (512, 683), "bilinear"),
            lambda: resize_pixels(fewer(), (512, 683), "bilinear"),
            1.7,
        ),
        "16 photographs of 64 px through a ViT-S, over one at a time": Race(
            lambda: list(extract(thumbnails, vit, size_px=64, batch_size=1)),
            lambda: list(extract(thumbnails, vit, size_px=64)),
            1.7,
        ),
    }


def raced(race: Race, rounds: int = ROUNDS) -> float:
    """The least time of the former way over the least of ours."""
    race.ours()
    times = [(processor_seconds(race.former), processor_seconds(race.ours)) for _ in range(rounds)]
    return min(former for former, _ in times) / min(ours for _, ours in times)


def fallen() -> list[str]:
    """Prints every ratio; returns those below their floor."""
    below = []
    with threadpool_limits(1):
        for name, race in races().items():
            found = raced(race)
            verdict = "below" if found < race.floor else "above"
            print(f"{name}: {found:.2f}, {verdict} its floor of {race.floor}", flush=True)
            below += [name] if found < race.floor else []
    return below

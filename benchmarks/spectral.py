"""The exact normalised cut of 100,000 patches beside ncut-pytorch's approximation, and of 1,000,000.

    python -m pip install --target NCUT --no-deps ncut-pytorch==3.2.0 fpsample==1.0.2     (for this alone)
    PYTHONPATH=NCUT python -m benchmarks.spectral [--rounds 3] [--large 1000000]

Processor seconds of one thread. Patches are seeded draws of 64 clusters with full-rank noise in 384 channels.
Both fit 20 eigenvectors and give every patch its entries; ncut-pytorch with its own settings (10,240 sampled
patches and an affinity of its own). Some minutes. Expected: ours no slower at 100,000, and 1,000,000 in at
most 180 s of one thread, which are 90 s on two cores.
"""

from __future__ import annotations

import argparse
import statistics
from importlib.metadata import version

import numpy as np
import torch

from benchmarks.machine import load_over_cores, processor_seconds, write_result
from dinoscope.data.features import PatchFeatures
from dinoscope.maths.spectral import fit_spectral

DIM, N_EIGENVECTORS, CLUSTERS = 384, 20, 64


def drawn(count: int) -> np.ndarray:
    """Patches as float32 rows."""
    rng = np.random.default_rng(20_261_126)
    centres = rng.standard_normal((CLUSTERS, DIM), dtype=np.float32)
    rows = centres[rng.integers(0, CLUSTERS, count)]
    for some in np.array_split(rows, max(1, count // 100_000)):
        some += rng.standard_normal(some.shape, dtype=np.float32)
    return rows


def ours(rows: np.ndarray) -> None:
    """Fitted and projected, 100,000 patches of a map at a time."""
    maps = [
        PatchFeatures.from_array(part[None], image_size=(16 * len(part), 16))
        for part in np.array_split(rows, max(1, len(rows) // 100_000))
    ]
    found = fit_spectral(maps, N_EIGENVECTORS)
    for each in maps:
        found.project(each)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--large", type=int, default=1_000_000)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    from ncut_pytorch import Ncut

    rows = drawn(100_000)
    theirs = torch.from_numpy(rows)
    ours(rows[:10_000])
    times = [
        {
            "ours": processor_seconds(lambda: ours(rows)),
            "ncut_pytorch": processor_seconds(
                lambda: Ncut(n_eig=N_EIGENVECTORS, device="cpu").fit_transform(theirs)
            ),
        }
        for _ in range(asked.rounds)
    ]
    print(times, flush=True)
    many = drawn(asked.large)
    result = {
        "rounds": asked.rounds,
        "load_over_cores": load_over_cores(),
        "packages": {"ncut-pytorch": version("ncut-pytorch")},
        "ours_s": statistics.median(each["ours"] for each in times),
        "ncut_pytorch_s": statistics.median(each["ncut_pytorch"] for each in times),
        "theirs_over_ours": statistics.median(each["ncut_pytorch"] / each["ours"] for each in times),
        "large": asked.large,
        "large_s": processor_seconds(lambda: ours(many)),
    }
    print(result)
    print(write_result("spectral", result))


if __name__ == "__main__":
    main()

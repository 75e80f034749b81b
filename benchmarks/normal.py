"""A bank of a million normal patches: distances by lists beside comparing every patch.

    python -m pip install faiss-cpu==1.15.1
    python -m benchmarks.normal [--photographs 977] [--scored 3]

Maps of 32 x 32 patches and 384 channels, drawn from 2,000 clusters with noise of full rank, a scene of 40 of
them each: 977 are 1,000,448 patches. Processor seconds of one thread. The recall is that of photographs left
out of the bank; other maps are scored both ways. Some minutes. Expected: a photograph at least ten times as
fast by lists, with 98 of 100 nearest patches found.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.machine import load_over_cores, write_result
from dinoscope.data.features import PatchFeatures
from dinoscope.maths.bank import nearest_distances
from dinoscope.normality.normal import fit_normal

SIDE, DIM, CLUSTERS, OF_A_SCENE = 32, 384, 2000, 40


def scenes(count: int) -> Iterator[PatchFeatures]:
    """Maps of seeded scenes."""
    rng = np.random.default_rng(20_261_126)
    centres = rng.standard_normal((CLUSTERS, DIM), dtype=np.float32)
    for i in range(count):
        some = rng.permutation(CLUSTERS)[:OF_A_SCENE]
        values = centres[some[rng.integers(0, OF_A_SCENE, (SIDE, SIDE))]]
        values += 0.5 * rng.standard_normal(values.shape, dtype=np.float32)
        yield PatchFeatures.from_array(values, image_size=(512, 512), name="scenes", image=f"{i}")


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=977)
    parser.add_argument("--scored", type=int, default=3)
    asked = parser.parse_args()
    load = load_over_cores()
    normal = list(scenes(asked.photographs + asked.scored))
    queries = [normal.pop() for _ in range(asked.scored)]
    start = time.process_time()
    bank = fit_normal(normal, hold_out=False, exact=False)
    fit_s = time.process_time() - start
    lists = bank.lists
    assert lists is not None
    print(len(bank.vectors), lists.probes, lists.recall, lists.excess, fit_s, flush=True)
    times: dict[str, list[float]] = {"lists": [], "exact": []}
    found, truth = [], []
    for f in queries:
        rows = f.values.reshape(-1, DIM)
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        start = time.process_time()
        found.append(bank.score(f).ravel())
        times["lists"].append(time.process_time() - start)
        start = time.process_time()
        truth.append(nearest_distances(rows.astype(np.float32), bank.vectors))
        times["exact"].append(time.process_time() - start)
    close = np.isclose(np.concatenate(found), np.concatenate(truth), atol=1e-6)
    result = {
        "patches": len(bank.vectors),
        "load_over_cores": load,
        "lists": lists.lists.partitions,
        "looked_into": lists.probes,
        "recall": lists.recall,
        "excess": lists.excess,
        "recall_of_others": float(close.mean()),
        "fit_s": fit_s,
        **{f"{name}_s": statistics.median(taken) for name, taken in times.items()},
        "ratio": statistics.median(e / n for e, n in zip(times["exact"], times["lists"], strict=True)),
    }
    print(result)
    print(write_result("normal", result))


if __name__ == "__main__":
    main()

"""Exact PCA and Gram distance beside the usual ways, before and now, on one thread.

    python -m benchmarks.analyses --before CHECKOUT [--rounds 3]

Processor seconds of one thread, for machines that others keep busy; each round has ours, before and now, in
fresh processes at once, and the usual way after them. The machine's rates of matrix products are measured in
the same rounds: they bound what PCA can take. A minute a round on a core to itself; 2 GiB of memory.
Expected: PCA at least 15 times faster than IncrementalPCA, Gram distance at least 4 times faster than the
dense form.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from benchmarks.machine import load_over_cores, processor_seconds, write_result
from benchmarks.measure import (
    DIM,
    PER_PHOTOGRAPH,
    PHOTOGRAPHS,
    SIZES,
    dense,
    incremental,
    models,
    patches,
    photographs,
    streaming,
)
from dinoscope.maths.gram import gram_distance

REPEATS = 5
N = PHOTOGRAPHS * PER_PHOTOGRAPH
SMALL = SIZES[0]
"""Patches and channels of the Gram distance."""

PRODUCT_GFLOP = N * DIM * (DIM + 1) / 1e9
"""Of one triangle of the channels' products with each other: what exact PCA cannot do without."""


def median_of(job: Callable[[], object]) -> float:
    """Processor seconds, after one call to warm up."""
    job()
    return statistics.median(processor_seconds(job) for _ in range(REPEATS))


def ours() -> dict[str, float]:
    """By the dinoscope that is imported."""
    f, g = models(*SMALL)
    gram = median_of(functools.partial(gram_distance, f, g))
    features = photographs(patches(N, DIM))
    streaming(features[:2])
    pca = statistics.median(processor_seconds(lambda: streaming(features)) for _ in range(2))
    return {"pca": pca, "gram": gram}


def usual() -> dict[str, float]:
    """scikit-learn's and the dense form, and rates of products in GFLOP/s."""
    f, g = models(*SMALL)
    x = patches(N, DIM)
    block = x[:8192]
    triangle = median_of(lambda: block.T @ block)  # numpy takes one triangle where both are one array
    square = np.ascontiguousarray(x[:1024])
    other = square.T.copy()
    return {
        "pca": processor_seconds(lambda: incremental(x)),
        "gram": median_of(functools.partial(dense, f, g)),
        "triangle_gflops": len(block) * DIM * (DIM + 1) / 1e9 / triangle,
        "product_gflops": 2 * 1024**2 * DIM / 1e9 / median_of(lambda: square @ other),
    }


def child(checkout: Path) -> subprocess.Popen[str]:
    """`ours` in a fresh process, by the dinoscope of a checkout."""
    here = Path(__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.analyses", "--ours"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=here,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(checkout / "src"), str(here)])},
    )


def at_once(ways: Mapping[str, Path]) -> dict[str, dict[str, float]]:
    """Figures of each checkout."""
    running = {way: child(checkout) for way, checkout in ways.items()}
    return {way: json.loads(one.communicate()[0].splitlines()[-1]) for way, one in running.items()}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1)
    if asked.ours:
        print(json.dumps(ours()))
        return
    if asked.before is None:
        parser.error("--before needs the folder of another checkout")
    ways = {"before": asked.before.resolve(), "now": Path(__file__).parents[1]}
    load = load_over_cores()
    rounds = []
    for _ in range(asked.rounds):
        rounds.append({**at_once(ways), "usual": usual()})
        print(rounds[-1], flush=True)
    result: dict[str, object] = {"rounds": asked.rounds, "load_over_cores": load}
    for what in ("pca", "gram"):
        result[what] = {
            **{who: statistics.median(one[who][what] for one in rounds) for who in ("usual", *ways)},
            "usual_over": {
                way: statistics.median(one["usual"][what] / one[way][what] for one in rounds) for way in ways
            },
        }
    rates = {
        rate: statistics.median(one["usual"][rate] for one in rounds)
        for rate in ("triangle_gflops", "product_gflops")
    }
    bound = PRODUCT_GFLOP / rates["triangle_gflops"]
    usual_pca = statistics.median(one["usual"]["pca"] for one in rounds)
    result |= {**rates, "product_gflop": PRODUCT_GFLOP, "bound_s": bound, "bound_ratio": usual_pca / bound}
    write_result("analyses", result)


if __name__ == "__main__":
    main()

"""Search in 1,000,000 vectors: ours beside faiss and usearch, in one run, on the CPU.

    python -m pip install faiss-cpu==1.15.1 usearch==2.26.6     (for this benchmark alone)
    python -m benchmarks.retrieval [--quick] [--only ENGINE ...]

A seeded mixture of 10,000 clusters in 384 dimensions; queries are new draws from it. Exact top-10 of ours
and of faiss's flat index run in alternation in one process, each in batches of 256 and one query at a time.
The approximate engines each have a process of their own; settings are chosen on half the queries for a
recall@10 of at least 0.95 and reported on the other half, one query at a time. Expected: exact no slower
than 1.5 times faiss's; approximate at 20 times the queries per second of exact, both one at a time.
``--quick`` takes 100,000 vectors in 1,000 clusters.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.machine import gemm_rate, write_result
from benchmarks.retrieval_engines import ENGINES, TARGET_RECALL

DIM = 384
PER_CLUSTER = 100
SPREAD = 0.7
"""Of a cluster's vectors around its centre, in units of the centres' own spread."""
QUERIES = 1000


def write_mixture(folder: Path, count: int) -> None:
    """vectors.npy and queries.npy, float32."""
    rng = np.random.default_rng(20_261_123)
    clusters = count // PER_CLUSTER
    centres = rng.standard_normal((clusters, DIM), dtype=np.float32)

    def draw(n: int) -> np.ndarray:
        around = centres[rng.integers(0, clusters, n)]
        around += SPREAD * rng.standard_normal((n, DIM), dtype=np.float32)
        return around

    np.save(folder / "vectors.npy", draw(count))
    np.save(folder / "queries.npy", draw(QUERIES))


def main() -> None:
    """Run every engine and keep what they said."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100,000 vectors in 1,000 clusters")
    parser.add_argument("--only", nargs="+", choices=tuple(ENGINES), default=list(ENGINES))
    asked = parser.parse_args()
    count = 100_000 if asked.quick else 1_000_000
    result: dict[str, object] = {
        "vectors": count,
        "dim": DIM,
        "clusters": count // PER_CLUSTER,
        "spread": SPREAD,
        "queries": QUERIES,
        "packages": {name: version(name) for name in ("pylance", "faiss-cpu", "usearch")},
        "gemm_gflops": gemm_rate() / 1e9,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_mixture(folder, count)
        for engine in dict.fromkeys(["exact", *asked.only]):  # the others need its truth
            command = [sys.executable, "-m", "benchmarks.retrieval_engines", engine, name]
            answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            result[engine] = json.loads(answer.stdout.splitlines()[-1])
            print(f"{engine}: {json.dumps(result[engine])}\n", flush=True)
    result["verdict"] = verdict(result)
    print(json.dumps(result["verdict"], indent=2))
    print(write_result("retrieval-quick" if asked.quick else "retrieval", result))


def verdict(result: dict[str, object]) -> dict[str, object]:
    """The two targets, met or not; ratios of figures of this run."""
    exact = result["exact"]
    told: dict[str, object] = {"exact_over_faiss": exact["ratio_ours_over_faiss"], "exact_at_most": 1.5}
    single = exact["queries_per_s"]["ours_single"]
    for engine in ("lance_ivf_rq", "faiss_ivf", "usearch_hnsw"):
        found = result.get(engine, {})
        if found.get("reached"):
            told[f"{engine}_over_exact_one_at_a_time"] = found["queries_per_s"] / single
            told[f"{engine}_recall_at_10"] = found["recall_at_10"]
        elif found:
            told[engine] = f"recall@10 of {TARGET_RECALL} not reached"
    return told


if __name__ == "__main__":
    main()

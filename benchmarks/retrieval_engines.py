"""One search engine, in a process of its own so that its memory can be told: used by `benchmarks.retrieval`.

    python -m benchmarks.retrieval_engines ENGINE FOLDER

The folder holds vectors.npy, queries.npy and, but for ``exact``, truth.npy. Prints one JSON object.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from benchmarks.machine import seconds
from dinoscope.maths.ranking import top_k
from dinoscope.store.lance import append, batches

K = 10
TARGET_RECALL = 0.95
TUNED_ON = 500
"""Queries that settings are chosen with; the rest are reported on."""
ROUNDS = 5

Search = Callable[[np.ndarray], np.ndarray]


def exact(folder: Path) -> dict[str, Any]:
    """Ours and faiss's flat index in alternation, both on float32 in memory."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    index = faiss.IndexFlatIP(vectors.shape[1])
    build_s = seconds(lambda: index.add(_unit(vectors)))
    truth = top_k(queries, vectors, K).indices
    np.save(folder / "truth.npy", truth)
    batch = queries[:256]
    runs: dict[str, tuple[Search, np.ndarray]] = {}
    times: dict[str, list[float]] = {}
    for size, some in (("batch", batch), ("single", queries[:1])):
        runs[f"ours_{size}"] = (lambda q: top_k(q, vectors, K).indices, some)
        runs[f"faiss_{size}"] = (lambda q: index.search(_unit(q), K)[1], some)
    for _ in range(ROUNDS):
        for name, (search, some) in runs.items():
            times.setdefault(name, []).append(seconds(lambda run=search, q=some: run(q)))
    medians = {name: statistics.median(values) for name, values in times.items()}
    agree = float(np.mean(index.search(_unit(batch), K)[1] == truth[:256]))
    return {
        "seconds": times,
        "queries_per_s": {n: (256 if n.endswith("batch") else 1) / s for n, s in medians.items()},
        "ratio_ours_over_faiss": {
            size: medians[f"ours_{size}"] / medians[f"faiss_{size}"] for size in ("batch", "single")
        },
        "same_places_as_faiss": agree,
        "faiss_add_s": build_s,
    }


def lance_ivf_rq(folder: Path) -> dict[str, Any]:
    """Lance's IVF_RQ over float16 rows with refinement: what the store's index is made of."""
    import lance

    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    path = folder / "table.lance"
    write_s = seconds(lambda: _write_table(path, vectors))
    n = len(vectors)
    del vectors
    scan_s = statistics.median(seconds(lambda: top_k(queries[:256], _blocks(path), K)) for _ in range(3))
    data_bytes = _size(path)
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the highest mark starts from here
    dataset = lance.dataset(str(path))
    build_s = seconds(
        lambda: dataset.create_index(
            "mean", "IVF_RQ", metric="cosine", num_partitions=round(n**0.5), num_bits=1, replace=True
        )
    )
    dataset = lance.dataset(str(path))

    def one(query: np.ndarray, nprobes: int, refine: int) -> list[int]:
        wanted = {"column": "mean", "q": query.astype(np.float16), "k": K, "nprobes": nprobes}
        found = dataset.to_table(columns=["place", "_distance"], nearest=wanted | {"refine_factor": refine})
        return found.column("place").to_pylist()

    def made(setting: tuple[int, ...]) -> Search:
        return lambda some: np.array([_padded(one(query, *setting)) for query in some])

    settings = [(p, r) for p in (5, 10, 20, 40, 80) for r in (5, 10, 20, 40)]
    return {
        **_tuned(folder, queries, made, settings, ("nprobes", "refine_factor")),
        "write_s": write_s,
        "exact_from_table_batch_of_256_s": scan_s,
        "build_s": build_s,
        "table_bytes": data_bytes,
        "index_bytes": _size(path) - data_bytes,
        "memory": _memory_since(before),
    }


def faiss_ivf(folder: Path) -> dict[str, Any]:
    """Faiss's inverted file with float16 values, in memory."""
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    vectors, queries = _unit(np.load(folder / "vectors.npy")), _unit(np.load(folder / "queries.npy"))
    before = _memory("VmRSS")
    lists = round(4 * len(vectors) ** 0.5)
    index = faiss.index_factory(vectors.shape[1], f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.cp.niter = 10

    def build() -> None:
        index.train(vectors[: min(len(vectors), 40 * lists)])
        index.add(vectors)

    build_s = seconds(build)
    grown = _memory_since(before)
    faiss.write_index(index, str(folder / "faiss.index"))

    def made(setting: tuple[int, ...]) -> Search:
        def search(some: np.ndarray) -> np.ndarray:
            index.nprobe = setting[0]
            return np.concatenate([index.search(query[None], K)[1] for query in some])

        return search

    return {
        **_tuned(folder, queries, made, [(p,) for p in (1, 2, 4, 8, 16, 32, 64, 128)], ("nprobe",)),
        "build_s": build_s,
        "index_bytes": (folder / "faiss.index").stat().st_size,
        "memory": grown,
    }


def usearch_hnsw(folder: Path) -> dict[str, Any]:
    """Usearch's graph with float16 values, in memory."""
    from usearch.index import Index

    vectors, queries = np.load(folder / "vectors.npy"), np.load(folder / "queries.npy")
    before = _memory("VmRSS")
    index = Index(ndim=vectors.shape[1], metric="cos", dtype="f16")
    build_s = seconds(lambda: index.add(np.arange(len(vectors)), vectors, threads=torch.get_num_threads()))
    grown = _memory_since(before)
    index.save(str(folder / "usearch.index"))

    def made(setting: tuple[int, ...]) -> Search:
        def search(some: np.ndarray) -> np.ndarray:
            index.expansion_search = setting[0]
            return np.array([_padded(index.search(query, K).keys.tolist()) for query in some])

        return search

    return {
        **_tuned(folder, queries, made, [(e,) for e in (16, 32, 64, 128, 256, 512)], ("expansion_search",)),
        "build_s": build_s,
        "index_bytes": (folder / "usearch.index").stat().st_size,
        "memory": grown,
    }


def _tuned(
    folder: Path,
    queries: np.ndarray,
    made: Callable[[tuple[int, ...]], Search],
    settings: list[tuple[int, ...]],
    names: tuple[str, ...],
) -> dict[str, Any]:
    """The fastest setting that reaches the recall on some queries, and what it does on the others.

    Queries come one at a time, as people ask them.
    """
    truth = np.load(folder / "truth.npy")
    chosen: tuple[float, tuple[int, ...]] | None = None
    curve = []
    for setting in settings:
        search = made(setting)
        search(queries[:5])
        some = queries[:TUNED_ON]
        start = time.perf_counter()
        found = search(some)
        each_s = (time.perf_counter() - start) / len(some)
        recall = _recall(found, truth[:TUNED_ON])
        curve.append(dict(zip(names, setting, strict=True)) | {"recall": recall, "queries_per_s": 1 / each_s})
        if recall >= TARGET_RECALL and (chosen is None or each_s < chosen[0]):
            chosen = each_s, setting
        if chosen is not None and each_s > 4 * chosen[0]:
            break
    if chosen is None:
        return {"curve": curve, "reached": False}
    search, rest = made(chosen[1]), queries[TUNED_ON:]
    times = []
    for _ in range(3):
        start = time.perf_counter()
        found = search(rest)
        times.append((time.perf_counter() - start) / len(rest))
    return {
        "curve": curve,
        "reached": True,
        "setting": dict(zip(names, chosen[1], strict=True)),
        "recall_at_10": _recall(found, truth[TUNED_ON:]),
        "queries_per_s": 1 / statistics.median(times),
        "queries_per_s_rounds": [1 / t for t in times],
    }


def _recall(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.mean([len(set(f) & set(t)) / K for f, t in zip(found, truth, strict=True)]))


def _padded(places: list[int]) -> list[int]:
    return (places + [-1] * K)[:K]


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _write_table(path: Path, vectors: np.ndarray) -> None:
    """The vectors as the store keeps them: float16 lists of one length, in the store's format."""
    for first in range(0, len(vectors), 250_000):
        part = vectors[first : first + 250_000].astype(np.float16)
        column = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), part.shape[1])
        append(path, pa.table({"place": np.arange(first, first + len(part)), "mean": column}))


def _blocks(path: Path) -> Iterator[np.ndarray]:
    for batch in batches(path, ["mean"]):
        column = batch.column(0)
        yield column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)


def _size(path: Path) -> int:
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())


def _memory(name: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")


def _memory_since(before: int) -> dict[str, int]:
    return {"now_bytes": _memory("VmRSS") - before, "highest_bytes": _memory("VmHWM") - before}


ENGINES = {each.__name__: each for each in (exact, lance_ivf_rq, faiss_ivf, usearch_hnsw)}

if __name__ == "__main__":
    print(json.dumps(ENGINES[sys.argv[1]](Path(sys.argv[2]))))

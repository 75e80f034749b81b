"""The measures' own cost: Gram distance, exact PCA, every metric of one map, and a whole comparison.

    python -m benchmarks.measure [--only gram,pca,metrics,compare] [--rounds 3] [--threads 1]

Contestants alternate; ratios are of medians, with those of every round beside. Peak memory is that of one
call in a process of its own, beyond what it holds before the call (Linux). Where other processes keep a core
busy, threads wait for each other and figures are erratic: one thread each is the fair race then. On 2 CPU
cores: minutes for each part, most of them the dense form's and IncrementalPCA's; 6 GiB of memory.
Expected: `gram_distance` at least 10 times faster and smaller than the dense form at 16,384 x 384, and under
1 GB at 65,536 x 768; PCA at least 20 times faster than IncrementalPCA, subspace error at most 1e-5; all
metrics together in less time than the forward pass of a ViT-B/16 at 512 px; a comparison of two models beyond
their forward passes, without its report, in little of their time: less, the larger the models.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, UInt8
from sklearn.decomposition import IncrementalPCA
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import dinoscope as ds
from benchmarks.machine import RESULTS, seconds, write_result
from dinoscope.comparison.output import write_comparison
from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import PatchPCA
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.patches import prepared
from dinoscope.maths.pca import fit_pca
from dinoscope.metrics.registry import COLLECTION, CURVES, PHOTOGRAPH
from dinoscope.metrics.subject import Collection, Regions, Seen, Subject

Job = Callable[[], object]
Array = Float32[np.ndarray, "n dim"]

SIZES = ((4096, 384), (16_384, 384))
LARGE = (65_536, 768)
PHOTOGRAPHS, PER_PHOTOGRAPH, DIM = 100, 37 * 37, 768
SIDE = 512
COMPARED = {
    "vit-s": ("random:dinov2-small", "random:dinov3-vits16"),
    "vit-b": ("random:dinov2-base", "random:dinov3-vitb16"),
    "vit-l": ("random:dinov2-large", "random:dinov3-vitl16"),
}
LARGEST_COMPARED = "vit-l"
"""Without controls alone: they would double its minutes."""

COMPARED_PHOTOGRAPHS = 8
FINE_SHARE = 0.05
"""A metric that takes more than this share of a forward pass is named in the result."""


def alternate(jobs: Mapping[str, Job], rounds: int) -> dict[str, list[float]]:
    """Seconds of every job in every round."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            times[name].append(seconds(job))
    return times


def ratio(times: Mapping[str, list[float]], slow: str, fast: str) -> dict[str, object]:
    """Of the medians, and round by round."""
    return {
        "of_medians": statistics.median(times[slow]) / statistics.median(times[fast]),
        "per_round": [s / f for s, f in zip(times[slow], times[fast], strict=True)],
    }


def peak_mib(case: str, n: int, dim: int) -> float:
    """Peak memory of one call beyond its inputs, in MiB, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.measure", "--peak", case, str(n), str(dim)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def print_peak(case: str, n: int, dim: int) -> None:
    """In this process: the call's peak over what is resident before it (libraries are warm, inputs made)."""
    jobs: dict[str, Callable[[int], Job]] = {
        "gram dense": lambda n: functools.partial(dense, *models(n, dim)),
        "gram ours": lambda n: functools.partial(gram_distance, *models(n, dim)),
        "pca sklearn": lambda n: functools.partial(incremental, patches(n, dim)),
        "pca ours": lambda n: functools.partial(streaming, photographs(patches(n, dim))),
    }
    jobs[case](4 * PER_PHOTOGRAPH)()
    job = jobs[case](n)
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from what is resident
    before = _status_mib("VmRSS")
    job()
    print(_status_mib("VmHWM") - before)


def _status_mib(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


# --- Gram distance ---------------------------------------------------------------------------------------


def models(n: int, dim: int) -> tuple[Array, Array]:
    """Patches of the same places by two models that share half of their variance."""
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal((n, dim), dtype=np.float32) for _ in range(2))
    second += first
    return first, second


def dense(student: Array, teacher: Array) -> float:
    """Normalise, two n x n Grams, mean squared difference; float32 throughout."""
    s, t = (torch.nn.functional.normalize(torch.from_numpy(x), dim=-1) for x in (student, teacher))
    return float(torch.nn.functional.mse_loss(s @ s.T, t @ t.T))


def dense_in_float64(student: Array, teacher: Array, rows: int = 1024) -> float:
    """The same in float64, some rows at a time: what both are judged by."""
    s, t = (x.astype(np.float64) for x in (student, teacher))
    s, t = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (s, t))
    total = sum(
        float(((s[i : i + rows] @ s.T - t[i : i + rows] @ t.T) ** 2).sum()) for i in range(0, len(s), rows)
    )
    return total / len(s) ** 2


def gram(rounds: int) -> dict[str, object]:
    """Time, peak memory and agreement of the dense form and of ours."""
    result: dict[str, object] = {}
    for n, dim in SIZES:
        f, g = models(n, dim)
        dense_value, our_value = dense(f[:4096], g[:4096]), gram_distance(f[:4096], g[:4096])
        times = alternate(
            {"dense": functools.partial(dense, f, g), "ours": functools.partial(gram_distance, f, g)}, rounds
        )
        exact = dense_in_float64(f[:4096], g[:4096])
        peaks = {which: peak_mib(f"gram {which}", n, dim) for which in ("dense", "ours")}
        result[f"{n}x{dim}"] = {
            "seconds": times,
            "speed_ratio": ratio(times, "dense", "ours"),
            "peak_mib_beyond_inputs": peaks,
            "memory_ratio": peaks["dense"] / peaks["ours"],
            "relative_error_to_float64_on_4096_patches": {
                "dense": abs(dense_value / exact - 1),
                "ours": abs(our_value / exact - 1),
            },
        }
    n, dim = LARGE
    f, g = models(n, dim)
    result[f"{n}x{dim}"] = {
        "seconds": {"ours": [seconds(lambda: gram_distance(f, g)) for _ in range(rounds)]},
        "peak_mib_beyond_inputs": {"ours": peak_mib("gram ours", n, dim)},
    }
    return result


# --- PCA -------------------------------------------------------------------------------------------------


def patches(n: int, dim: int) -> Array:
    """Patches with a mean and falling variances, the first three well apart; float32, made in place."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, dim), dtype=np.float32)
    x *= (np.arange(1, dim + 1) ** -0.5).astype(np.float32)
    x += 0.1
    return x


def photographs(x: Array) -> list[PatchFeatures]:
    """The same patches as the features of photographs."""
    side = int(PER_PHOTOGRAPH**0.5)
    return [
        PatchFeatures.from_array(x[i : i + PER_PHOTOGRAPH].reshape(side, side, -1), image_size=(SIDE, SIDE))
        for i in range(0, len(x) - PER_PHOTOGRAPH + 1, PER_PHOTOGRAPH)
    ]


def streaming(features: Sequence[PatchFeatures]) -> PatchPCA:
    """Photograph by photograph."""
    return fit_pca(iter(features), 3)


def incremental(x: Array) -> Float[np.ndarray, "3 dim"]:
    """scikit-learn's, with its own batch size (5 patches per channel)."""
    return np.asarray(IncrementalPCA(3).fit(x).components_)


def full_in_float64(x: Array) -> Float64[np.ndarray, "3 dim"]:
    """The leading three right singular vectors, by the whole centred covariance in float64."""
    wide = x.astype(np.float64)
    wide -= wide.mean(axis=0)
    return np.asarray(np.linalg.eigh(wide.T @ wide)[1][:, :-4:-1].T)


def subspace_error(found: Float[np.ndarray, "3 dim"], exact: Float[np.ndarray, "3 dim"]) -> float:
    """Sine of the largest angle between the two subspaces."""
    found = np.linalg.qr(found.astype(np.float64).T)[0].T
    return float(np.linalg.norm(found - found @ exact.T @ exact, ord=2))


def pca(rounds: int) -> dict[str, object]:
    """Time, peak memory and subspace error of IncrementalPCA and of ours."""
    x = patches(PHOTOGRAPHS * PER_PHOTOGRAPH, DIM)
    features = photographs(x)
    found: dict[str, Float[np.ndarray, "3 dim"]] = {}

    def ours() -> None:
        found["ours"] = streaming(features).components

    def theirs() -> None:
        found["sklearn"] = incremental(x)

    times: dict[str, list[float]] = {"ours": [], "sklearn": []}
    streaming(features[:2])
    for _ in range(rounds):
        times["sklearn"].append(seconds(theirs))
        times["ours"].append(seconds(ours))
    exact = full_in_float64(x)
    n = len(x)
    del x
    return {
        "seconds": times,
        "speed_ratio": ratio(times, "sklearn", "ours"),
        "subspace_error": {name: subspace_error(basis, exact) for name, basis in found.items()},
        "peak_mib_beyond_inputs": {which: peak_mib(f"pca {which}", n, DIM) for which in ("sklearn", "ours")},
    }


# --- Metrics ---------------------------------------------------------------------------------------------


def feature_map(seed: int) -> ds.PatchFeatures:
    """32 x 32 x 768: smooth regions of a common mean, and noise."""
    rng = np.random.default_rng(seed)
    values = np.kron(rng.normal(size=(8, 8, DIM)), np.ones((4, 4, 1)))
    values += 0.3 * rng.normal(size=DIM) + 0.5 * rng.normal(size=values.shape)
    return ds.PatchFeatures.from_array(values, image_size=(SIDE, SIDE))


def photograph(seed: int) -> UInt8[np.ndarray, "H W 3"]:
    """Blocks of 8 px."""
    blocks = np.random.default_rng(seed).integers(0, 256, (SIDE // 8, SIDE // 8, 3))
    return np.kron(blocks, np.ones((8, 8, 1))).astype(np.uint8)


def metrics_of(f: ds.PatchFeatures, g: ds.PatchFeatures) -> dict[str, Job]:
    """Every metric and curve of one photograph without further forward passes; ``g``: the other model's."""
    picture = photograph(0)
    token = np.random.default_rng(1).normal(size=DIM)
    mask = np.zeros((SIDE, SIDE), np.int64)
    mask[130:310, 150:350] = 1
    mask[350:, :200] = 2

    def subject() -> Subject:
        labels = patch_labels(mask, f.grid)
        regions = Regions(labels, labels, ((0.29, 0.25, 0.68, 0.61),))
        return Subject(prepared(f), Seen(f.grid.shape, picture, regions), token, g)

    shipped = [family for family in PHOTOGRAPH if any(metric.reported for metric in family.metrics)]
    jobs: dict[str, Job] = {
        ", ".join(metric.key for metric in family.metrics): functools.partial(_ask, family.measure, subject)
        for family in shipped
    }
    jobs |= {
        f"curve: {key}": functools.partial(_ask, curve.measure, subject) for key, curve in CURVES.items()
    }
    jobs |= {
        ", ".join(metric.key for metric in family.metrics): functools.partial(family.measure, Collection([f]))
        for family in COLLECTION
        if not any(metric.needs_masks for metric in family.metrics)
    }
    return jobs


def _ask(measure: Callable[[Subject], object], subject: Callable[[], Subject]) -> object:
    """Of a photograph that nothing is known of yet: what metrics share is counted for each."""
    return measure(subject())


def metrics(rounds: int) -> dict[str, object]:
    """Time of every metric of one map, against the forward pass that made it."""
    backbone = ds.load_backbone("random:dinov3-vitb16")
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    jobs: dict[str, Job] = {"forward": lambda: backbone.forward(pixels)}
    jobs.update(metrics_of(feature_map(0), feature_map(1)))
    for job in jobs.values():
        job()
    times = alternate(jobs, rounds)
    medians = {name: statistics.median(values) for name, values in times.items()}
    forward = medians.pop("forward")
    totals = [sum(times[name][i] for name in medians) for i in range(rounds)]
    return {
        "map": f"{SIDE // 16}x{SIDE // 16}x{DIM}",
        "forward_seconds": times["forward"],
        "metrics_seconds": totals,
        "metrics_over_forward": {
            "of_medians": statistics.median(totals) / forward,
            "per_round": [t / f for t, f in zip(totals, times["forward"], strict=True)],
        },
        "milliseconds": {name: 1000 * value for name, value in medians.items()},
        "above_5_percent_of_forward": [n for n, value in medians.items() if value > FINE_SHARE * forward],
    }


# --- Comparison ------------------------------------------------------------------------------------------


def compare(rounds: int) -> dict[str, object]:
    """Time of `ds.compare` beyond `ds.extract` by the same models; the report is timed apart."""
    pictures = [photograph(seed) for seed in range(COMPARED_PHOTOGRAPHS)]
    result: dict[str, object] = {"photographs": len(pictures), "grid": SIDE // 16}
    for size, names in COMPARED.items():
        models = [ds.load_backbone(name) for name in names]
        result[size] = {
            which: _compared(pictures, models, rounds, controls=which == "with_controls")
            for which in ("with_controls", "models_alone")
            if (size, which) != (LARGEST_COMPARED, "with_controls")
        }
    return result


def _compared(
    pictures: Sequence[UInt8[np.ndarray, "H W 3"]],
    models: Sequence[ds.Backbone],
    rounds: int,
    *,
    controls: bool,
) -> dict[str, object]:
    forward, beyond, report = [], [], []
    ds.compare(pictures[:1], models, controls=controls)

    def passes() -> None:
        for model in models:
            deque(ds.extract(pictures, model, grid=SIDE // 16), 0)

    for _ in range(rounds):
        forward.append(seconds(passes))
        start = time.perf_counter()
        comparison = ds.compare(pictures, models, controls=controls)
        beyond.append(time.perf_counter() - start - forward[-1])
        with tempfile.TemporaryDirectory() as folder:
            report.append(seconds(functools.partial(write_comparison, comparison, Path(folder) / "report")))
    return {
        "forward_seconds": forward,
        "beyond_seconds": beyond,
        "report_seconds": report,
        "beyond_over_forward": {
            "of_medians": statistics.median(beyond) / statistics.median(forward),
            "per_round": [b / f for b, f in zip(beyond, forward, strict=True)],
        },
    }


def main() -> None:
    """Run the parts asked for; parts not asked for keep their last figures in the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="gram,pca,metrics,compare")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of all contestants")
    parser.add_argument("--peak", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    threadpool_limits(asked.threads)
    if asked.peak:
        print_peak(asked.peak[0], int(asked.peak[1]), int(asked.peak[2]))
        return
    parts: dict[str, Callable[[int], dict[str, object]]] = {
        "gram": gram,
        "pca": pca,
        "metrics": metrics,
        "compare": compare,
    }
    path = RESULTS / "measure.json"
    result = json.loads(path.read_text()) if path.exists() else {}
    result.pop("machine", None)
    for name in asked.only.split(","):
        before = os.getloadavg()[0]
        figures = parts[name](asked.rounds)
        load = {"before": before, "after": os.getloadavg()[0]}
        result[name] = {"rounds": asked.rounds, "threads": asked.threads, "load_average": load, **figures}
        print(json.dumps({name: result[name]}, indent=2))
        write_result("measure", result)


if __name__ == "__main__":
    main()

"""A step of training beside the same step of an earlier commit.

    python -m benchmarks.train [COMMIT] [--rounds 9] [--threads 1]

The laboratory's default settings on 128 smooth random photographs of 192 x 256. COMMIT is checked out for
the time of the run; each side has a process of its own, and they take turns, one step each, after two that
are not timed. A step is cutting its batch and learning from it, one after the other. Ratios are of steps of
the same round: wall-clock time, which other work on the machine blurs, and processor time, which it blurs
less. The losses are those of the last step: the arithmetic is the same up to rounding, the crops nearly so.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.machine import describe, write_result

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "263407a"
"""The last commit whose laboratory ran the networks as their library has them."""

CHILD = """
import json, sys, time
import numpy as np, torch
from PIL import Image
torch.set_num_threads(int(sys.argv[1]))
from dinoscope.anchoring.batches import cut_batch
from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.photographs import PhotographMemory
from dinoscope.anchoring.state import fresh_state
from dinoscope.anchoring.step import learn

def smooth(i):
    coarse = np.random.default_rng(i).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((256, 192), Image.Resampling.BICUBIC))

settings = Settings()
memory = PhotographMemory(tuple(map(str, range(128))), tuple(map(smooth, range(128))), "smooth")
state = fresh_state(settings, torch.device("cpu"), None)
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    batch = cut_batch(memory, settings, state.step + 1)
    losses = learn(state, batch, settings, state.step + 1, half=False)
    found = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "loss": losses["loss"]}
    print(json.dumps(found), flush=True)
"""


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """A work tree of a commit, removed afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tree"
        subprocess.run(["git", "-C", ROOT, "worktree", "add", "-q", "--detach", path, commit], check=True)
        try:
            yield path
        finally:
            subprocess.run(["git", "-C", ROOT, "worktree", "remove", "--force", path], check=True)


@contextmanager
def side(tree: Path, threads: int) -> Iterator[subprocess.Popen[str]]:
    """A process that does a step for each line it is sent."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", CHILD, str(threads)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment, cwd=tree) as process:
        try:
            yield process
        finally:
            process.terminate()


def step(process: subprocess.Popen[str]) -> dict[str, float]:
    """Let a process do one step; what it says of it."""
    assert process.stdin is not None  # for the type checker: both are pipes
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    found: dict[str, float] = json.loads(process.stdout.readline())
    return found


def main() -> None:
    """Measure both and keep the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit", nargs="?", default=BEFORE)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    with (
        checkout(asked.commit) as tree,
        side(tree, asked.threads) as before,
        side(ROOT, asked.threads) as ours,
    ):
        rounds = [(step(before), step(ours)) for _ in range(asked.rounds + 2)][2:]
    result: dict[str, object] = {
        "commit": asked.commit,
        "rounds": asked.rounds,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "loss": {"before": rounds[-1][0]["loss"], "ours": rounds[-1][1]["loss"]},
        "machine": describe(),
    }
    for clock in ("wall", "cpu"):
        ratios = [a[clock] / b[clock] for a, b in rounds]
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        result[clock] = {
            "before_s": statistics.median(a[clock] for a, _ in rounds),
            "ours_s": statistics.median(b[clock] for _, b in rounds),
            "ratio": statistics.median(ratios),
            "spread": (high - low) / 2,
        }
    print(json.dumps(result, indent=2))
    print(write_result("train", result))


if __name__ == "__main__":
    main()

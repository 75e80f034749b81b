"""What machine is this, and how fast is a plain matrix product on it?"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, object]:
    """The machine and the versions that a figure belongs to."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": " ".join(["python", "-m", *_words(sys.orig_argv)]),
    }


def load_over_cores() -> float:
    """How busy the machine was in the last minute: processes that want a core, for each core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _words(started: Sequence[str]) -> Sequence[str]:
    """The module and its words, whatever the interpreter was told before them."""
    return started[list(started).index("-m") + 1 :] if "-m" in started else sys.argv


def gemm_rate(
    size: int = 2048,
    repeats: int = 7,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> float:
    """Matrix product rate, FLOP/s: the median of ``repeats`` products of size³."""
    device = torch.device(device)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def product() -> None:
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    product()
    return 2 * size**3 / statistics.median(seconds(product) for _ in range(repeats))


def copy_rate(n_bytes: int = 2**28, repeats: int = 5, *, device: torch.device | str = "cpu") -> float:
    """Bytes a second: from host memory to host memory, or from pinned host memory to a CUDA device."""
    device = torch.device(device)
    cuda = device.type == "cuda"
    source = torch.zeros(n_bytes, dtype=torch.uint8, pin_memory=cuda)
    target = torch.zeros(n_bytes, dtype=torch.uint8, device=device)

    def copied() -> None:
        target.copy_(source, non_blocking=True)
        if cuda:
            torch.cuda.synchronize(device)

    copied()
    return n_bytes / statistics.median(seconds(copied) for _ in range(repeats))


def seconds(job: Callable[[], object]) -> float:
    """Wall-clock time of one call."""
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def processor_seconds(job: Callable[[], object]) -> float:
    """Processor time of this process for one call."""
    start = time.process_time()
    job()
    return time.process_time() - start


def machine_name(device: torch.device) -> str:
    """A folder's name that says on what machine."""
    facts = describe()
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else str(facts["processor"])
    return re.sub(r"[^a-z0-9]+", "-", f"{on} {facts['threads']} threads".lower()).strip("-")


def peak_over(job: Callable[[], object]) -> int:
    """Bytes that a call takes at its peak beyond what this process holds before it (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again from what is resident
    before = resident_bytes("VmRSS")
    job()
    return resident_bytes("VmHWM") - before


def resident_bytes(field: str) -> int:
    """``VmRSS`` for now, ``VmHWM`` for the peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024


def write_result(name: str, result: Mapping[str, object], folder: Path | None = None) -> Path:
    """Keep a result beside the machine it was measured on; ``folder`` in place of `RESULTS`."""
    folder = folder or RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"machine": describe(), **result}, indent=2) + "\n")
    return path


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()

"""How long a pass takes in each way that a machine has: measured in turn, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope import __version__
from dinoscope.backbones.base import Backbone
from dinoscope.errors import InputError, MissingExtraError
from dinoscope.io.json_files import write_json
from dinoscope.pipeline.certificate import faster, way_words
from dinoscope.pipeline.fast import capability, compilable, fast_dtype, runs_compiled
from dinoscope.pipeline.feed import cores
from dinoscope.pipeline.int8 import int8_backbone
from dinoscope.pipeline.run import Arithmetic

ROUNDS = 7
PLAIN = "float32"
"""The way that all others are held against."""

INT8 = way_words(torch.int8, autocast=False, compiled=False, tile=None)
"""The way of `int8_backbone`, on processors alone."""


@dataclass(frozen=True, slots=True)
class WayTime:
    """A way's pace.

    Attributes:
        way: in words.
        photograph_s: seconds of a pass for each of its photographs, median of the rounds.
        gain: the plain way's time over this one's in the same round, median.
        start_s: seconds of the first pass beyond a later one: compiling, or quantising.
    """

    way: str
    photograph_s: float
    gain: float
    start_s: float


@dataclass(frozen=True, slots=True)
class WayTimes:
    """Every way of a backbone on a machine: `PLAIN` first, and why others cannot be run."""

    times: tuple[WayTime, ...]
    missing: Mapping[str, str]

    @property
    def words(self) -> str:
        """One line for people."""
        plain, *others = self.times
        told = [f"{plain.way} {plain.photograph_s:.3g} s a photograph"]
        for t in others:
            start = f", {t.start_s:.0f} s to start" if t.start_s >= 1 else ""
            told.append(f"{t.way} {t.gain:.2f} times as fast{start}")
        told += [f"{way} cannot be run: {reason}" for way, reason in self.missing.items()]
        return "; ".join(told)


def ways_of(backbone: Backbone) -> dict[str, Callable[[Backbone], Backbone]]:
    """The ways that may be faster than float32 eager, by their words; `PLAIN` first.

    What makes a backbone compute so may raise `InputError` or `MissingExtraError`.
    """
    device = backbone.device
    half = torch.bfloat16 if device.type == "cpu" else fast_dtype(device.type, capability(device))
    found: dict[str, Callable[[Backbone], Backbone]] = {}
    for dtype in (None, half) if half != torch.float32 else (None,):
        for compiled in (False, True) if compilable(backbone) else (False,):
            words = way_words(dtype, autocast=dtype is not None, compiled=compiled, tile=None)
            arithmetic = Arithmetic(dtype, autocast=dtype is not None, compiled=compiled)
            found[words] = partial(faster, arithmetic=arithmetic)
    if device.type == "cpu":
        found[INT8] = int8_backbone
    return found


def time_ways(
    backbone: Backbone,
    pixels: Float[Tensor, "b 3 H W"],
    *,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> WayTimes:
    """Runs a batch in every way in turn, so that what else the machine does meets all of them.

    Args:
        backbone: in float32 eager arithmetic.
        pixels: of real photographs, on its device.
        rounds: after the first pass of each way.
        clock: seconds.
    """

    def seconds(model: Backbone) -> float:
        start = clock()
        model.forward(pixels)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        return clock() - start

    models: dict[str, Backbone] = {}
    first: dict[str, float] = {}
    missing: dict[str, str] = {}
    for way, made in ways_of(backbone).items():
        try:
            start = clock()
            model = made(backbone)
            making, compiled = clock() - start, runs_compiled(model)
            first[way] = making + seconds(model)
        except (InputError, MissingExtraError, RuntimeError) as error:  # RuntimeError: no kernel for it
            missing[way] = next(iter(str(error).splitlines()), type(error).__name__)
            continue
        if compiled and not runs_compiled(model):
            missing[way] = "torch.compile failed"
            continue
        models[way] = model
    each = [{way: seconds(model) for way, model in models.items()} for _ in range(rounds)]
    times = []
    for way in models:
        median = statistics.median(taken[way] for taken in each)
        gain = statistics.median(taken[PLAIN] / taken[way] for taken in each)
        times.append(WayTime(way, median / len(pixels), gain, max(0.0, first[way] - median)))
    return WayTimes(tuple(times), missing)


def machine_key(backbone: Backbone, input_size: tuple[int, int], batch: int) -> dict[str, Any]:
    """Whatever a time depends on: the machine, the versions, the model, the input and the batch."""
    device = backbone.device
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else _processor()
    return {
        "machine": [platform.system(), platform.machine(), on, cores(), torch.get_num_threads()],
        "versions": [__version__, str(torch.__version__), platform.python_version(), *_installed()],
        "model": [backbone.spec.name, backbone.origin.digest, backbone.spec.dim, backbone.spec.depth],
        "input": list(input_size),
        "batch": batch,
    }


def times_path(key: Mapping[str, Any]) -> Path:
    """Where the times of a key are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    return cache / "dinoscope" / "ways" / f"{digest}.json"


def write_times(path: Path, key: Mapping[str, Any], found: WayTimes) -> None:
    """Keep what was measured.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, {"key": key, "times": [asdict(t) for t in found.times], "missing": found.missing})


def read_times(path: Path, key: Mapping[str, Any]) -> WayTimes | None:
    """What was measured for a key; None where nothing was, or nothing that can be believed."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return None
        times = tuple(WayTime(**each) for each in content["times"])
        missing = {str(way): str(reason) for way, reason in content["missing"].items()}
        numbers = [float(n) for t in times for n in (t.photograph_s, t.gain, t.start_s)]
        sound = all(math.isfinite(n) and n >= 0 for n in numbers) and times[0].way == PLAIN
        return WayTimes(times, missing) if sound else None
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return None


def _installed() -> list[str | None]:
    """Versions of what a way needs and not everybody has; None for what is not there."""
    found: list[str | None] = []
    for package in ("onnx", "onnxruntime"):
        try:
            found.append(importlib.metadata.version(package))
        except importlib.metadata.PackageNotFoundError:
            found.append(None)
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # only Linux has it
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")

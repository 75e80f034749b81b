"""An `embed` in a process of its own, for tests that end it without warning."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import dinoscope.store.writer as writer_module
from dinoscope.data.layers import LayerOutputs
from dinoscope.pipeline.embed import embed
from tests.fakes import FakeBackbone


@dataclass
class SlowBackbone(FakeBackbone):
    """A fake that takes its time, but for its first passes."""

    seconds: float = 0.0
    quick: int = 0

    def forward(
        self, pixels: Tensor, layers: tuple[int, ...] | None = None, *, final_norm: bool = True
    ) -> LayerOutputs:
        if len(self.batches) >= self.quick:
            time.sleep(self.seconds)
        return super().forward(pixels, layers, final_norm=final_norm)


def processes() -> ForkServerContext:
    """Processes that start with everything imported but Lance, which must not be forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.pipeline.killed_embed"])
    return context


def run(
    source: str,
    store: str,
    *,
    seconds: float = 0.0,
    quick: int = 0,
    die_in: tuple[str, int] | None = None,
    die_after_s: float = 0.0,
    largest_file_bytes: int | None = None,
    report: str | None = None,
    **options: Any,
) -> None:
    """Embed; optionally end like a killed process after the n-th call of a step, or on a full disk.

    Args:
        source, store, options: as for `embed`.
        seconds: each pass takes.
        quick: passes at the beginning that do not.
        die_in: a name in the writer's module, and how many calls of it are survived.
        die_after_s: and how long after them it goes on; timed in this process, so that a full machine
            holds up the work and its end alike.
        largest_file_bytes: the system refuses to write more into one file.
        report: file that receives the words of an OSError.
    """
    torch.set_num_threads(1)
    if die_in is not None:
        _end_after(*die_in, die_after_s)
    if largest_file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file_bytes, largest_file_bytes))
    try:
        embed(source, SlowBackbone(seconds=seconds, quick=quick), store, **options)
    except OSError as error:
        if report is None:
            raise
        Path(report).write_text(str(error)[:1000])


def _end_after(step: str, survived: int, after_s: float) -> None:
    whole = getattr(writer_module, step)
    calls = 0

    def dying(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        result = whole(*args, **kwargs)
        calls += 1
        if calls == survived + 1:
            end = threading.Timer(after_s, os.kill, (os.getpid(), signal.SIGKILL))
            end.daemon = True
            end.run() if after_s == 0 else end.start()
        return result

    setattr(writer_module, step, dying)

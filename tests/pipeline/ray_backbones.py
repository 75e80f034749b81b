"""Backbones that end or fail in the middle of a batch; they count in a file, which processes share."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dinoscope.data.layers import LayerOutputs
from tests.fakes import FakeBackbone


@dataclass
class MarkedBackbone(FakeBackbone):
    """Each forward pass leaves a line in a file.

    Attributes:
        marks: the file.
        dies_at, fails_at: the passes, counted from 1 over all processes, that end the process or raise.
    """

    marks: str = ""
    dies_at: tuple[int, ...] = ()
    fails_at: tuple[int, ...] = ()

    def forward(
        self, pixels: Tensor, layers: tuple[int, ...] | None = None, *, final_norm: bool = True
    ) -> LayerOutputs:
        with Path(self.marks).open("a") as file:
            file.write(f"{os.getpid()}\n")
        passes = len(Path(self.marks).read_text().splitlines())
        if passes in self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if passes in self.fails_at:
            raise OSError("the network file system has gone away")
        return super().forward(pixels, layers, final_norm=final_norm)

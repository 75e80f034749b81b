"""One run eager, compiled, and compiled in two pieces, for a test: FOLDER."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

from dinoscope.anchoring.config import Machine
from dinoscope.anchoring.train import run
from tests.anchoring.small_runs import CROPS, small, write_photographs

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    photographs = write_photographs(folder / "photographs")
    compiled = small(steps=3, crops=replace(CROPS, n_local=0), machine=Machine(compile=True))
    run(replace(compiled, machine=Machine(compile=False)), photographs, folder / "eager")
    run(compiled, photographs, folder / "compiled")
    run(replace(compiled, steps=2), photographs, folder / "resumed")
    run(compiled, photographs, folder / "resumed", resume=True)

"""A run of its own process, for tests that end it without warning: PHOTOGRAPHS OUT SETTINGS."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.train import run

if __name__ == "__main__":
    torch.set_num_threads(1)  # as in the tests: the last digits depend on it
    run(Settings.from_json(Path(sys.argv[3]).read_text()), sys.argv[1], sys.argv[2], resume=True)

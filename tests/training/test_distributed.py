from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from tests.training.small_models import dinov3

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    """DDP and FSDP2 over gloo, with a teacher refreshed from the wrapped model in between."""
    command = [sys.executable, "-m", "tests.training.two_processes", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "found.pt")
    start = [weight.detach() for weight in dinov3(2).parameters()]
    moved = max((a - b).abs().max().item() for a, b in zip(found["alone"], start, strict=True))
    assert moved > 1e-3
    for way in ("ddp", "fsdp"):
        for a, b in zip(found[way], found["alone"], strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)

"""What the anchor and the monitor cost beside a plain training step.

    nice -n 5 python -m benchmarks.guards          about a minute on one core

A DINOv3 ViT (dim 192, depth 6, patch 8, 4 registers) learns from batches of 16 crops of 96 pixels; processor
time, the ways in turn, medians of five. The monitor looks at 16 photographs of 16x16 patches.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from dinoscope.io.images import photograph_from_array
from dinoscope.monitoring.monitor import Monitor
from dinoscope.scenes.generate import scenes
from dinoscope.training.anchor import GramAnchor

BATCH, SIDE, REGISTERS, ROUNDS, PHOTOGRAPHS, EVERY = 16, 96, 4, 5, 16, 1000


def network() -> Any:
    """With random weights."""
    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        patch_size=8,
        hidden_size=192,
        intermediate_size=768,
        num_hidden_layers=6,
        num_attention_heads=3,
        num_register_tokens=REGISTERS,
        image_size=SIDE,
    )
    return DINOv3ViTModel(config).train()


def step(model: Any, optimizer: torch.optim.Optimizer, images: Tensor, anchor: GramAnchor | None) -> None:
    """One step, with or without the anchor."""
    hidden = model(images).last_hidden_state
    loss = hidden[:, 0].square().mean() + hidden[:, 1 + REGISTERS :].square().mean()
    if anchor is not None:
        loss = loss + anchor(hidden[:, 1 + REGISTERS :], images, step=2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def seconds(run: Callable[[], object]) -> float:
    """Of the processor."""
    began = time.process_time()
    run()
    return time.process_time() - began


def main() -> None:
    """Prints the ratios."""
    torch.set_num_threads(1)
    model, images = network(), torch.randn(BATCH, 3, SIDE, SIDE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5)
    held = scenes(PHOTOGRAPHS, 5, size=(128, 128))
    photographs = [photograph_from_array(s.first.image, name=f"{i}") for i, s in enumerate(held)]
    monitor = Monitor(photographs, 1)
    looks = iter(range(1, 1000))
    ways: dict[str, Callable[[], object]] = {
        "a plain step": lambda: step(model, optimizer, images, None),
        "a look of the monitor": lambda: monitor.update(model, next(looks)),
    }
    for scale in (1, 2):
        anchor = GramAnchor(model, scale=scale, ramp=0)
        ways[f"a step with the anchor, teacher x{scale}"] = lambda a=anchor: step(model, optimizer, images, a)  # type: ignore[misc]
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, run in ways.items():
            found = seconds(run)
            if round_:  # the first warms up
                taken[name].append(found)
    plain = statistics.median(taken["a plain step"])
    for name, found in taken.items():
        print(f"{name:40} {statistics.median(found) / plain:6.2f} plain steps")
    look = statistics.median(taken["a look of the monitor"])
    print(f"the monitor, every {EVERY:,} steps: {look / plain / EVERY:.3%} of the training")


if __name__ == "__main__":
    main()

"""Which precision convolutions were asked for, while models run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook


@contextmanager
def precisions() -> Iterator[set[str]]:
    """Filled with cuDNN's setting at each convolution in this block; TF32 is chosen outside of it."""
    convolutions = torch.backends.cudnn.conv
    before, convolutions.fp32_precision = convolutions.fp32_precision, "tf32"
    seen: set[str] = set()

    def note(module: nn.Module, _inputs: object) -> None:
        if isinstance(module, nn.Conv2d):
            seen.add(convolutions.fp32_precision)

    handle = register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()
        convolutions.fp32_precision = before

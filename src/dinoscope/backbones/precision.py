"""Float32 that is float32."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()
_inside = 0
_before = ""


@contextmanager
def exact_convolutions() -> Iterator[None]:
    """Convolutions in the precision of their numbers, in all threads until the last one has left.

    On CUDA, cuDNN rounds what a float32 convolution multiplies to TF32, 10 bits, unless it is told not to;
    matrix products are not rounded. The patch embedding is such a convolution, and a ConvNeXt is full of
    them. Without effect on processors.

    Source: the notes on TensorFloat-32 in PyTorch's documentation (notes/cuda).
    """
    global _inside, _before
    cudnn: Any = torch.backends.cudnn
    convolutions = cudnn.conv
    with _lock:
        if _inside == 0:
            _before = convolutions.fp32_precision
            convolutions.fp32_precision = "ieee"
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                convolutions.fp32_precision = _before

"""Is there memory for the weights? Asked before they are drawn or read."""

from __future__ import annotations

import os
from math import prod

import torch

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.random_weights import parameter_rows
from dinoscope.errors import InputError


def available_bytes() -> int | None:
    """Memory that can be had now, in bytes; None where the system does not say."""
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def weights_bytes(architecture: Architecture) -> int:
    """What the parameters take in float32, in which they are drawn and read, whatever dtype follows."""
    return 4 * sum(prod(row.shape) for row in parameter_rows(architecture))


def check_weights(architecture: Architecture, name: str) -> None:
    """Refuse a model whose weights alone do not fit.

    Raises:
        InputError: they need more than can be had.
    """
    needed, available = weights_bytes(architecture), available_bytes()
    if available is not None and needed > available:
        raise InputError(
            f"the weights of {name} need about {needed / 2**30:,.1f} GiB in float32; "
            f"{available / 2**30:,.1f} GiB are available. Choose a smaller model or a larger machine."
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: torch has a type for that on accelerators, and only words on processors, and
    where a library below it was refused memory.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    words = (
        "can't allocate memory",
        "not enough memory",
        "MPS backend out of memory",
        "CUDA error: out of memory",
        "CUBLAS_STATUS_ALLOC_FAILED",
        "CUDNN_STATUS_ALLOC_FAILED",
    )
    return isinstance(error, RuntimeError) and any(each in str(error) for each in words)

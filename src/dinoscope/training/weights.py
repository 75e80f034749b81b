"""The present weights of one module in another, whole where they are spread over processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dinoscope.errors import InputError
from dinoscope.training.tokens import bare


@torch.no_grad()
def take_weights(into: nn.Module, model: nn.Module) -> None:
    """Copies every parameter and buffer. With FSDP all processes must call it.

    Raises:
        InputError: they are not two states of one architecture.
    """
    new, old = bare(model).state_dict(), into.state_dict()
    differs = [name for name in sorted(set(new) | set(old)) if _shape(new, name) != _shape(old, name)]
    if differs:
        raise InputError(
            f"the teacher and the model whose weights it takes are not of one architecture: {differs[0]} is "
            f"{_shape(old, differs[0])} in the one and {_shape(new, differs[0])} in the other"
        )
    for name, value in old.items():
        if isinstance(value, Tensor):
            value.copy_(_whole(new[name]))


def _shape(state: dict[str, object], name: str) -> tuple[int, ...] | None:
    value = state.get(name)
    return tuple(value.shape) if isinstance(value, Tensor) else None


def _whole(value: Tensor) -> Tensor:
    """A tensor that FSDP spreads over processes, put together."""
    full = getattr(value, "full_tensor", None)
    return value if full is None else full()

"""Where does a block of a ViT make its queries, keys and values, and what did it make them of in one pass?"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.wrapped import Wrapped
from dinoscope.errors import BackboneError

QUERY, KEY, VALUE = "query", "key", "value"
NAMES: Mapping[str, tuple[str, ...]] = {
    QUERY: ("q_proj", "query"),
    KEY: ("k_proj", "key"),
    VALUE: ("v_proj", "value"),
}
"""What libraries call the three linear layers; `FUSED` is one for all of them, in this order."""

FUSED = "qkv"
OUTPUT = ("o_proj", "out_proj", "proj", "projection_layer", "dense")


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """The attention of one block.

    Attributes:
        attention: the module that holds the three; it is given rotary positions, where there are any.
        linear: by the names of `NAMES`; one and the same where they are fused.
        output: the linear layer behind the attention.
    """

    attention: nn.Module
    linear: Mapping[str, nn.Linear]
    output: nn.Linear

    @property
    def fused(self) -> bool:
        """One linear layer makes all three."""
        return self.linear[QUERY] is self.linear[KEY]

    def width(self, name: str) -> int:
        """Channels of one of the three."""
        whole = int(self.linear[name].weight.shape[0])
        return whole // 3 if self.fused else whole

    def part(self, name: str, made: Tensor) -> Tensor:
        """One of the three out of what its linear layer made: "b t dim"."""
        return made.chunk(3, dim=-1)[tuple(NAMES).index(name)] if self.fused else made


@dataclass(slots=True, eq=False)
class Caught:
    """What one forward pass did inside one block's attention.

    Attributes:
        made: by name, outputs of the linear layers, "b t dim".
        rotary: positions as the attention was given them; None without any.
        mixed: the values as the attention mixed them, heads side by side, "b t dim".
    """

    made: dict[str, Tensor] = field(default_factory=dict)
    rotary: Any = None
    mixed: Tensor | None = None


def attention_blocks(backbone: Backbone) -> Sequence[nn.Module]:
    """The blocks of a backbone, whatever wraps it.

    Raises:
        BackboneError: it has none.
    """
    inner: Any = backbone
    while isinstance(inner, Wrapped):
        inner = inner.inner
    found = getattr(inner, "blocks", None)
    if found is None and isinstance(getattr(inner, "model", None), nn.Module):
        found = _of_depth(inner.model, inner.spec.depth)
    if found is None:
        raise BackboneError(f"{backbone.spec.name} has no attention blocks: it has tokens alone")
    return list(found)


def _of_depth(model: nn.Module, depth: int) -> nn.ModuleList | nn.Sequential | None:
    """The outermost list of as many modules as there are layers."""
    for module in model.modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and len(module) == depth:
            return module
    return None


def projections(block: nn.Module, name: str) -> Projections:
    """The attention of a block, found by what its layers are called.

    Args:
        block: of a ViT.
        name: of the backbone, for the message.

    Raises:
        BackboneError: none, or one that is not made of three linear layers or a fused one.
    """
    modules = {path: module for path, module in block.named_modules() if isinstance(module, nn.Linear)}
    found: dict[str, str] = {}
    for part, names in NAMES.items():
        places = [path for path in modules if path.rpartition(".")[2] in (*names, FUSED)]
        if len(places) != 1:
            raise BackboneError(
                f"{name} has no {part} layer that is known ({', '.join((*names, FUSED))}) in a block: "
                f"{type(block).__name__} gives tokens alone"
            )
        found[part] = places[0]
    parent = found[QUERY].rpartition(".")[0]
    output = [path for path in modules if path.rpartition(".")[2] in OUTPUT and _beside(path, parent)]
    if len(output) != 1:
        raise BackboneError(f"{name}: no single output layer of the attention in {type(block).__name__}")
    return Projections(
        block.get_submodule(parent), {part: modules[p] for part, p in found.items()}, modules[output[0]]
    )


def check_tokens(made: Tensor, expected: int, name: str) -> Tensor:
    """What an attention made, if it is one row for each token of the photograph.

    Raises:
        BackboneError: it works on windows, on other tokens beside, or on a coarser grid.
    """
    if made.ndim != 3 or made.shape[1] != expected:
        raise BackboneError(
            f"{name}: its attention is not over the photograph's {expected} tokens, but {tuple(made.shape)} "
            "(windows, queries beside, or another order); it gives tokens alone"
        )
    return made


def _beside(path: str, attention: str) -> bool:
    """Inside the attention, or inside what holds it: an MLP has a layer named ``dense`` as well."""
    return path.startswith((f"{attention}.", f"{attention.rpartition('.')[0]}.output."))


@contextmanager
def catching(found: Mapping[int, Projections]) -> Iterator[Mapping[int, Caught]]:
    """While this lasts, the passes of this thread leave what they do inside these layers' attention."""
    caught = {layer: Caught() for layer in found}
    mine = threading.get_ident()

    def keep(layer: int, name: str, _module: nn.Module, _arguments: Any, made: Tensor) -> None:
        if threading.get_ident() == mine:
            caught[layer].made[name] = found[layer].part(name, made)

    def positions(layer: int, _module: nn.Module, _arguments: Any, named: dict[str, Any]) -> None:
        if threading.get_ident() == mine:
            caught[layer].rotary = named.get("position_embeddings", named.get("rope"))

    def mixed(layer: int, _module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if threading.get_ident() == mine:
            caught[layer].mixed = arguments[0]

    with ExitStack() as stack:
        for layer, there in found.items():
            handles = [there.linear[n].register_forward_hook(partial(keep, layer, n)) for n in NAMES]
            hook = partial(positions, layer)
            handles.append(there.attention.register_forward_pre_hook(hook, with_kwargs=True))
            handles.append(there.output.register_forward_pre_hook(partial(mixed, layer)))
            for handle in handles:
                stack.callback(handle.remove)
        yield caught

"""What does a patch, or the class token, attend to? One row of a block's attention, never a whole matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.controls import is_blurred
from dinoscope.backbones.load import as_backbone
from dinoscope.backbones.projections import (
    KEY,
    QUERY,
    VALUE,
    Caught,
    Projections,
    attention_blocks,
    catching,
    check_tokens,
    projections,
)
from dinoscope.backbones.rotary import rotated
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid, place
from dinoscope.data.spec import BackboneSpec, check_layers
from dinoscope.errors import BackboneError, InputError
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.memory import CHECKED_ROWS, ROLLOUT_ROWS, attention_bytes, check_work
from dinoscope.pipeline.photographs import ImageLike, load_photograph
from dinoscope.pipeline.run import Run

CLS = "cls"
TOLERANCE = 1e-3
"""How far the values mixed by the row found here may lie from those that the block mixed, relative to the
largest of them: 16-bit arithmetic passes, another kind of attention does not."""


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """Where one query of one block looks; all of it sums to 1.

    Attributes:
        values: weight of every patch.
        to_prefix: weight of the tokens before the patches: the class token, if there is one, then registers.
        heads: the same of every head, patches and prefix side by side, prefix first.
        at: the place asked for, (x, y) in [0, 1]², or ``cls``.
        patch: the query patch (row, col); None for the class token.
        layer: the block, 0-based.
        head: the one that ``values`` are of; None for the mean over heads.
        rollout: whether these are products over all blocks up to ``layer``, a heuristic, and no attention.
        grid: of the photograph.
    """

    values: Float64[np.ndarray, "h w"]
    to_prefix: Float64[np.ndarray, " p"]
    heads: Float64[np.ndarray, "heads tokens"]
    at: tuple[float, float] | str
    patch: tuple[int, int] | None
    layer: int
    head: int | None
    rollout: bool
    grid: PatchGrid

    @property
    def even_shares(self) -> Float64[np.ndarray, "h w"]:
        """``values`` as multiples of what each token would have if all had the same."""
        return self.values * (self.values.size + len(self.to_prefix))

    def __repr__(self) -> str:
        where = self.at if isinstance(self.at, str) else f"({self.at[0]:g}, {self.at[1]:g})"
        kind = "rollout to" if self.rollout else "attention of"
        whose = "mean of heads" if self.head is None else f"head {self.head}"
        share = float(self.values.sum())
        return f"AttentionMap({kind} block {self.layer}, {whose}, from {where}: {share:.0%} to patches)"


def attention(
    image: ImageLike,
    backbone: Backbone | str,
    *,
    at: tuple[float, float] | str = CLS,
    layer: int | None = None,
    head: int | None = None,
    grid: int | tuple[int, int] = 32,
    rollout: bool = False,
) -> AttentionMap:
    """The attention of one query: the softmax of its scaled products with all keys, as the block has it.

    Memory is linear in the number of tokens (`dinoscope.pipeline.memory.attention_bytes`); it is told in the
    log from 1 GiB on, and refused beyond what there is. A rollout takes rows a few hundred at a time. The row
    is checked: values mixed by it must be what the block itself mixed.

    Source: Vaswani et al. (arXiv 1706.03762), eq. 1; rollout: Abnar & Zuidema (arXiv 2005.00928), section 3,
    with the mean over heads. A rollout is a heuristic: it ignores values, MLPs and norms.

    Args:
        image: one photograph.
        backbone: a ViT with standard attention, or its name.
        at: a place ``(x, y)`` in ``[0, 1]²``, or ``cls`` for the class token.
        layer: 0-based block; None for the last.
        head: 0-based; None for the mean over heads.
        grid: patches on the short side, or the exact ``(h, w)``.
        rollout: multiply the attentions of all blocks up to ``layer`` instead.

    Raises:
        InputError: no such head or place, no class token, or ``head`` with ``rollout``.
        LayerError: no such layer.
        BackboneError: no attention here that could be read.
        ImageError: the photograph cannot be used.
    """
    model = as_backbone(backbone)
    _check_head(model.spec, head, rollout=rollout)
    inside = look_inside(image, model, layer=layer, grid=grid, every=rollout)
    return inside.attention(at=at, head=head, rollout=rollout)


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """One forward pass of one photograph, and what the attention of its blocks did in it.

    Attributes:
        features: tokens of the block in question.
        spec: of the backbone.
        layer: that block.
        found: the attention of each block that was listened to.
        caught: what it made in this pass.
    """

    features: PatchFeatures
    spec: BackboneSpec
    layer: int
    found: Mapping[int, Projections]
    caught: Mapping[int, Caught]

    @property
    def n_prefix(self) -> int:
        """Tokens before the patches."""
        registers = self.features.registers
        return int(self.features.cls is not None) + (0 if registers is None else len(registers))

    def facet(self, part: str) -> PatchFeatures:
        """The block's ``query``, ``key`` or ``value`` of the same pass, patches alone: see `facet_of`.

        Raises:
            BackboneError: the attention is not over the photograph's tokens.
        """
        values = self._made(self.layer, part)[0, self.n_prefix :].float().cpu().numpy()
        told = replace(self.features.provenance, backbone=f"{part}:{self.spec.name}", final_norm=False)
        shape = (*self.features.grid.shape, -1)
        return replace(self.features, values=values.reshape(shape), provenance=told, cls=None, registers=None)

    def attention(
        self, *, at: tuple[float, float] | str = CLS, head: int | None = None, rollout: bool = False
    ) -> AttentionMap:
        """One query's row; arguments and errors as for `dinoscope.pipeline.attention.attention`.

        A rollout asks for a pass in which every block was listened to.
        """
        spec, features = self.spec, self.features
        _check_head(spec, head, rollout=rollout)
        patch = None
        if isinstance(at, str):
            if at != CLS or features.cls is None:
                what = "has no class token" if at == CLS else f"no place {at!r}: give (x, y) or 'cls'"
                raise InputError(f"{spec.name} {what}" if at == CLS else what)
            query = 0
        else:
            patch = features.grid.patch_at(*place(at))
            query = self.n_prefix + patch[0] * features.grid.w + patch[1]
        rows = {k: self._rows(k) for k in (self.found if rollout else (self.layer,))}
        each = rows[self.layer].of(torch.tensor([query]))[:, 0]
        chosen = _rolled(rows, query) if rollout else each.mean(dim=0) if head is None else each[head]
        weights = chosen.double().numpy()
        return AttentionMap(
            values=weights[self.n_prefix :].reshape(features.grid.shape),
            to_prefix=weights[: self.n_prefix],
            heads=each.double().numpy(),
            at=at,
            patch=patch,
            layer=self.layer,
            head=head,
            rollout=rollout,
            grid=features.grid,
        )

    def _made(self, layer: int, part: str) -> Tensor:
        made = self.caught[layer].made.get(part)
        if made is None:
            raise BackboneError(
                f"{self.spec.name}: a block's attention went another way than through its layers"
            )
        return check_tokens(made, self.n_prefix + self.features.grid.n, self.spec.name)

    def _rows(self, layer: int) -> _Rows:
        for part in (QUERY, KEY, VALUE):
            self._made(layer, part)
        return _Rows(self.caught[layer], self.found[layer], self.spec.heads, self.spec.name)


def look_inside(
    image: ImageLike,
    backbone: Backbone | str,
    *,
    layer: int | None = None,
    grid: int | tuple[int, int] = 32,
    every: bool = False,
    resize: str = "bilinear",
) -> Inside:
    """One forward pass that also keeps what a block's attention made: tokens, facets and rows from one pass.

    Args:
        image: one photograph.
        backbone: a ViT with standard attention, or its name.
        layer: 0-based block; None for the last.
        grid: patches on the short side, or the exact ``(h, w)``.
        every: listen to all blocks up to it, for rollouts.
        resize: as for `extract`.

    Raises:
        LayerError: no such layer.
        BackboneError: no attention whose layers are known, or none of this backbone's own (blurred, finer).
        ImageError: the photograph cannot be used.
        InputError: an impossible grid, or one whose attention does not fit into memory.
    """
    model = as_backbone(backbone)
    (last,) = check_layers(None if layer is None else (layer,), model.spec.depth, model.spec.name)
    blocks = attention_blocks(model)
    if model.spec.finer > 1:
        raise BackboneError(
            f"{model.spec.name} is {model.spec.finer**2} passes, each with an attention of its own: "
            "ask a plain grid"
        )
    if is_blurred(model):
        raise BackboneError(
            f"{model.spec.name}: its features alone are blurred; attention and keys inside are the plain "
            "model's, so ask that one"
        )
    wanted = range(last + 1) if every else (last,)
    found = {k: projections(blocks[k], model.spec.name) for k in wanted}
    photograph = load_photograph(image)
    check_work(
        attention_bytes(
            model.spec, Run(grid=grid).fit(photograph.size, model.spec.patch_size), len(found), rollout=every
        ),
        f"{'a rollout' if every else 'attention'} of {photograph.name} through {model.spec.name}",
        "Ask for a smaller grid.",
    )
    with catching(found) as caught:
        (features,) = extract(photograph, model, grid=grid, layer=last, resize=resize)
    return Inside(features, model.spec, last, found, caught)


def _check_head(spec: BackboneSpec, head: int | None, *, rollout: bool) -> None:
    if head is not None and not 0 <= head < spec.heads:
        raise InputError(f"no head {head}; {spec.name} has {spec.heads}, counted from 0")
    if head is not None and rollout:
        raise InputError("a rollout is over the mean of the heads: leave head out")


class _Rows:
    """Rows of one block's attention for one photograph, made when asked for."""

    def __init__(self, caught: Caught, there: Projections, heads: int, name: str) -> None:
        if caught.mixed is None:
            raise BackboneError(f"{name}: a block's attention went another way than through its layers")
        parts = {part: caught.made[part][0].float() for part in (QUERY, KEY, VALUE)}
        for part, norm in ((QUERY, "q_norm"), (KEY, "k_norm")):
            parts[part] = _normed(parts[part], heads, getattr(there.attention, norm, None))
        turned = {part: rotated(parts[part], heads, caught.rotary, there.attention) for part in (QUERY, KEY)}
        self._query, self._key = (turned[part].cpu().unflatten(-1, (heads, -1)) for part in (QUERY, KEY))
        width = self._query.shape[-1]
        stated: Any = getattr(there.attention, "scaling", getattr(there.attention, "scale", None))
        self._scale = float(stated) if isinstance(stated, (int, float)) else width**-0.5
        value = parts[VALUE].cpu().unflatten(-1, (heads, -1))
        self._check(value, check_tokens(caught.mixed, len(value), name)[0].float().cpu(), name)

    def of(self, queries: Tensor) -> Float[Tensor, "heads q t"]:
        """Attention of these tokens, each head's row summing to 1."""
        logits = torch.einsum("qhc,khc->hqk", self._query[queries], self._key)
        return (logits.double() * self._scale).softmax(dim=-1)

    def blocks(self, n: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Numbers of so many queries at a time, and their rows' mean over heads."""
        for start in range(0, len(self._query), n):
            queries = torch.arange(start, min(start + n, len(self._query)))
            yield queries, self.of(queries).mean(dim=0)

    def __len__(self) -> int:
        return len(self._query)

    def _check(self, value: Tensor, mixed: Tensor, name: str) -> None:
        some = torch.linspace(0, len(value) - 1, min(CHECKED_ROWS, len(value))).round().long()
        ours = torch.einsum("hqk,khc->qhc", self.of(some), value.double()).flatten(1)
        theirs = mixed[some].double()
        if ours.shape != theirs.shape or (ours - theirs).abs().max() > TOLERANCE * theirs.abs().max():
            raise BackboneError(f"{name}: its attention is not a softmax of scaled products that can be read")


def _normed(values: Float[Tensor, "t dim"], heads: int, norm: Any) -> Tensor:
    """With the norm that some families give each head's queries and keys."""
    if norm is None:
        return values
    with torch.no_grad():
        return torch.as_tensor(norm(values.unflatten(-1, (heads, -1)))).float().flatten(-2)


def _rolled(rows: dict[int, _Rows], query: int) -> Float[Tensor, " t"]:
    """The query's row of the product of all blocks' attentions, each mixed equally with the identity."""
    weights = torch.zeros(len(rows[max(rows)]), dtype=torch.float64)
    weights[query] = 1.0
    for layer in sorted(rows, reverse=True):
        passed = torch.zeros_like(weights)
        for queries, means in rows[layer].blocks(ROLLOUT_ROWS):
            passed += weights[queries] @ means
        weights = 0.5 * weights + 0.5 * passed
    return weights

"""ConvNeXt checkpoints in the authors' own layout, in timm's and in Hugging Face's.

Sources: facebookresearch/dinov3 dinov3/models/convnext.py@6876159; huggingface/pytorch-image-models
timm/models/convnext.py@aa4b585; huggingface/transformers 5.10 to 5.23, models/dinov3_convnext (names only).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.layouts import Row, count, linear, needed, norm
from dinoscope.errors import WeightsError


@dataclass(frozen=True, slots=True)
class ConvNextNames:
    """How a layout spells a ConvNeXt; ``S`` is the stage, ``B`` the block in it.

    Attributes:
        layout: whose names.
        stem, downsample: the two parts before the first stage, and before every other one, up to the
            number of the part.
        stages, block: the stages; a block of stage ``S``.
        depthwise, norm, first, second: inside a block.
        final: the last normalisation.
    """

    layout: Literal["official", "timm", "huggingface"]
    stem: str
    downsample: str
    stages: str
    block: str
    depthwise: str
    norm: str
    first: str
    second: str
    final: str


OFFICIAL = ConvNextNames(
    "official", "downsample_layers.0", "downsample_layers.S", "stages", "stages.S.B",
    "dwconv", "norm", "pwconv1", "pwconv2", "norm",
)  # fmt: skip
TIMM = ConvNextNames(
    "timm", "stem", "stages.S.downsample", "stages", "stages.S.blocks.B",
    "conv_dw", "norm", "mlp.fc1", "mlp.fc2", "head.norm",
)  # fmt: skip
HUB = ConvNextNames(
    "huggingface", "stages.0.downsample_layers", "stages.S.downsample_layers", "stages", "stages.S.layers.B",
    "depthwise_conv", "layer_norm", "pointwise_conv1", "pointwise_conv2", "layer_norm",
)  # fmt: skip
MODEL = replace(
    HUB,
    stem=f"model.{HUB.stem}",
    downsample=f"model.{HUB.downsample}",
    stages="model.stages",
    block=f"model.{HUB.block}",
)


def read_names(tensors: Mapping[str, Tensor]) -> ConvNextNames:
    """The spelling, from the keys alone."""
    for names in (OFFICIAL, TIMM, MODEL):
        if any(key.startswith(f"{names.stem}.") for key in tensors):
            return names
    return HUB


def read_architecture(tensors: Mapping[str, Tensor], names: ConvNextNames) -> Architecture:
    """The architecture, from names and shapes.

    Raises:
        WeightsError: a tensor it is read from is missing or has a shape that cannot be.
    """
    stages = count(tensors, names.stages.replace(".", r"\."))
    if stages != 4:
        raise WeightsError("checkpoint", f"a DINOv3 ConvNeXt has 4 stages, this one {stages}")
    depths, dims = [], []
    for stage in range(stages):
        block = names.block.replace("S", str(stage)).removesuffix(".B")
        depths.append(count(tensors, block.replace(".", r"\.")))
        dims.append(needed(tensors, f"{block}.0.{names.depthwise}.weight", 4)[0])
    return Architecture(
        family="dinov3-convnext",
        dim=dims[-1],
        depth=stages,
        heads=0,
        patch_size=4 * 2 ** (stages - 1),
        registers=0,
        stage_depths=tuple(depths),
        stage_dims=tuple(dims),
    )


def rows(
    architecture: Architecture, names: ConvNextNames, tensors: Mapping[str, Tensor] | None = None
) -> list[Row]:
    """Every tensor such a checkpoint has."""
    table = [*norm(names.final, "layer_norm", architecture.dim)]
    if tensors is not None and names is OFFICIAL:
        # The last stage's norm is the final norm under a second name.
        table += [row for row in norm("norms.3", "", architecture.dim) if row.source in tensors]
        table = [Row(row.source, row.shape, ()) if row.source.startswith("norms.") else row for row in table]
    before = 3
    for stage, (depth, dim) in enumerate(
        zip(architecture.stage_depths, architecture.stage_dims, strict=True)
    ):
        table += _downsample(names, stage, before, dim)
        for block in range(depth):
            table += _block(names, stage, block, dim)
        before = dim
    return table


def _downsample(names: ConvNextNames, stage: int, before: int, dim: int) -> Iterator[Row]:
    source = (names.downsample if stage else names.stem).replace("S", str(stage))
    target = f"model.stages.{stage}.downsample_layers"
    side, conv, normal = (2, 1, 0) if stage else (4, 0, 1)
    yield Row(f"{source}.{conv}.weight", (dim, before, side, side), (f"{target}.{conv}.weight",))
    yield Row(f"{source}.{conv}.bias", (dim,), (f"{target}.{conv}.bias",))
    yield from norm(f"{source}.{normal}", f"{target}.{normal}", before if stage else dim)


def _block(names: ConvNextNames, stage: int, block: int, dim: int) -> Iterator[Row]:
    source = names.block.replace("S", str(stage)).replace("B", str(block))
    target = f"model.stages.{stage}.layers.{block}"
    yield Row(f"{source}.gamma", (dim,), (f"{target}.gamma",))
    yield Row(f"{source}.{names.depthwise}.weight", (dim, 1, 7, 7), (f"{target}.depthwise_conv.weight",))
    yield Row(f"{source}.{names.depthwise}.bias", (dim,), (f"{target}.depthwise_conv.bias",))
    yield from norm(f"{source}.{names.norm}", f"{target}.layer_norm", dim)
    yield from linear(f"{source}.{names.first}", f"{target}.pointwise_conv1", 4 * dim, dim)
    yield from linear(f"{source}.{names.second}", f"{target}.pointwise_conv2", dim, 4 * dim)


def check_aliases(tensors: Mapping[str, Tensor]) -> None:
    """Raises unless the norm that the official layout stores twice is twice the same.

    Raises:
        WeightsError: two different norms.
    """
    for part in ("weight", "bias"):
        twin = tensors.get(f"norms.3.{part}")
        if twin is not None and not twin.equal(tensors[f"norm.{part}"]):
            raise WeightsError(
                "checkpoint", f"norms.3.{part} and norm.{part} must be the same numbers and differ"
            )

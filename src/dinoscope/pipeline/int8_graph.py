"""The blocks of a DINO ViT as an ONNX graph whose linear layers multiply in 8 bits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.networks import block_outputs, blocks
from dinoscope.backbones.traced import OPSET, open_network, write_traced
from dinoscope.errors import InputError
from dinoscope.extras import extra_package

_ATTENTION = "aten::scaled_dot_product_attention"


def output_name(layer: int) -> str:
    """The name of what a block gives before the final norm: ``b n dim``, with class token and registers."""
    return f"block{layer}"


def int8_graph(backbone: Backbone) -> bytes:
    """A graph from ``pixels`` (b 3 H W, normalised) to what each block gives, as a file holds it.

    Weights of linear layers are kept in 8 bits, with a scale for each channel; what is multiplied with them
    is brought to 8 bits at each product, with one scale for all its tokens. Attention is one operator of ONNX
    Runtime, in float32, whose memory does not grow with the square of the tokens.

    Source: ONNX Runtime, `onnxruntime.quantization.quantize_dynamic`.

    Raises:
        InputError: no ViT of the DINO families, more than 2 GB of weights, or no room for temporary files.
        MissingExtraError: without the extra.
    """
    network = open_network(backbone)
    onnx = extra_package("onnx", "computing in 8 bits", "onnx")
    quantisation = extra_package("onnxruntime.quantization", "computing in 8 bits", "onnx")
    try:
        with tempfile.TemporaryDirectory(prefix="dinoscope-") as folder:
            exact, ready, small = (Path(folder) / f"{name}.onnx" for name in ("exact", "ready", "small"))
            write_blocks(network, backbone.spec.heads, backbone.spec.patch_size, exact)
            # It is asked for, and makes the graph say that it was there.
            quantisation.quant_pre_process(exact, ready, skip_symbolic_shape=True, skip_optimization=True)
            quantisation.quantize_dynamic(
                ready,
                small,
                op_types_to_quantize=["MatMul"],
                per_channel=True,
                weight_type=quantisation.QuantType.QInt8,
                extra_options={
                    "DefaultTensorType": onnx.TensorProto.FLOAT
                },  # behind an operator it does not know
            )
            return small.read_bytes()
    except OSError as error:
        raise InputError(f"computing in 8 bits takes temporary files: {error.strerror or error}") from error


def write_blocks(network: nn.Module, heads: int, patch_size: int, path: Path) -> None:
    """Writes the graph of every block's output in float32, in order.

    Args:
        network: of `open_network`.
        heads: of its attention.
        patch_size: of the network.
        path: of the file.
    """
    axes = {output_name(layer): {0: "b", 1: "n"} for layer in range(len(blocks(network)))}
    torch.onnx.register_custom_op_symbolic(_ATTENTION, _attention(heads), OPSET)
    try:
        write_traced(network, _every_block, axes, patch_size, path)
    finally:
        torch.onnx.unregister_custom_op_symbolic(_ATTENTION, OPSET)


def _every_block(network: nn.Module, pixels: Tensor) -> tuple[Tensor, ...]:
    layers = range(len(blocks(network)))
    kept = block_outputs(network, pixels, layers)
    return tuple(kept[layer] for layer in layers)


def _attention(heads: int) -> Callable[..., Any]:
    """How attention is written: of all tokens to all, with the usual scale, as these models have it."""

    def written(graph: Any, query: Any, key: Any, value: Any, *settings: Any) -> Any:
        joined = graph.op("Constant", value_t=torch.tensor([0, 0, -1]))  # 0: as it is
        parted = graph.op("Constant", value_t=torch.tensor([0, 0, heads, -1]))
        rows = (graph.op("Transpose", each, perm_i=[0, 2, 1, 3]) for each in (query, key, value))
        inputs = [graph.op("Reshape", each, joined) for each in rows]
        found = graph.op("com.microsoft::MultiHeadAttention", *inputs, num_heads_i=heads)
        found.setType(query.type())
        return graph.op("Transpose", graph.op("Reshape", found, parted), perm_i=[0, 2, 1, 3])

    return written

"""What a GPU can do by arithmetic alone: shown while no figure of the page is from one.

Operations are counted as those of matrix products, an addition and a multiplication as two.
"""

from __future__ import annotations

from dataclasses import dataclass

PEAK_TFLOPS = 989.0
"""Of bfloat16 products without sparsity. Source: NVIDIA's data sheets of the H100 SXM and the H200."""

DECODE_MS = 1.2
"""One core, a JPEG of 500 x 375 pixels and 50 kB through Pillow, AMD EPYC."""

LEAST_SHARE = 0.45
"""Of the matrix rate, which is aimed at."""


@dataclass(frozen=True)
class Network:
    """A ViT with patches of 16 pixels and 5 tokens beside them.

    Attributes:
        depth: blocks.
        dim: channels.
    """

    name: str
    depth: int
    dim: int

    def tokens(self, side_px: int) -> int:
        """Of a square input."""
        return (side_px // 16) ** 2 + 5

    def linear_tflop(self, side_px: int) -> float:
        """Projections of queries, keys, values and the output, and an MLP of 4 times the channels."""
        return self.depth * 24 * self.tokens(side_px) * self.dim**2 / 1e12

    def attention_tflop(self, side_px: int) -> float:
        """Queries with keys, and weights with values."""
        return self.depth * 4 * self.tokens(side_px) ** 2 * self.dim / 1e12

    def tflop(self, side_px: int) -> float:
        """Of one photograph."""
        return self.linear_tflop(side_px) + self.attention_tflop(side_px)

    def block_gib(self, side_px: int) -> float:
        """What one block holds at its widest in bfloat16: the MLP's layer before and after its activation,
        and the residual stream beside it.
        """
        return self.tokens(side_px) * (2 * 4 + 2) * self.dim * 2 / 2**30


SMALL, LARGE = Network("ViT-S/16", 12, 384), Network("ViT-L/16", 24, 1024)


def gpu_section() -> str:
    """Markdown."""
    rows = [
        f"| {network.name} | {side:,} px | {network.tokens(side):,} | {network.tflop(side):,.2f} "
        f"| {network.attention_tflop(side) / network.tflop(side):.0%} | {network.block_gib(side):.2f} GiB |"
        for network, side in ((SMALL, 512), (LARGE, 512), (SMALL, 4096), (LARGE, 4096))
    ]
    rate = LEAST_SHARE * PEAK_TFLOPS / LARGE.tflop(512)
    decoded = 16 * 1000 / DECODE_MS
    back = LARGE.tokens(512) * LARGE.dim * 4 * rate / 1e9
    asked = SMALL.tflop(4096)
    return "\n".join(
        [
            "## On a GPU: not measured yet\n",
            "No figure of this page is from a GPU; the CUDA path has been neither run nor timed. "
            "`python -m benchmarks --device cuda --dtype bfloat16 --large --baseline` measures it and "
            "replaces this section. What arithmetic says meanwhile:\n",
            "| network | input | tokens | TFLOP | of it attention | widest block, bfloat16 |",
            "|---|--:|--:|--:|--:|--:|",
            *rows,
            "",
            "For n tokens, L blocks and d channels: L (24 n d² + 4 n² d) operations. An H100 or H200 makes "
            f"at most {PEAK_TFLOPS:,.0f} TFLOP/s in bfloat16 by its data sheet; at {LEAST_SHARE:.0%} of "
            f"that, {LARGE.name} at 512 px would pass {rate:,.0f} photographs a second. Beside it, 16 cores "
            f"decode about {decoded:,.0f} JPEG files of 500 x 375 a second ({DECODE_MS} ms each on one core "
            f"here), and {back:.1f} GB of float32 tokens a second go back to the host: neither is what "
            f"bounds it. At 4,096 px {SMALL.name} in one second asks for {asked:,.0f} TFLOP/s, "
            f"{asked / PEAK_TFLOPS:.0%} of the data sheet, nearly all in attention "
            "over heads of 64 channels.\n",
        ]
    )

"""What was run on a GPU, and what one can do by arithmetic alone while none was timed.

Operations are counted as those of matrix products, an addition and a multiplication as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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


def gpu_sections(found: Mapping[str, Any] | None, *, raced: bool) -> list[str]:
    """Markdown: what was run on a card, if anything was, and what arithmetic says of a pace not measured.

    Args:
        found: what `benchmarks.gpu` wrote, without its races.
        raced: whether any race was run on a card.
    """
    return [*([] if found is None else [_run_on_a_card(found)]), *([] if raced else [_by_arithmetic()])]


def _by_arithmetic() -> str:
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
            "## On a GPU: how fast is not measured yet\n",
            "No pace on this page is from a GPU. `python -m benchmarks.gpu` measures it in one command of at "
            "most 9 minutes, and replaces this section. What arithmetic says meanwhile:\n",
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


def _run_on_a_card(found: Mapping[str, Any]) -> str:
    rows = []
    for way, beside in (("float32", "float32 on its processor"), ("bfloat16", "float32 on the card")):
        if way in found.get("parity", {}):
            cosine = found["parity"][way]
            rows.append(
                f"- {way} on the card beside {beside}, patch by patch: mean cosine {cosine['mean']:.6f}, "
                f"lowest {cosine['worst']:.6f}."
            )
    if "halves" in found:
        halves = found["halves"]
        rows.append(
            f"- {halves['photographs']} photographs in one batch, too large for the memory allowed: all came "
            f"through in parts; largest difference from a photograph alone {halves['largest_difference']:g}."
        )
    if "large_input" in found:
        large = found["large_input"]
        rows.append(
            f"- One photograph of {large['patches']:,} patches in bfloat16: {large['s']:.2f} s, "
            f"{large['peak_device_gib']:.1f} GiB on the card."
        )
    if "laboratory" in found:
        rows.append(f"- A short laboratory run in bfloat16: {found['laboratory']['s']:.0f} s.")
    if "feeding" in found:
        rows.append(_feeding(found["feeding"]))
    machine = found["machine"]
    return "\n".join(
        [
            "## On a GPU: the same features\n",
            f"A ViT-S/16 with random weights on one {found['card']} (PyTorch {machine['torch']}):\n",
            *rows,
            f"\n`{machine['command']}`.\n",
        ]
    )


def _feeding(found: Mapping[str, Any]) -> str:
    rates = [f"{rate:,.0f} in {threads}" for threads, rate in found["per_s"].items()]
    side = found["photograph_px"]
    return (
        f"- Photographs a second that its processor reads, JPEG files of {side} x {side}, "
        f"{'with' if found['fast_decoder'] else 'without'} the extra `[fast]`, by threads: "
        f"{', '.join(rates)}. What more threads do not raise is bounded by the interpreter's lock; a network "
        "that passes more than that waits for photographs."
    )

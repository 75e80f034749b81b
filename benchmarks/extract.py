"""From JPEG files to patch features: the loop a newcomer writes, and ours.

    python -m benchmarks.extract

Both run the same ViT-S/16 weights (random: speed does not depend on them) on the same photographs on
a 32x32 grid (512 px), in float32, in alternation. About two minutes on 2 CPU cores. Expected: a ratio
(plain / ours) of at least 1; the shares of the machine's float32 matrix rate are printed beside.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

import dinoscope as ds
from benchmarks.machine import gemm_rate, seconds, write_result
from dinoscope.backbones.base import Backbone

SIDE = 512


def photographs(folder: Path, count: int, side_px: int = 1024) -> list[Path]:
    """Square JPEG files with photograph-like spectra."""
    paths = []
    for i in range(count):
        rng = np.random.default_rng(i)
        image = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
        image = image.resize((side_px, side_px), Image.Resampling.BICUBIC)
        paths.append(folder / f"{i}.jpg")
        image.save(paths[-1], quality=92)
    return paths


def plain_loop(paths: list[Path], model: torch.nn.Module, side_px: int = SIDE) -> list[np.ndarray]:
    """One photograph at a time in float32, as the documentation shows it."""
    device = next(model.parameters()).device
    mean = np.array([0.485, 0.456, 0.406], np.float32)
    std = np.array([0.229, 0.224, 0.225], np.float32)
    features = []
    for path in paths:
        image = Image.open(path).convert("RGB").resize((side_px, side_px), Image.Resampling.BILINEAR)
        array = (np.asarray(image, dtype=np.float32) / 255.0 - mean) / std
        pixels = torch.from_numpy(array.transpose(2, 0, 1).copy())[None]
        with torch.no_grad():
            tokens = model(pixel_values=pixels.to(device)).last_hidden_state
        features.append(tokens[0, 5:].reshape(side_px // 16, side_px // 16, -1).cpu().numpy())
    return features


def ours(paths: list[Path], backbone: Backbone) -> list[np.ndarray]:
    """The same through `extract`."""
    return [f.values for f in ds.extract(paths, backbone, grid=SIDE // 16)]


def same_weights(dim: int = 384, depth: int = 12, heads: int = 6) -> tuple[torch.nn.Module, Backbone]:
    """A DINOv3 ViT of patches of 16 pixels with random weights as a transformers model, and loaded by us."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        hidden_size=dim,
        intermediate_size=4 * dim,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        num_register_tokens=4,
    )
    model = DINOv3ViTModel(config).eval()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return model, ds.load_backbone(weights=folder)


def forward_flops(backbone: Backbone, side_px: int) -> int:
    """Operations of one square photograph's matrix products, attention included, on any device's kernel.

    Torch's counter knows the attention of CUDA devices, and not that of processors.
    """
    on_processors = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu

    def attention(q: Any, k: Any, v: Any, *rest: Any, **options: Any) -> int:
        return sdpa_flop_count(q, k, v)

    with FlopCounterMode(display=False, custom_mapping={on_processors: attention}) as counter:
        backbone.forward(torch.zeros(1, 3, side_px, side_px, device=backbone.device, dtype=backbone.dtype))
    return counter.get_total_flops()


def main() -> None:
    """Run both in alternation and print the ratio of medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    model, backbone = same_weights()
    flops = forward_flops(backbone, SIDE) * asked.photographs
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), asked.photographs)
        first, second = plain_loop(paths, model), ours(paths, backbone)
        agreement = float(
            np.mean(
                [
                    np.sum(a * b) / np.linalg.norm(a) / np.linalg.norm(b)
                    for a, b in zip(first, second, strict=True)
                ]
            )
        )
        times: dict[str, list[float]] = {"plain": [], "ours": []}
        rates = []
        for _ in range(asked.rounds):
            times["plain"].append(seconds(lambda: plain_loop(paths, model)))
            times["ours"].append(seconds(lambda: ours(paths, backbone)))
            rates.append(gemm_rate())
    gemm = statistics.median(rates)
    medians = {name: statistics.median(values) for name, values in times.items()}
    result: dict[str, object] = {
        "photographs": asked.photographs,
        "rounds": asked.rounds,
        "seconds": times,
        "ratio_plain_over_ours": medians["plain"] / medians["ours"],
        "ratio_per_round": [p / o for p, o in zip(times["plain"], times["ours"], strict=True)],
        "gemm_gflops": gemm / 1e9,
        "share_of_gemm": {name: flops / value / gemm for name, value in medians.items()},
        "mean_cosine_of_features": agreement,
    }
    for key, value in result.items():
        print(f"{key}: {value}")
    print(write_result("extract", result))


if __name__ == "__main__":
    main()

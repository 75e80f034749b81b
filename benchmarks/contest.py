"""The same photographs through the same weights, by several ways: ours and what others would write."""

from __future__ import annotations

import copy
import importlib.metadata
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

import dinoscope as ds
from benchmarks.extract import forward_flops, photographs, plain_loop, same_weights
from benchmarks.machine import copy_rate, gemm_rate, resident_bytes, seconds
from benchmarks.progress import Progress
from benchmarks.setting import Setting
from dinoscope.backbones.base import Backbone
from dinoscope.pipeline.profile import Profile, profile_text, profiled

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
FIRST = 5
"""Tokens before the patches: class and four registers."""

Way = Callable[[], object]


def contest_steps(setting: Setting) -> list[float]:
    """Weights of the steps of `contest`, for `Progress`."""
    return [1.0, *[1.0] * setting.rounds, setting.profiled / max(setting.count, 1) / 5]


def contest(device: torch.device, dtype: torch.dtype, setting: Setting, progress: Progress) -> dict[str, Any]:
    """All ways in alternation; times, ratios to ours, shares of the matrix rate, and where our time goes."""
    model, backbone = same_weights(setting.dim, setting.depth, setting.heads)
    side = setting.side_px
    flops = forward_flops(backbone, side)
    model, backbone = model.to(device), backbone.to(device).to(device, dtype)
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), setting.count, setting.photograph_px)
        every = ways(paths, model, backbone, setting)
        for way in every.values():
            way()
        progress.step("each way once, not timed")
        times: dict[str, list[float]] = {name: [] for name in every}
        gemms, copies = [], []
        for i in range(setting.rounds):
            for name, way in every.items():
                times[name].append(timed(way, device))
            gemms.append(gemm_rate(setting.gemm, 3, device=device, dtype=dtype))
            copies.append(copy_rate(setting.copy_bytes, 3, device=device))
            progress.step(f"round {i + 1} of {setting.rounds}: {times['ours'][-1]:.2f} s by ours")
        many = (paths * -(-setting.profiled // len(paths)))[: setting.profiled]
        with profiled() as watch:
            ours(many, backbone, setting)
        progress.step(f"{setting.profiled} photographs with a profile")
    gemm = statistics.median(gemms)
    rates = {name: setting.count / statistics.median(values) for name, values in times.items()}
    cuda = device.type == "cuda"
    return {
        "photographs": setting.count,
        "photograph_px": setting.photograph_px,
        "side_px": side,
        "network": {"dim": setting.dim, "depth": setting.depth, "heads": setting.heads},
        "rounds": setting.rounds,
        "batch": setting.batch,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "dtype": str(dtype).removeprefix("torch."),
        "seconds": times,
        "photographs_per_s": rates,
        "ratios": {
            f"{name} / ours": ratio(values, times["ours"]) for name, values in times.items() if name != "ours"
        },
        "gflop_per_photograph": flops / 1e9,
        "share_of_matrix_rate": {name: flops * rate / gemm for name, rate in rates.items()},
        "matrix_gflops": gemm / 1e9,
        "copy_gb_per_s": statistics.median(copies) / 1e9,
        "peak_resident_gib": resident_bytes("VmHWM") / 2**30,
        "peak_device_gib": torch.cuda.max_memory_allocated(device) / 2**30 if cuda else None,
        "profile": profile_figures(watch.profile(), setting.profiled),
        "versions": versions(),
    }


def contest_text(result: Mapping[str, Any]) -> str:
    """For people."""
    lines = [f"{'':24}{'a second':>10}{'of the matrix rate':>20}{'time / ours':>20}"]
    for name, rate in result["photographs_per_s"].items():
        found = result["ratios"].get(f"{name} / ours")
        beside = "" if found is None else f"{found['median']:.3f} ± {found['spread']:.3f}"
        lines.append(f"{name:24}{rate:>10.2f}{result['share_of_matrix_rate'][name]:>20.0%}{beside:>20}")
    return "\n".join([*lines, "", *result["profile"]["table"]])


def profile_figures(profile: Profile, count: int) -> dict[str, Any]:
    """A profile as numbers and as its table."""
    return {
        "photographs": count,
        "wall_s": profile.wall_s,
        "blocking_s": dict(profile.blocking_s),
        "overlapped_s": dict(profile.overlapped_s),
        "waiting_s": dict(profile.waiting_s),
        "hidden_share": profile.hidden_share,
        "table": profile_text(profile).splitlines(),
    }


def versions() -> dict[str, str]:
    """Of the peers that are there."""
    found = {}
    for package in ("transformers", "timm"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def timed(way: Way, device: torch.device) -> float:
    """Until the device is done."""

    def whole() -> None:
        way()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return seconds(whole)


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Of times in the same round: median, and half the distance between the quartiles."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    low, _, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": statistics.median(each), "spread": (high - low) / 2}


def ways(paths: list[Path], model: nn.Module, backbone: Backbone, setting: Setting) -> dict[str, Way]:
    """By name; ``forward only`` has its pixels ready, in batches as ours makes them: no way from files can be
    faster.

    Args:
        paths: of the photographs.
        model: the same weights in transformers, in float32; a copy in the backbone's dtype is made.
        backbone: ours.
        setting: of the run.
    """
    device, dtype, side = backbone.device, backbone.dtype, setting.side_px
    cast = model if dtype == torch.float32 else copy.deepcopy(model).to(dtype)
    together = setting.batch if device.type == "cuda" else 1
    ready = torch.randn(together, 3, side, side, device=device, dtype=dtype)
    found: dict[str, Way] = {
        "forward only": lambda: [backbone.forward(ready) for _ in range(-(-len(paths) // together))],
        "ours": lambda: ours(paths, backbone, setting),
        "plain loop": lambda: plain_loop(paths, model, side),
        "transformers batched": lambda: batched(paths, cast, setting),
        "official style": lambda: official_style(paths, cast, side),
    }
    network = timm_network(setting)
    if network is not None:
        other = network.to(device, dtype)
        found["timm batched"] = lambda: through_timm(paths, other, setting)
    return found


def ours(paths: list[Path], backbone: Backbone, setting: Setting) -> int:
    """Features one after the other, let go at once, as `measure` uses them."""
    return sum(f.grid.n for f in ds.extract(paths, backbone, grid=setting.side_px // 16))


def read(path: Path, side: int) -> torch.Tensor:
    """Decoded, resized and normalised by the most usual means."""
    image = Image.open(path).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255.0 - MEAN) / STD


def read_batches(paths: list[Path], network: nn.Module, setting: Setting) -> Iterator[torch.Tensor]:
    """A few photographs at a time, where the network is."""
    first = next(network.parameters())
    size = setting.batch
    for start in range(0, len(paths), size):
        pixels = torch.stack([read(path, setting.side_px) for path in paths[start : start + size]])
        yield pixels.to(first.device, first.dtype)


def batched(paths: list[Path], model: nn.Module, setting: Setting) -> list[np.ndarray]:
    """A few photographs in one pass."""
    features: list[np.ndarray] = []
    for pixels in read_batches(paths, model, setting):
        with torch.no_grad():
            tokens = model(pixel_values=pixels).last_hidden_state
        features += list(tokens[:, FIRST:].float().cpu().numpy())
    return features


def official_style(paths: list[Path], model: nn.Module, side: int) -> list[np.ndarray]:
    """One photograph at a time in inference mode, every layer kept, and the last one used: as the notebooks
    that come with the models do it.
    """
    first = next(model.parameters())
    features = []
    with torch.inference_mode():
        for path in paths:
            pixels = read(path, side)[None].to(first.device, first.dtype)
            outputs = model(pixel_values=pixels, output_hidden_states=True)
            features.append(outputs.last_hidden_state[0, FIRST:].float().cpu().numpy())
    return features


def timm_network(setting: Setting) -> nn.Module | None:
    """A network of the same size of timm's own, with random weights; None without timm."""
    try:
        import timm
    except ImportError:
        return None
    network: nn.Module = timm.create_model(
        "vit_small_patch16_dinov3",
        pretrained=False,
        img_size=setting.side_px,
        embed_dim=setting.dim,
        depth=setting.depth,
        num_heads=setting.heads,
    ).eval()
    return network


def through_timm(paths: list[Path], network: nn.Module, setting: Setting) -> list[np.ndarray]:
    """Features by timm itself, in batches."""
    features: list[np.ndarray] = []
    for pixels in read_batches(paths, network, setting):
        with torch.inference_mode():
            tokens = network.forward_features(pixels)  # type: ignore[operator]
        features += list(tokens[:, FIRST:].float().cpu().numpy())
    return features

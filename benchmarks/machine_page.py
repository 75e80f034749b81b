"""The part of the page that one machine's folder of results makes: contests, profile, curves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.curves import power
from benchmarks.plots import contest_figure, curves_figure, svg_bytes

DESCRIBED = {
    "forward only": "the model alone, pixels ready: no way from files can be faster",
    "ours": "`dinoscope.extract`",
    "plain loop": "one photograph at a time in float32, as documentation shows it",
    "transformers batched": "transformers, {batch} photographs in a pass",
    "official style": "one at a time in inference mode, every layer kept",
    "timm batched": "timm {timm}, its own network of the same size, {batch} in a pass",
}


def results_of(folder: Path) -> dict[str, dict[str, Any]]:
    """A machine's results by name, contests first."""
    paths = sorted(folder.glob("*.json"), key=lambda path: (path.stem == "curves", path.stem))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def on_gpu(folder: Path) -> bool:
    """Whether any of a machine's results is from a GPU."""
    return any(result.get("device", "cpu") != "cpu" for result in results_of(folder).values())


def pictures(folder: Path) -> Iterator[tuple[str, bytes]]:
    """File name and content of each picture of a machine."""
    for name, result in results_of(folder).items():
        figure = curves_figure(result) if name == "curves" else contest_figure(result)
        yield picture_name(folder, name), svg_bytes(figure, result)


def picture_name(folder: Path, name: str) -> str:
    """Beside the page."""
    return f"{folder.name}-{name}.svg"


def machine_sections(folder: Path) -> list[str]:
    """Markdown of each result."""
    return [
        _curves(folder, result) if name == "curves" else _contest(folder, name, result)
        for name, result in results_of(folder).items()
    ]


def _contest(folder: Path, name: str, result: Mapping[str, Any]) -> str:
    network = result["network"]
    model = f"ViT of {network['depth']} blocks, {network['dim']} channels, patches of 16 px"
    rows = []
    for way, rate in result["photographs_per_s"].items():
        found = result["ratios"].get(f"{way} / ours")
        beside = "1" if found is None else f"{found['median']:.3f} ± {found['spread']:.3f}"
        share = result["share_of_matrix_rate"][way]
        rows.append(f"| {way} | {_rate(rate)} | {beside} | {share:.0%} |")
    words = {"batch": result["batch"], **result["versions"]}
    legend = "\n".join(f"- {way}: {DESCRIBED[way].format(**words)}" for way in result["photographs_per_s"])
    forward = result["ratios"]["forward only / ours"]["median"]
    peers = [way for way in result["photographs_per_s"] if way not in ("ours", "forward only")]
    best = min(peers, key=lambda way: result["ratios"][f"{way} / ours"]["median"])
    nearest = result["ratios"][f"{best} / ours"]
    profile = result["profile"]
    hidden = profile["hidden_share"]
    memory = f"{result['peak_resident_gib']:.2f} GiB resident, peers and weights included"
    if result["peak_device_gib"] is not None:
        memory += f"; {result['peak_device_gib']:.2f} GiB on the device"
    return "\n".join(
        [
            f"## From photographs to features: {_named(result)}, {result['dtype']}, "
            f"{network['depth']} blocks\n",
            f"{result['photographs']} JPEG files of {result['photograph_px']:,} x "
            f"{result['photograph_px']:,}, {model}, random weights, {result['side_px']} px, "
            f"{result['dtype']}, {result['rounds']} rounds in alternation.\n",
            f"![Time of each way in units of ours, and its share of the matrix rate]"
            f"({picture_name(folder, name)})\n",
            "| | photographs a second | time / ours | of the matrix rate |",
            "|---|--:|--:|--:|",
            *rows,
            f"\n{legend}\n",
            f"Ours runs at {forward:.3f} of forward only's rate; {_against(best, nearest)}. The machine, "
            f"measured in the same run: {result['matrix_gflops']:,.0f} GFLOP/s in {result['dtype']} matrix "
            f"products, {result['copy_gb_per_s']:.1f} GB/s in copies. Peak: {memory}.\n",
            f"Where the time of {profile['photographs']} photographs went"
            + ("" if hidden is None else f" ({hidden:.0%} of decoding and resizing hidden)")
            + ":\n",
            "```none",
            *profile["table"],
            "```\n",
            _footer(result),
        ]
    )


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _against(peer: str, ratio: Mapping[str, float]) -> str:
    said = f"the nearest peer, {peer}, takes {ratio['median']:.3f} ± {ratio['spread']:.3f} of ours' time"
    if ratio["median"] + ratio["spread"] < 1:
        return f"{said}: it is faster"
    return (
        f"{said}: {'slower' if ratio['median'] - ratio['spread'] > 1 else 'no difference that can be told'}"
    )


def _curves(folder: Path, result: Mapping[str, Any]) -> str:
    kinds = [kind for kind in result if kind != "machine"]
    rows = []
    for kind in kinds:
        points = result[kind]["points"]
        first, last = points[0], points[-1]
        rows.append(
            f"| {kind} | {first['n']:,.0f} to {last['n']:,.0f} | {first['s']:.3g} to {last['s']:.3g} s "
            f"| {power(result[kind]['time_exponent'])} | {first['peak_bytes'] / 2**20:,.0f} to "
            f"{last['peak_bytes'] / 2**20:,.0f} MiB | {power(result[kind]['memory_exponent'])} |"
        )
    return "\n".join(
        [
            f"## How it scales: {_named(result)}\n",
            "Two photographs through one model of two blocks and 192 channels on a 32x32 grid (many "
            "photographs: 8x8), but for what grows; each point in a process of its own, memory beyond what "
            "that held before. Exponents are fitted by least squares on logarithms: 1 is linear, 0 flat.\n",
            f"![Time and memory over photographs, patches, channels and models]"
            f"({picture_name(folder, 'curves')})\n",
            "| grows | from, to | time | | memory | |",
            "|---|---|---|--:|---|--:|",
            *rows,
            "",
            _footer(result),
        ]
    )


def _named(result: Mapping[str, Any]) -> str:
    machine, device = result["machine"], result.get("device", "cpu")
    on = machine["processor"] if device == "cpu" else device
    return f"{on}, {machine['threads']} threads"


def _footer(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    return (
        f"`{machine['command']}`, {machine['processor']}, {machine['threads']} threads, {machine['system']}, "
        f"Python {machine['python']}, torch {machine['torch']}.\n"
    )

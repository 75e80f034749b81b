"""The pictures of the page: who is how fast, what share of the machine that is, and how it scales."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, LogLocator, NullLocator

from benchmarks.curves import LEAST_BYTES
from benchmarks.curves import power as words

OURS, OTHERS, BOUND = "#1b6ca8", "#8a8f98", "#c2571a"
KINDS = ("photographs", "patches", "channels", "models")


def svg_bytes(figure: Figure, result: Mapping[str, Any]) -> bytes:
    """Outlines instead of text; the same every time; the result's digest inside, as its description."""
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "dinoscope"}):
        figure.savefig(out, format="svg", metadata={"Date": None, "Description": digest(result)})
    return out.getvalue()


def digest(result: Mapping[str, Any]) -> str:
    """Of the figures that a picture was drawn from."""
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def contest_figure(result: Mapping[str, Any]) -> Figure:
    """Time of each way in units of ours, with its spread; and each way's share of the matrix rate."""
    names = [name for name in result["seconds"] if name != "ours"]
    names = ["ours", *sorted(names, key=lambda name: result["ratios"][f"{name} / ours"]["median"])]
    rows = np.arange(len(names))[::-1]
    figure = Figure(figsize=(9, 0.45 * len(names) + 1.3), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for row, name in zip(rows, names, strict=True):
        found = result["ratios"].get(f"{name} / ours", {"median": 1.0, "spread": 0.0})
        left.errorbar(
            found["median"], row, xerr=found["spread"] or None, fmt="o", color=_colour(name), capsize=3
        )
        share = 100 * result["share_of_matrix_rate"][name]
        right.barh(row, share, height=0.55, color=_colour(name))
        right.annotate(
            f"{share:.0f}%", (share, row), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
        )
    left.axvline(1.0, color=OURS, linewidth=0.8)
    left.set_xlabel("time / ours, and its spread")
    left.set_yticks(rows, names)
    left.set_ylim(-0.6, len(names) - 0.4)
    right.set_xlim(0, max(100.0, 115 * max(result["share_of_matrix_rate"].values())))
    right.axvline(100, color="#444444", linewidth=0.8, linestyle=":")
    rate = f"{result['matrix_gflops']:,.0f} GFLOP/s"
    right.set_xlabel(f"share of the {result['dtype']} matrix rate ({rate}), %")
    for axes in (left, right):
        _plain(axes)
    return figure


def curves_figure(result: Mapping[str, Any]) -> Figure:
    """Time above, memory below, over what grows, on logarithmic axes with the fitted exponent."""
    kinds = [kind for kind in KINDS if kind in result]
    figure = Figure(figsize=(2.5 * len(kinds), 4.4), layout="constrained")
    grid = figure.subplots(2, len(kinds), squeeze=False, sharex="col")
    rows = (
        ("s", "time_exponent", "time, s", 1.0, 1e-3),
        ("peak_bytes", "memory_exponent", "memory, MiB", 2**-20, LEAST_BYTES * 2**-20),
    )
    for column, kind in enumerate(kinds):
        points = result[kind]["points"]
        ns = np.array([point["n"] for point in points], float)
        for row, (key, fitted, title, scale, least) in enumerate(rows):
            axes = grid[row, column]
            values = np.maximum(np.array([point[key] for point in points], float) * scale, least)
            slope = result[kind][fitted]
            middle = np.exp(np.log(values).mean() + slope * (np.log(ns) - np.log(ns).mean()))
            axes.plot(ns, middle, color=OTHERS, linewidth=1)
            axes.plot(ns, values, "o", color=OURS)
            axes.set_xscale("log")
            axes.set_yscale("log")
            low, high = values.min(), values.max()
            centre, reach = np.sqrt(low * high), max(np.sqrt(high / low) * 1.4, 3.0)
            axes.set_ylim(centre / reach, centre * reach)
            axes.xaxis.set_major_locator(FixedLocator(list(ns)))
            axes.xaxis.set_major_formatter(FixedFormatter([f"{n:,.0f}" for n in ns]))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.set_title(f"${words(slope).replace('^', '^{')}}}$", fontsize=11)
            if row == 1:
                axes.set_xlabel(kind)
            if column == 0:
                axes.set_ylabel(title)
            _plain(axes)
    return figure


def _colour(name: str) -> str:
    return OURS if name == "ours" else BOUND if name == "forward only" else OTHERS


def _plain(axes: Axes) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(axis="x" if axes.get_xscale() == "linear" else "both", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9)

"""How fast the live page answers: matches, masks and attention through its server, and hover in every mode.

Run: ``python -m benchmarks.live`` (about 2 minutes on two cores). Needs Chromium. ``dinoscope view`` serves
six photographs on 32x32 with the bundled pair of networks; questions are sent as the page sends them. A match
and a mask of maps with 768 channels are timed alone, by this thread's processor time (set OMP_NUM_THREADS=1),
the match beside the one matrix product that it needs, in alternation.
Hover: from the dispatch of a pointer event to the last map's pixels read back. Expected: a match of two maps
within 50 ms where nothing else runs, a click's mask within 100 ms, hover within 16 ms.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.view import HOVER, ROOT
from dinoscope.data.features import PatchFeatures
from dinoscope.matching.match import match
from dinoscope.maths.clicks import segment
from tests.chromium import FLAGS, NOT_FOUND, browser_path
from tests.view.view_samples import photographs

MODELS = "mini,mini-gram"
ROUNDS = 30
ASK = """async (question) => {
  const { session } = document.querySelector("dinoscope-view");
  const start = performance.now();
  await session.asking.ask(question);
  return performance.now() - start;
}"""
CLICKS = [(0.1 * k, 0.9 - 0.1 * k, k % 2 == 0) for k in range(8)]
QUESTIONS: dict[str, Callable[[int], dict[str, object]]] = {
    "match": lambda k: {"way": "match", "image": k % 3, "other": 3 + k % 3},
    "segment_nearest": lambda k: {"way": "segment", "image": k % 6, "clicks": CLICKS, "how": "nearest"},
    "segment_linear": lambda k: {"way": "segment", "image": k % 6, "clicks": CLICKS, "how": "linear"},
    "attention": lambda k: {"way": "attention", "image": k % 6, "at": [0.5, k / ROUNDS]},
}
MODES = """() => [
    ...document.querySelector("dinoscope-view").shadowRoot.querySelectorAll(".modes input"),
].map((i) => i.value)"""
OPTIONS = {"facet": {"facet": "key"}, "words": {"words": "cat, grass"}}
"""What is set in a mode, so that it has to ask."""

READY = """() => document.querySelector("dinoscope-view")?.session &&
  document.getElementById("progress").hidden"""
SETTLED = "() => !document.querySelector('dinoscope-view').session.asking.running"


def main() -> None:
    """Measure and write down."""
    parser = argparse.ArgumentParser(description="Time the live page in a headless browser.")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "live.json")
    args = parser.parse_args()
    path = browser_path()
    if path is None:
        sys.exit(NOT_FOUND)
    results: dict[str, Any] = {"match_maps": match_maps(), "load": round(os.getloadavg()[0], 1)}
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in photographs(6):
            Image.fromarray(pixels).save(Path(folder) / f"{Path(name).stem}.png")
        words = ["view", folder, "--models", MODELS, "--port", "0"]
        server = subprocess.Popen(
            [sys.executable, "-m", "dinoscope", *words], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[1]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.set_default_timeout(600_000)
                page.goto(address)
                page.wait_for_function(READY)
                results["browser"] = f"Chromium {browser.version}"
                results["answer_ms"] = {name: answered(page, make) for name, make in QUESTIONS.items()}
                results["hover_ms"] = {mode: hovered(page, mode) for mode in page.evaluate(MODES)}
                browser.close()
        finally:
            server.terminate()
            server.wait()
    results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    args.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=2))


def match_maps() -> dict[str, float]:
    """Two maps of 32x32x768, the product of their patches, and a mask from clicks, in turn: processor ms."""
    rng = np.random.default_rng(0)
    maps = [rng.standard_normal((32, 32, 768)).astype(np.float32) for _ in range(2)]
    f, g = (PatchFeatures.from_array(values, image_size=(512, 512), name="noise") for values in maps)
    x, z = (values.reshape(-1, 768).astype(np.float64) for values in maps)
    works: dict[str, Callable[[], object]] = {
        "match": lambda: match(f, g, mutual=False),
        "product": lambda: x @ z.T,
        "mask": lambda: segment(f, [(a, b, belongs) for a, b, belongs in CLICKS]),
    }
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            start = time.thread_time()
            work()
            taken[name].append(1000 * (time.thread_time() - start))
    ratio = statistics.median(a / b for a, b in zip(taken["match"], taken["product"], strict=True))
    return {
        "median_ms": round(statistics.median(taken["match"]), 1),
        "least_ms": round(min(taken["match"]), 1),
        "over_one_product": round(ratio, 2),
        "mask_median_ms": round(statistics.median(taken["mask"]), 1),
    }


def answered(page: Page, question: Callable[[int], dict[str, object]]) -> dict[str, float]:
    """A question and its answer, by both models together; the first of each kind is not counted."""
    for k in range(6):
        page.evaluate(ASK, question(k))
    times = sorted(page.evaluate(ASK, question(k)) for k in range(ROUNDS))
    return {"median": round(times[ROUNDS // 2], 1), "p90": round(times[int(0.9 * ROUNDS)], 1)}


def hovered(page: Page, mode: str) -> dict[str, float]:
    """Moving the pointer in a mode whose maps are all there."""
    clicks = ";".join(f"{image},{x},{y},{int(b)}" for image in range(6) for x, y, b in CLICKS)
    page.evaluate(
        "([mode, options]) => { const { session } = document.querySelector('dinoscope-view');"
        " session.set({ mode, options: { ...session.state.options, ...options } }); }",
        [mode, {"clicks": clicks, **OPTIONS.get(mode, {})}],
    )
    page.wait_for_function(SETTLED)
    found = page.evaluate(HOVER.replace("sum > 0", "sum >= 0"), 40)
    return {"median": round(found["median"], 1), "p90": round(found["p90"], 1)}


if __name__ == "__main__":
    main()

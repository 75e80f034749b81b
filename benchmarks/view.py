"""How fast the interactive view answers, how fast it opens, and how large its file is.

Run: ``python -m benchmarks.view`` (about 8 minutes on two cores; ``--only six`` about 1 minute).
Needs Chromium. Features are seeded noise, 768 channels whose covariance has the eigenvalues 1/k: no
two patches alike, so nothing is saved by repetition; those of ``many`` are the bundled networks', 128
channels of their last and their third layer, on quarters of six photographs. Measured in the page:
opening, from the start of the navigation to the first painted colours; the first cosines, from the choice of
that mode to their maps, with what has to be unpacked for them; hovering there, from the dispatch of a pointer
event to the last map's pixels read back, median over 40 places. Expected: six photographs on 32x32 at most
16 ms and 8 MB, opened within 1 s; one photograph on 256x256 at most 50 ms, opened within 2 s; 24
photographs by four models on 64x64 at most 60 MB, opened within 2.5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

import dinoscope as ds  # noqa: E402
from dinoscope.backbones.bundled import PAIR  # noqa: E402
from dinoscope.data.results import Comparison  # noqa: E402
from dinoscope.drawing.view.payload import comparison_payload  # noqa: E402
from dinoscope.drawing.view.standalone import payload_fragment  # noqa: E402
from dinoscope.pipeline.extract import extract_layers  # noqa: E402
from dinoscope.pipeline.run import Run  # noqa: E402
from tests.chromium import FLAGS, NOT_FOUND, browser_path  # noqa: E402
from tests.view.view_samples import comparison, noise_features, photographs  # noqa: E402

CASES = {"six": lambda: noise(6, (32, 32)), "large": lambda: noise(1, (256, 256)), "many": lambda: quarters()}
LAYERS = (5, 2)

READY = """addEventListener('DOMContentLoaded', () => customElements.whenDefined('dinoscope-view')
  .then(() => document.querySelector('dinoscope-view').ready)
  .then(() => { window.opened = performance.now(); }))"""

COSINES = """async () => {
  const { session } = document.querySelector('dinoscope-view');
  const start = performance.now();
  session.set({ mode: 'cosine' });
  await session.engines.settled;
  return performance.now() - start;
}"""

HOVER = """async (n) => {
  const view = document.querySelector('dinoscope-view');
  await view.ready;
  const stages = [...view.shadowRoot.querySelectorAll('.stage.photo')];
  const canvases = [...view.shadowRoot.querySelectorAll('.stage.map canvas')];
  const times = [];
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let i = 0; i < n + 5; i++) {
    await new Promise(requestAnimationFrame);
    const stage = stages[Math.floor(random() * stages.length)];
    const box = stage.getBoundingClientRect();
    const place = { clientX: box.left + random() * box.width, clientY: box.top + random() * box.height };
    const start = performance.now();
    const painted = new Promise((resolve) => {
      view.addEventListener('dinoscope-painted', resolve, { once: true });
    });
    stage.dispatchEvent(new PointerEvent('pointermove', { ...place, bubbles: true, composed: true }));
    await painted;
    let sum = 0;
    for (const canvas of canvases) {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      sum += data[0] + data[data.length - 2];
    }
    if (i >= 5 && sum > 0) times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const at = (share) => times[Math.floor(times.length * share)];
  return { median: at(0.5), p90: at(0.9), n: times.length };
}"""

DRIVER = """() => {
  const gl = document.createElement('canvas').getContext('webgl2');
  const info = gl && gl.getExtension('WEBGL_debug_renderer_info');
  return gl ? gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER) : 'no WebGL2';
}"""


def main() -> None:
    """Measure the cases asked for and write them down."""
    parser = argparse.ArgumentParser(description="Time the interactive view in a headless browser.")
    parser.add_argument("--only", choices=sorted(CASES))
    parser.add_argument("--renderer", choices=["2d", "webgl2"], help="force one; else as a reader gets it")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "view.json")
    args = parser.parse_args()
    path = browser_path()
    if path is None:
        sys.exit(NOT_FOUND)
    known = args.only and args.out.exists()
    results: dict[str, object] = json.loads(args.out.read_text(encoding="utf-8")) if known else {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        results["browser"] = f"Chromium {browser.version}"
        for name in [args.only] if args.only else list(CASES):
            results[name] = measured(browser, name, args.renderer)
            print(name, json.dumps(results[name], indent=2))
        browser.close()
    results["machine"] = f"{platform.machine()}, {os.cpu_count()} cores"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def noise(n_photos: int, grid: tuple[int, int]) -> Comparison:
    """Photographs with features that nothing can be saved of."""
    features = [noise_features(n_photos, grid, 768, seed=seed) for seed in (0, 1)]
    return comparison(photographs(n_photos), features, ["first", "second"])


def quarters(side: int = 64) -> Comparison:
    """24 photographs, the quarters of six, by two layers of each bundled network."""
    photos = []
    for name, image in photographs(6):
        h, w = image.shape[0] // 2, image.shape[1] // 2
        corners = [(y, x) for y in (0, h) for x in (0, w)]
        photos += [(f"{k}-{name}", image[y : y + h, x : x + w]) for k, (y, x) in enumerate(corners)]
    images = [np.ascontiguousarray(image) for _, image in photos]
    labels = [f"{name}, layer {layer}" for name in PAIR for layer in LAYERS]
    features = []
    for name in PAIR:
        run = Run(grid=(side, side), layers=LAYERS)
        found = list(extract_layers(images, ds.load_backbone(name), run))
        features += [[by_layer[layer].values for by_layer in found] for layer in LAYERS]
    return comparison(photos, features, labels)


def measured(browser: Browser, name: str, renderer: str | None) -> dict[str, object]:
    """One case, from features to times."""
    shown = CASES[name]()
    start = time.perf_counter()
    payload = comparison_payload(shown)
    coded_s = time.perf_counter() - start
    fragment = payload_fragment(payload)
    if renderer:
        fragment = fragment.replace("<dinoscope-view>", f'<dinoscope-view renderer="{renderer}">', 1)
    tokens = [model["tokens"] for model in json.loads(payload.header)["models"]]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "view.html"
        file.write_text(f"<!doctype html><meta charset=utf-8><body>{fragment}", encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(READY)
        opened = []
        for _ in range(3):
            page.goto(file.as_uri())
            page.wait_for_function("() => window.opened")
            opened.append(page.evaluate("window.opened"))
        cosines_ms = page.evaluate(COSINES)
        hover = page.evaluate(HOVER, 40)
        used = page.evaluate("document.querySelector('dinoscope-view').engine")
        driver = page.evaluate(DRIVER)
        page.close()
    return {
        "photographs": len(shown.photographs),
        "models": len(shown.models),
        "grid": list(shown.features[0][0].grid.shape),
        "engine": used,
        "webgl_renderer": driver,
        "token_rank": [len(set(coded["axis"])) for coded in tokens],
        "token_planes": [coded["n_planes"] for coded in tokens],
        "largest_cosine_error": [coded["largest_error"] for coded in tokens],
        "all_pairs": [coded["all_pairs"] for coded in tokens],
        "coding_s": round(coded_s, 1),
        "file_bytes": len(fragment.encode()),
        "open_ms": [round(ms) for ms in opened],
        "first_cosines_ms": round(cosines_ms),
        "hover_median_ms": round(hover["median"], 1),
        "hover_p90_ms": round(hover["p90"], 1),
    }


if __name__ == "__main__":
    main()

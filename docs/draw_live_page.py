"""Take the pictures of the live page that the how-to pages show.

    OMP_NUM_THREADS=1 python docs/draw_live_page.py

A minute; needs Chromium. Writes docs/pictures/live-*.webp.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import skimage.data
from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.chromium import FLAGS, browser_path  # noqa: E402

CLICKS = "0,0.3,0.7,1;0,0.6,0.62,1;0,0.2,0.87,1;0,0.5,0.2,0;0,0.35,0.1,0;0,0.85,0.8,0;0,0.1,0.25,0"
SHOWN = {
    "attention": "mode=attention&asked=0,0.45,0.25",
    "segment": f"mode=segment&clicks={CLICKS}",
    "matches": "mode=match&pair=1,2",
}
READY = """() => document.querySelector("dinoscope-view")?.session &&
  document.getElementById("progress").hidden"""
SETTLED = "() => !document.querySelector('dinoscope-view').session.asking.running"


def main() -> None:
    """Serve three photographs with the bundled pair, and look."""
    left, right, _ = skimage.data.stereo_motorcycle()
    photographs = {"astronaut": skimage.data.astronaut(), "motorcycle-left": left, "motorcycle-right": right}
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in photographs.items():
            Image.fromarray(pixels).save(Path(folder) / f"{name}.png")
        words = ["view", folder, "--models", "mini,mini-gram", "--port", "0"]
        server = subprocess.Popen(
            [sys.executable, "-m", "dinoscope", *words], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        try:
            address = server.stdout.readline().split()[1]
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=browser_path(), args=FLAGS)
                page = browser.new_page(viewport={"width": 1150, "height": 800})
                page.set_default_timeout(300_000)
                for name, state in SHOWN.items():
                    page.goto("about:blank")
                    page.goto(f"{address}#view?sort=given&{state}")
                    page.wait_for_function(READY)
                    page.wait_for_function(SETTLED)
                    page.wait_for_timeout(500)
                    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
                    target = ROOT / "docs" / "pictures" / f"live-{name}.webp"
                    picture.save(target, quality=86, method=6)
                    print(target)
                browser.close()
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()

"""Draw the gallery's figures with the page's own code.

    OMP_NUM_THREADS=1 MPLBACKEND=Agg python docs/draw_gallery.py

A minute. Writes docs/pictures/gallery, at most `WIDEST` pixels wide; scenes and the store go to a temporary
folder.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"\(pictures/gallery/(\w+)\.webp\)")
WIDEST = 1600


def main() -> None:
    """Run the page, and keep the figures it shows."""
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    target = DOCS / "pictures" / "gallery"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(compile("\n".join(BLOCK.findall(page)), "gallery.md", "exec"), {"__name__": "__main__"})
        for name in PICTURE.findall(page):
            picture = Image.open(f"{name}.png").convert("RGB")
            picture.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
            picture.save(target / f"{name}.webp", quality=86, method=6)
            print(target / f"{name}.webp")


if __name__ == "__main__":
    main()

"""A contact sheet of procedural photographs: ``python examples/scene_sheet.py [FILE]``."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from dinoscope.scenes.generate import scenes

COLUMNS, ROWS, SIDE_PX, GAP_PX = 8, 3, 160, 2
OUT = Path(__file__).resolve().parents[1] / "docs" / "pictures" / "scenes.jpg"


def contact_sheet(seed: int = 0) -> Image.Image:
    """The first scenes of a seed, drawn at 256 pixels and shown at 160."""
    pitch = SIDE_PX + GAP_PX
    sheet = Image.new("RGB", (COLUMNS * pitch - GAP_PX, ROWS * pitch - GAP_PX), "white")
    for made in scenes(COLUMNS * ROWS, seed):
        row, column = divmod(made.index, COLUMNS)
        shown = Image.fromarray(made.first.image).resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
        sheet.paste(shown, (column * pitch, row * pitch))
    return sheet


def main() -> None:
    """Write the sheet, by default where the documentation shows it."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else OUT
    contact_sheet().save(out, quality=88, optimize=True)
    print(out)


if __name__ == "__main__":
    main()

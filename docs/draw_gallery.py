"""Draw the gallery's figures with the page's own code: a part of ``python docs/draw_pictures.py``.

    OMP_NUM_THREADS=1 MPLBACKEND=Agg python docs/draw_gallery.py [normal gram ...]

All, or those that are named: then only the blocks run that theirs need. Writes docs/pictures/gallery, at most
`WIDEST` pixels wide; scenes and the store go to a temporary folder.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"savefig\(\"(\w+)\.png\"\)")
WIDEST = 1600


def blocks_for(blocks: Sequence[str], pictures: Iterable[str]) -> list[str]:
    """The blocks that draw these pictures, after those whose names, or files, they need."""
    wanted = set(pictures)
    needed = {k for k, block in enumerate(blocks) if wanted & set(PICTURE.findall(block))}
    for k in range(len(blocks) - 1, -1, -1):
        if k in needed:
            needed |= {j for j in range(k) if _made(blocks[j]) & _used(blocks[k])}
    return [blocks[k] for k in sorted(needed)]


def _made(block: str) -> set[str]:
    """Names that a block gives, and folders that it may write."""
    nodes = list(ast.walk(ast.parse(block)))
    names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    names |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    names |= {part.asname or part.name for node in imports for part in node.names}
    return names | {f"{text}/" for text in _texts(nodes)}


def _used(block: str) -> set[str]:
    """Names that it asks for, and the first folders of paths, as ``scenes/`` of ``scenes/images``."""
    nodes = list(ast.walk(ast.parse(block)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {f"{text.split('/')[0]}/" for text in _texts(nodes) if "/" in text}


def _texts(nodes: Iterable[ast.AST]) -> list[str]:
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def main(names: Sequence[str] = ()) -> None:
    """Run the page, and keep the figures it shows."""
    blocks = BLOCK.findall((DOCS / "gallery.md").read_text(encoding="utf-8"))
    there = [name for block in blocks for name in PICTURE.findall(block)]
    if unknown := sorted(set(names) - set(there)):
        sys.exit(f"no pictures {', '.join(unknown)}; there are {', '.join(there)}")
    chosen = names or there
    target = DOCS / "pictures" / "gallery"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        script = "\n".join(blocks_for(blocks, chosen))
        exec(compile(script, "gallery.md", "exec"), {"__name__": "__main__"})
        for name in chosen:
            picture = Image.open(f"{name}.png").convert("RGB")
            picture.thumbnail((WIDEST, 10 * WIDEST), Image.Resampling.LANCZOS)
            picture.save(target / f"{name}.webp", quality=86, method=6)
            print(target / f"{name}.webp", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

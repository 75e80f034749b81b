"""Single pictures of the gallery are drawn by the blocks that they need, and by no others."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def gallery() -> ModuleType:
    spec = spec_from_file_location("draw_gallery", DOCS / "draw_gallery.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_picture_needs_the_blocks_that_give_its_names_and_its_folders(gallery: ModuleType) -> None:
    blocks = [
        "import os\na = 1\n",
        'plot(a).savefig("first.png")\n',
        'write("scenes")\nb = a\nplot(b).savefig("second.png")\n',
        'read("scenes/images")\nplot(0).savefig("third.png")\n',
        'def f(): ...\nplot(f).savefig("fourth.png")\n',
    ]
    for name, wanted in (("first", [0, 1]), ("second", [0, 2]), ("third", [0, 2, 3]), ("fourth", [4])):
        assert gallery.blocks_for(blocks, [name]) == [blocks[k] for k in wanted]
    assert gallery.blocks_for(blocks, ["first", "third"]) == blocks[:4]


def test_every_picture_of_the_page_can_be_named(gallery: ModuleType) -> None:
    page = (DOCS / "gallery.md").read_text(encoding="utf-8")
    blocks = gallery.BLOCK.findall(page)
    for name in gallery.PICTURE.findall(page):
        chosen = gallery.blocks_for(blocks, [name])
        assert f'savefig("{name}.png")' in chosen[-1] and len(chosen) < len(blocks) / 2
    with pytest.raises(SystemExit, match="no pictures nobody"):
        gallery.main(["nobody"])

"""Every code block of README and docs is run, or stands here with the reason why not."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from PIL import Image

from dinoscope.backbones import catalog, licences
from tests.backbones.shrunken import hub_files, shrink_catalog
from tests.backbones.stand_in_hub import StandInHub, point_at
from tests.docs.examples import ROOT, Block, Page, blocks, commands, is_ours, pages

NOT_RUN = {
    "python3 dev.py demo       # makes .venv, installs pinned versions, "
    "compares backbones on six photographs": "installs; tests/test_dev.py",
    "python3 dev.py install    # the same environment, and what search, the live page and notebooks need": (
        "installs; tests/test_dev.py"
    ),
    "python3 dev.py test       # lint, types, import contract, doctests, tests": "these are the tests",
    "python3 dev.py demo": "installs; tests/test_dev.py",
    "python3 dev.py install": "installs; tests/test_dev.py",
    "python3 dev.py test": "these are the tests",
}
"""Commands that are not ours, or that cannot be run in a test, with the reason."""

NO_CODE = {
    "__main__, cli        collects the commands": "a drawing of the floors",
    "blocking  overlapped  of the time": "the table of a benchmark",
    "GPU hours = 10⁹ / R / 3600": "formulas",
    "cost = GPU hours · price of a GPU hour": "formulas",
}
"""Blocks without code, by their first line, with what they are."""

SMALLER = {
    "anchor": "--trunk-steps 4 --steps 2 --batch 2 --dim 16 --depth 2 --heads 2 --patch-size 4 --crops 16,8 "
    "--snapshot-every 2 --checkpoint-every 2 --measure-every 10 --measured-scenes 4 --seeds 1 "
    "--planted-steps 0 --arms continue,gram-x2",
    "certify": "--grids 6x9",
    "compare": "--grid 8",
    "compare --recipe": "--grids 4,6",
    "evaluate": "--poolings mean --suppressions centre,background",
    "measure": "--grid 8",
    "scenes": "--n 12 --size 96 --classes 2",
}
"""Options added to commands that take long otherwise; they win over those before them."""

SMALLER_SIZES = {
    "README.md": {"grid=32": "grid=8"},
    "docs/quickstart.md": {"grid=16": "grid=8"},
    "docs/gallery.md": {
        "grid=24": "grid=12",
        '"scenes", 24': '"scenes", 6',
        '"collection", 60': '"collection", 24',
        "128, 128": "64, 64",
        "96, 96": "64, 64",
        "grid=16": "grid=8",
    },
}
"""Sizes in Python that are replaced before the code runs, by page."""

GATED = {"docs/how-to/gated-weights.md"}
"""Pages whose reader has no access to a gated repository."""


def given(page: str) -> dict[str, Any]:
    """Names that a page takes for granted."""
    if page == "README.md":
        return {
            "array": np.random.default_rng(0).normal(size=(8, 12, 4)).astype(np.float32),
            "W": 96,
            "H": 64,
        }
    return {}


def smaller(block: Block) -> str:
    """The block's code with smaller sizes, where its page has any."""
    text = block.text
    for words, instead in SMALLER_SIZES.get(block.page, {}).items():
        text = text.replace(words, instead)
    return text


def drawn(page: str) -> set[str]:
    """Names of the figures that a page says it draws."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return set(re.findall(r"\(pictures/gallery/(\w+)\.webp\)", text))


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("page", pages())
def test_the_examples_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = blocks(page)
    _photographs(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(licences, "_given", set())
    monkeypatch.setattr("dinoscope.comparison.page.viewer.serve", _served)
    monkeypatch.setattr("dinoscope.retrieval.page.viewer.serve_search", _served)
    shrink_catalog(monkeypatch)
    running, ran = Page(given(page), SMALLER), False
    _checkpoint(tmp_path / "weights", page)
    with StandInHub(_repositories(page), gated=_gated(page)) as hub:
        point_at(monkeypatch, hub.url, tmp_path / "hub-cache")
        for block in found:
            if block.kind == "python":
                running.python(replace(block, text=smaller(block)))
                ran = True
            elif block.kind == "shell":
                for line, words in commands(block):
                    if is_ours(words):
                        running.command(words, monkeypatch)
                        ran = True
                    else:
                        assert line in NOT_RUN, f"{block.place}: neither run nor listed: {line}"
            elif block.kind == "output":
                assert ran, f"{block.place}: output of nothing"
                running.output(block)
            else:
                assert block.first_line in NO_CODE, (
                    f"{block.place}: neither run nor listed: {block.first_line}"
                )

    missing = {name for name in drawn(page) if not (tmp_path / f"{name}.png").is_file()}
    assert not missing, f"shown as made by this page's code, and not made by it: {missing}"


def test_nothing_is_listed_that_is_not_there() -> None:
    every = [block for page in pages() for block in blocks(page)]
    lines = {line for block in every if block.kind == "shell" for line, _ in commands(block)}
    assert set(NOT_RUN) <= lines
    assert set(NO_CODE) <= {block.first_line for block in every if block.kind == "other"}
    assert set(GATED) <= set(pages())


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 0.63\nb", "a   0.63\nb\n", True),
        ("a ... c", "a 0.63 c", True),
        ("0.63", "before 0.63 after", True),
        ("a 0.63", "a 0.64", False),
        ("a b", "a", False),
    ],
)
def test_what_is_shown_must_have_been_printed(shown: str, printed: str, same: bool) -> None:
    page = Page({}, {})
    page.printed = printed
    with contextlib.nullcontext() if same else pytest.raises(AssertionError, match="does not show"):
        page.output(Block("page.md", 1, "output", shown))


def test_blocks_are_found_and_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
```python
x = 1
```
```
dinoscope models
```
```text
mini
```
```yaml
a: b
```
- ```bash
  HF_HUB_OFFLINE=1 .venv/bin/dinoscope extract a \\
      --model mini   # a comment
  ```

A drawing:

    a drawing

```{toctree}
page
```
"""
    (tmp_path / "page.md").write_text(text)
    monkeypatch.setattr("tests.docs.examples.ROOT", tmp_path)
    found = blocks("page.md")
    assert [b.kind for b in found] == ["python", "shell", "output", "other", "shell", "other"]
    assert [text.splitlines()[b.line - 1].strip() for b in found] == [
        b.text.splitlines()[0].strip() for b in found
    ]
    ((_, words),) = commands(found[4])
    assert is_ours(words) and words[-2:] == ["--model", "mini"]
    assert not is_ours(["git", "clone"])


def _photographs(folder: Path) -> None:
    """What a reader has at hand: a few photographs in folders by kind, masks of them, and single ones."""
    sources = ("chelsea.png", "coffee.png", "rocket.jpg", "astronaut.png", "motorcycle_left.png")
    images = [Image.open(Path(skimage.__file__).parent / "data" / name).convert("RGB") for name in sources]
    small = [image.resize((96, round(96 * image.height / image.width))) for image in images]
    mine = folder / "my-photos"
    places = ["a.jpg", "b.jpg", "things/c.jpg", "things/d.jpg", "things/e.jpg"]
    for place, image in zip(places, small, strict=True):
        (mine / place).parent.mkdir(parents=True, exist_ok=True)
        image.save(mine / place, quality=95)
        half = np.arange(image.width) > image.width // 2
        mask = Image.fromarray(half.astype(np.uint8)[None].repeat(image.height, axis=0))
        (folder / "my-masks").mkdir(exist_ok=True)
        mask.save(folder / "my-masks" / f"{Path(place).stem}.png")
    for name, image in {"a.jpg": small[0], "b.jpg": small[1], "photo.jpg": small[0]}.items():
        image.save(folder / name, quality=95)


def _checkpoint(folder: Path, page: str) -> None:
    """A checkpoint of the reader's own, on the page that loads one."""
    if page in GATED:
        (folder / "dinov2-small").mkdir(parents=True)
        for name, content in hub_files(catalog.find("dinov2-small").architecture).items():
            (folder / "dinov2-small" / name).write_bytes(content)


def _repositories(page: str) -> dict[str, dict[str, bytes]]:
    """The hub's repositories of every model that the page names, with shrunken random weights."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = [entry for name, entry in catalog.ENTRIES.items() if name in text and entry.sources]
    return {entry.sources[0].repo: hub_files(entry.architecture) for entry in named}


def _gated(page: str) -> set[str]:
    repos = {source.repo for entry in catalog.ENTRIES.values() for source in entry.sources if source.gated}
    return repos if page in GATED else set()


def _served(*_: object, on_ready: Any, **__: object) -> None:
    """The live page says where it is and ends; the tests of the view load it."""
    on_ready("http://127.0.0.1:8000/?token=stand-in")

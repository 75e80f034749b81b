"""Pages that show what the bundled models did say that these are toys."""

from __future__ import annotations

import re

import pytest

from tests.docs.examples import ROOT

SHOWN = (
    "README.md",
    *(f"docs/{name}.md" for name in ("index", "quickstart", "demo", "gallery", "licences")),
    *(f"docs/how-to/{name}.md" for name in ("index", "gated-weights", "normal", "refine")),
    *(f"docs/concepts/{name}.md" for name in ("gram-anchoring", "fair-comparison")),
    "docs/retrieval/index.md",
    *(f"src/dinoscope/weights/{name}/README.md" for name in ("mini", "mini-gram")),
    *(f"notebooks/{name}.ipynb" for name in ("choosing", "walkthrough")),
)


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_of_their_results_calls_them_toys(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    text = re.sub(r'"image/\w+": "[^"]*"', "", text)
    assert re.search(r"\bmini\b", text) and re.search(r"\b[Tt]oys?\b", text)

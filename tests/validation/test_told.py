"""What the front page says of the matrix is what the matrix's own page says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_front_page_counts_the_traps_as_the_matrix_does():
    page = (ROOT / "docs" / "validation" / "index.md").read_text(encoding="utf-8")
    front = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    counted = re.search(r"(\d+) with an expectation, of which \d+ hold, (\d+) are known traps", page)
    assert counted is not None
    assert f"{counted[2]} of {counted[1]} expectations are known traps" in front

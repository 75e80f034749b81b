"""The page about photographs that people segmented is what was measured, and what is quoted of it agrees."""

from __future__ import annotations

import json
from pathlib import Path

from validation import real

PAGE = (real.OUT / "real.md").read_text(encoding="utf-8")
TOLD = json.loads((real.OUT / "real.json").read_text(encoding="utf-8"))


def test_the_page_is_that_of_the_figures() -> None:
    assert real.page(TOLD) == PAGE


def test_every_floor_and_the_ceiling_stand_beside_the_models() -> None:
    numbers = TOLD["bsds"]["numbers"]
    assert {"pixels", "random:mini", "blur:mini", "shuffled:mini", "other:mini"} <= set(
        numbers["controls"]["models"]
    )
    assert numbers["people"]["models"] == ["person:2"]
    key = "matched_coherence_auc"
    known = [numbers[part]["summary"] for part in ("controls", "people")] + [numbers["summary"]]
    means = {name: row[key]["mean"] for part in known for name, row in part.items()}
    assert means["shuffled:mini"] < means["other:mini"] < means["mini"] < means["person:2"]


def test_what_the_concept_quotes_is_on_the_page() -> None:
    _, last, anchored = TOLD["networks"]
    page = real.ROOT / "docs" / "concepts" / "gram-anchoring.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    assert last["coherence_auc minus"] in text and anchored["coherence_auc minus"] in text


def test_a_folder_without_the_photographs_is_refused(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["real", str(tmp_path), "--out", str(tmp_path / "out")])
    assert real.main() == 2 and "bsds/images" in capsys.readouterr().err

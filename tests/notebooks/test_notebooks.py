"""Every notebook runs from its script, and the one that is kept was made from it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from notebooks.build import executed, notebook_of, scripts

SCRIPTS = scripts()


def test_there_are_notebooks() -> None:
    assert "walkthrough" in {script.stem for script in SCRIPTS}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_the_kept_notebook_is_the_scripts_with_every_output(script: Path) -> None:
    kept = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    fresh = notebook_of(script)
    assert [(c.cell_type, c.source) for c in kept.cells] == [(c.cell_type, c.source) for c in fresh.cells]
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell.outputs)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_it_runs_from_top_to_bottom(script: Path) -> None:
    ran = executed(notebook_of(script), script.parent)
    assert all(cell.execution_count for cell in ran.cells if cell.cell_type == "code")


def test_figures_are_kept_whatever_backend_is_set_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    drawing = nbformat.v4.new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    (cell,) = executed(nbformat.v4.new_notebook(cells=[drawing]), tmp_path).cells
    assert any("image/png" in output.get("data", {}) for output in cell.outputs)

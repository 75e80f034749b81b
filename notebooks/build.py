"""Runs the notebooks and keeps them with their outputs: ``python notebooks/build.py [NAME ...]``.

The percent scripts ``NAME.py`` are the source; ``NAME.ipynb`` is made from them and never edited. Needs
jupytext and nbclient, as the tests do.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent
TIMEOUT_S = 900
"""Of one cell."""


def scripts() -> list[Path]:
    """The percent scripts, by name."""
    return sorted(path for path in HERE.glob("*.py") if path.name != Path(__file__).name)


def notebook_of(script: Path) -> nbformat.NotebookNode:
    """The notebook of a script, without outputs; its cells are numbered, so that two builds are equal."""
    notebook = jupytext.read(script, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    return notebook


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """The notebook with the outputs of running it in a folder; live widgets leave no state behind.

    Figures are kept whatever ``MPLBACKEND`` says outside.
    """
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
    )
    return client.execute(env=os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"})


def quiet(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Without what differs from run to run: times, and the live widgets' handles."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
    return notebook


def main(names: Sequence[str]) -> None:
    """Build some or all."""
    for script in scripts():
        if not names or script.stem in names:
            nbformat.write(quiet(executed(notebook_of(script), HERE)), script.with_suffix(".ipynb"))
            print(script.with_suffix(".ipynb"))


if __name__ == "__main__":
    main(sys.argv[1:])

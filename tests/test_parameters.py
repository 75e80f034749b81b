"""No function takes more than eight parameters, but for values that are handed down as they are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dinoscope

MOST = 8
VALUES = frozenset(
    {
        "Run",
        "Arithmetic",
        "MeasuringPlan",
        "MapOptions",
        "PageOptions",
        "RayOptions",
        "Plan",
        "Planting",
        "Recipe",
    }
)
"""Frozen values that stand for many settings each."""

PUBLIC = frozenset(
    {
        "anchoring/refine/refine.py:refine",
        "choice/choose.py:choose",
        "comparison/compare.py:compare",
        "comparison/measure.py:measure",
        "evaluation/evaluate.py:evaluate_retrieval",
        "pipeline/embed.py:embed",
        "pipeline/extract.py:extract",
        "retrieval/search.py:search",
    }
)
"""Names of the package's own front page: a keyword for each setting, where people type them."""

SOURCE = Path(dinoscope.__file__).parent


def counted(source: str) -> dict[str, int]:
    """Parameters that are none of `VALUES`, by the function's name; commands are Typer's and left out."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.endswith("_command"):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            own = [a for a in every if a.arg not in ("self", "cls")]
            kinds = [ast.unparse(a.annotation) if a.annotation else "" for a in own]
            found[node.name] = sum(kind not in VALUES for kind in kinds)
    return found


def over() -> set[str]:
    return {
        f"{path.relative_to(SOURCE).as_posix()}:{name}"
        for path in SOURCE.rglob("*.py")
        for name, n in counted(path.read_text(encoding="utf-8")).items()
        if n > MOST
    }


def test_no_function_takes_more_than_eight() -> None:
    assert over() == PUBLIC


@pytest.mark.parametrize(
    ("signature", "n"),
    [
        ("def f(a, b, /, c, *, d): ...", 4),
        ("def f(run: Run, arithmetic: Arithmetic, a: int): ...", 1),
        ("class C:\n    def f(self, a, run: Run | None): ...", 2),
        ("async def f(a, b=lambda x, y: x): ...", 2),
    ],
)
def test_what_is_counted(signature: str, n: int) -> None:
    assert counted(signature) == {"f": n}
    assert counted(signature.replace("f(", "f_command(")) == {}

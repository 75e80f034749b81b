"""The lazy table and the typed stub name the same things, and every one of them is there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import dinoscope


def stub_names() -> set[str]:
    stub = Path(dinoscope.__file__).with_suffix(".pyi")
    tree = ast.parse(stub.read_text())
    return {a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname}


def test_the_stub_and_the_table_agree() -> None:
    assert stub_names() == set(dinoscope.__all__)


@pytest.mark.parametrize("name", sorted(dinoscope.__all__))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(dinoscope, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        dinoscope.nonsense  # noqa: B018

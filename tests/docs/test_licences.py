"""The page of licences names every package that is installed, with the licence the package states."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import metadata

import pytest

from tests.docs.examples import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SAME = {
    "Apache 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}
"""Older ways of saying it, and ours."""


def stated() -> dict[str, tuple[str, str]]:
    """The page's rows: extra and licence, by package."""
    text = (
        (ROOT / "docs" / "licences.md")
        .read_text(encoding="utf-8")
        .split("## What is installed")[1]
        .split("\n## ")[0]
    )
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]
    return {name: (extra, licence) for name, extra, licence in rows[2:]}


def named() -> dict[str, str]:
    """The extra that brings each package; nothing for those that are always installed."""
    groups = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    found: dict[str, str] = {}
    for extra, lines in groups.items():
        for line in lines:
            name = re.match(r"[\w.-]+", line)[0]  # type: ignore[index]
            if name != PROJECT["name"]:
                found.setdefault(name, extra)
    return found


def licence_of(package: str) -> str:
    """As the installed package states it."""
    about = metadata(package)
    if expression := about.get("License-Expression"):
        return expression
    for line in about.get_all("Classifier", []):
        if line.startswith("License :: "):
            return SAME.get(line.split(" :: ")[-1], line)
    return SAME.get(about["License"], about["License"])


def test_every_package_has_its_row() -> None:
    assert {name: extra for name, (extra, _) in stated().items()} == named()


@pytest.mark.parametrize("package", sorted(set(stated()) - {"timm"}))
def test_the_licence_is_the_one_the_package_states(package: str) -> None:
    assert stated()[package][1].split(" (")[0] == licence_of(package)


def test_those_not_compared_are_not_installed_with_the_tests() -> None:
    test = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]["test"]
    lines = [line for line in test if isinstance(line, str)]
    assert not any(line.startswith("timm") for line in lines)

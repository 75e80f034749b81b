"""Every docstring can be read alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import dinoscope

ROOT = Path(dinoscope.__file__).parent
LEANS = re.compile(r'"""\s*(?:Of|The same)\b')
"""What begins so hangs on a name above it, which a list of names or a hover does not show."""


def test_none_hangs_on_the_name_above_it() -> None:
    hanging = {
        path.relative_to(ROOT).as_posix(): found
        for path in ROOT.rglob("*.py")
        if (found := LEANS.findall(path.read_text(encoding="utf-8")))
    }
    assert hanging == {}


@pytest.mark.parametrize("text", ['"""Of one."""', '"""\n    The same, later."""'])
def test_the_check_sees_it(text: str) -> None:
    assert LEANS.search(text) and not LEANS.search('"""Offers one of the same."""')

"""Results as JSON files: plain numbers, and null for what is undefined."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dinoscope.atomic import write_text
from dinoscope.strict_json import strict_json


def json_text(content: Mapping[str, object]) -> str:
    """One object on indented lines, as `strict_json` writes it."""
    return strict_json(content, indent=1) + "\n"


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """`json_text` as a file, whole or not at all."""
    write_text(path, json_text(content))

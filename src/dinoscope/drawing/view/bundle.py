"""The view's modules and style sheet as one module's text, ready to be inlined.

A page opened from disk may not import modules from disk, so the plain modules are put one after the
other. Only what the modules use is understood: ``import { a, b } from "./name.mjs";`` on lines of
their own, and ``export`` before a declaration.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files

_ENTRY = "view.mjs"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([\w-]+\.mjs)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?function|const|let|class) (\w+)", re.MULTILINE)
_STYLE = 'const STYLE = "";'


def view_text(name: str) -> str:
    """Text of one file of the view, such as ``view.mjs``."""
    return files("dinoscope.drawing.view").joinpath("static", name).read_text(encoding="utf-8")


@cache
def view_module() -> str:
    """One module without imports: all modules in the order they need each other, style included.

    Nothing in it can end a script element.
    """
    parts: list[str] = []
    _append(_ENTRY, parts, [])
    text = "\n".join(parts)
    style = json.dumps(view_text("view.css")).replace("<", "\\u003c")
    return text.replace(_STYLE, f"const STYLE = {style};", 1)


def _append(name: str, parts: list[str], seen: list[str]) -> None:
    if name in seen:
        return
    seen.append(name)
    text = view_text(name)
    for match in _IMPORT.finditer(text):
        _append(match[2], parts, seen)
    body = _IMPORT.sub(lambda match: f"const {{{match[1]}}} = {_variable(match[2])};\n", text)
    if name == _ENTRY:
        parts.append(body)
        return
    names = [match[2] for match in _EXPORT.finditer(body)]
    body = _EXPORT.sub(r"\1 \2", body)
    parts.append(f"const {_variable(name)} = (() => {{\n{body}\nreturn {{ {', '.join(names)} }};\n}})();")


def _variable(name: str) -> str:
    return "module_" + name.removesuffix(".mjs").replace("-", "_")

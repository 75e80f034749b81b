"""Foreign text inside Markdown and LaTeX: nothing in it is markup or a command."""

from __future__ import annotations

import re

from dinoscope.drawing.style import plain

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "{''}",
    "`": r"\textasciigrave{}",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
    "±": r"$\pm$",
    "²": r"\textsuperscript{2}",
    "…": r"\ldots{}",
    "\N{REPLACEMENT CHARACTER}": "?",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~#$!@])")


def latex_text(text: str) -> str:
    r"""On one line; a bracket at the start would be read as an argument of the line break before it.

    >>> latex_text("50% of a_b")
    '50\\% of a\\_b'
    """
    shown = "".join(_LATEX.get(c, c) for c in plain(text))
    return "{[}" + shown[1:] if shown.startswith("[") else shown


def markdown_text(text: str) -> str:
    r"""On one line, addresses too as they are written.

    >>> markdown_text("*a* <b>")
    '\\*a\\* &lt;b&gt;'
    """
    escaped = _MARKDOWN.sub(r"\\\1", plain(text)).replace("&", "&amp;")
    return escaped.replace("<", "&lt;").replace(">", "&gt;").replace("://", r"\://")

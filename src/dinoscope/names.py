r"""The one rule for file names that are no Unicode text.

A name on disk is a row of bytes, which Python holds with a lone surrogate for each byte that is not UTF-8;
no encoding, database or page takes those. As text, such a byte is ``\xNN``, any other lone surrogate
``\uNNNN``, and a backslash that would read as the beginning of one of these ``\x5c``: so the text leads back
to the file.
"""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path

_SURROGATE = re.compile("[\ud800-\udfff]")
_LOOKALIKE = re.compile(r"\\(?=x5c|x[89a-f][0-9a-f]|ud[89a-f][0-9a-f]{2})")
_USER = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]*:/{1,2})[^\s/?#@]+(?:@[^\s/?#@]*)*@")
"""One slash, too: `Path` makes one of two."""
_SECRET = re.compile(
    r"([?&;][\w.-]*(?:token|key|secret|passw(?:or)?d|pwd|signature|sig|credential|auth)[\w.-]*=)[^&\s'\"#]+",
    re.I,
)
_ESCAPED = re.compile(r"\\x(5c|[89a-f][0-9a-f])|\\u(d[89a-f][0-9a-f]{2})")


def readable(path: str | os.PathLike[str]) -> str:
    r"""A path, or a name from an archive or a list, as text. Once: text is not to be made text again.

    >>> print(readable("caf\udce9.jpg"))
    caf\xe9.jpg
    """
    return well_formed(_LOOKALIKE.sub(r"\\x5c", os.fspath(path)))


def path_named(text: str) -> Path:
    """The path that `readable` made a text of."""
    return Path(_ESCAPED.sub(_unescaped, text))


def at_home(path: str | os.PathLike[str]) -> Path:
    """A path whose leading ``~`` or ``~USER`` is that user's folder; as it is where nobody is called so.

    >>> at_home("~nobody-is-called-so.pth").name
    '~nobody-is-called-so.pth'
    """
    return Path(os.path.expanduser(path))


def well_formed(text: str) -> str:
    """Text of any origin without lone surrogates; what is text already stays as it is."""
    return _SURROGATE.sub(_escaped, text)


def printable(text: str) -> str:
    r"""Text on one line that a terminal takes for nothing but text: control characters escaped.

    >>> print(printable("a\nb"))
    a\nb
    """
    shown = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in well_formed(text))
    return "".join(shown)


def without_secrets(text: str) -> str:
    """Text in which addresses say neither their password nor the value of a key in their query.

    >>> without_secrets("https://me:secret@example.org/a.jpg?size=2&token=abc")
    'https://…@example.org/a.jpg?size=2&token=…'
    """
    if ":/" not in text:  # no address; a file of features may be asked for by ?key=NAME
        return text
    return _SECRET.sub(r"\1…", _USER.sub(r"\1…@", text))


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number & 0xFF:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def _unescaped(match: re.Match[str]) -> str:
    if match[2]:
        return chr(int(match[2], 16))
    number = int(match[1], 16)
    return "\\" if number == ord("\\") else chr(0xDC00 + number)


def _in_a_stream(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(well_formed(c).encode("ascii", "backslashreplace").decode() for c in bad), error.end


IN_A_STREAM = "dinoscope.names"
"""An error handler that escapes as `well_formed` does: `sys.stdout.reconfigure(errors=IN_A_STREAM)`."""

codecs.register_error(IN_A_STREAM, _in_a_stream)

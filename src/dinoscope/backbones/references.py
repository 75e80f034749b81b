"""What a user means by the name of a model: a catalog entry, a path, a control, or somebody else's model."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from dinoscope.backbones import catalog
from dinoscope.errors import InputError, UnknownBackboneError
from dinoscope.names import at_home

WEIGHT_SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".pkl", ".pth.tar", ".pt.tar")
_CATALOG_OWNERS = ("facebook", "timm")
_ELSEWHERE: tuple[Literal["timm", "hf", "py", "dinotxt"], ...] = ("timm", "hf", "py", "dinotxt")
BLUR, FINER = "blur", "finer"
WAY = re.compile(rf"{BLUR}|{FINER}[1-9][0-9]*|key|query|value|rotated-key|rotated-query")
"""Ways of looking at a model that may stand before its name, followed by a colon."""

_BESIDE = ("shuffled", "other")
"""Controls made of a model's features once they are there."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A name, understood; nothing has been looked up or read but whether a path exists.

    Attributes:
        kind: ``published`` (a catalog entry, with the user's own checkpoint where there is a path),
            ``checkpoint`` (a path alone), ``random`` (of an entry), ``pixels``, ``timm``, ``hf``, ``py`` or
            ``dinotxt``.
        entry: of ``published`` and ``random``.
        path: of ``published`` and ``checkpoint``.
        inside: what the names of the network in that file begin with; empty to find it.
        rest: what stands behind ``timm:``, ``hf:``, ``py:`` or ``dinotxt:``.
        ways: what stands before it, outermost first: ``blur``, a facet (``key``), ``finer2`` and the like.
    """

    kind: Literal["published", "checkpoint", "random", "pixels", "timm", "hf", "py", "dinotxt"]
    entry: catalog.Entry | None = None
    path: Path | None = None
    inside: str = ""
    rest: str = ""
    ways: tuple[str, ...] = ()


def read_reference(name: str | None, weights: str | Path | None = None) -> Reference:
    """What ``load_backbone`` is asked for; see there.

    Raises:
        UnknownBackboneError: a name that is in no catalog; with the nearest names.
        InputError: neither name nor weights, or weights for something that takes none.
    """
    path, inside = (None, "") if weights is None else _file_and_network(weights)
    if name is None:
        if path is None:
            raise InputError(
                "load_backbone needs a name, weights, or both (`dinoscope models` lists the names)"
            )
        return Reference("checkpoint", path=path, inside=inside)
    prefix, _, rest = name.partition(":")
    if prefix in _BESIDE and rest:
        raise InputError(
            f"{name!r} is a control that is measured beside the models, of the first one's features, and no "
            "model of its own: leave it out"
        )
    if rest and WAY.fullmatch(prefix):
        inner = read_reference(rest, weights)
        return replace(inner, ways=(prefix, *inner.ways))
    if catalog.is_known(name):
        return Reference("published", catalog.find(name), path, inside)
    before, equals, after = name.partition("=")
    if path is None:
        if equals and catalog.is_known(before):
            return Reference("published", catalog.find(before), *_file_and_network(after))
        own = equals and not _exists(_file_and_network(name)[0]) and _exists(_file_and_network(after)[0])
        if _is_path(name) and not own:
            return Reference("checkpoint", None, *_file_and_network(name))
    found = _without_weights(name, prefix, rest)
    if found is None:
        unknown = before if equals else name
        raise UnknownBackboneError(unknown, catalog.nearest(unknown))
    if path is not None:
        raise InputError(f"{name!r} takes no weights of one's own")
    return found


def parted_ways(name: str) -> tuple[tuple[str, ...], str]:
    """The ways that stand before a model's name, outermost first, and the name alone.

    >>> parted_ways("finer2:key:mini")
    (('finer2', 'key'), 'mini')
    """
    prefix, _, rest = name.partition(":")
    if not (rest and WAY.fullmatch(prefix)):
        return (), name
    ways, alone = parted_ways(rest)
    return (prefix, *ways), alone


def _without_weights(name: str, prefix: str, rest: str) -> Reference | None:
    if name == "pixels":
        return Reference("pixels")
    if name == "dinotxt":
        return Reference("dinotxt")
    if prefix == "random" and rest:
        return Reference("random", catalog.find(rest))
    return next((Reference(kind, rest=rest) for kind in _ELSEWHERE if kind == prefix and rest), None)


def is_weights_name(name: str) -> bool:
    """Whether a file's name ends as those of weights do."""
    return name.lower().endswith(WEIGHT_SUFFIXES)


def weights_stem(path: Path) -> str:
    """The name of a weights file without its ending; that of a folder whole."""
    name = path.name
    ending = max((end for end in WEIGHT_SUFFIXES if name.lower().endswith(end)), key=len, default="")
    return name[: len(name) - len(ending)]


def _file_and_network(text: str | Path) -> tuple[Path, str]:
    """``PATH#PREFIX`` as path and prefix; a file that has such a name itself is that file."""
    path = at_home(text)
    before, mark, after = str(path).rpartition("#")
    if not mark or _exists(path) or not (_exists(Path(before)) or is_weights_name(before)):
        return path, ""
    return Path(before), after


def _is_path(name: str) -> bool:
    """Something on disk, or something that looks like it and is no hub id of the catalog's owners."""
    if not name.strip():
        return False
    path, _ = _file_and_network(name)
    if _exists(path) or is_weights_name(path.name):
        return True
    owner, slash, _ = name.partition("/")
    return bool(slash) and ":" not in owner and owner not in _CATALOG_OWNERS


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no name that this file system could have
        return False

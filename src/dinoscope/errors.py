"""Every error dinoscope raises on purpose.

::

    DinoscopeError
      InputError (ValueError)
        ImageError            a photograph that cannot be read
        NoUsablePhotographError  photographs were named, and none can be used
        ShapeError            an array whose shape does not fit
        GridMismatchError     two patch grids that must be equal and are not
        LayerError            a layer the backbone does not have
      BackboneError
        UnknownBackboneError  a model name that is in no catalog (nearest names offered)
        WeightsError          weights that cannot be had, or do not fit
      StoreError
        MissingFeaturesError, SchemaVersionError, CorruptStoreError, StoreInUseError
      SearchError
        EmptyIndexError, ProvenanceMismatchError
      MissingExtraError (ImportError)

Facts are attributes; the message says what to do next.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from dinoscope.names import printable, well_formed, without_secrets

LONGEST = 300
"""Characters of what came from outside that a message repeats."""


_ENDLESS = re.compile(rf"(\S{{{LONGEST}}})\S+")


def shortened(error: BaseException | str) -> str:
    """What a message repeats of another's error or of an input: one line of at most `LONGEST` characters."""
    unsaid = "" if isinstance(error, str) else type(error).__name__
    said = printable(str(error).strip() or unsaid)
    return said if len(said) <= LONGEST else f"{said[: LONGEST - 1]}…"


def told(words: str) -> str:
    """A line as a terminal may have it: no control characters, no secrets of addresses, no endless word."""
    return _ENDLESS.sub(r"\1…", printable(without_secrets(words)))


class DinoscopeError(Exception):
    """The root: catch this to catch everything dinoscope raises on purpose."""


class InputError(DinoscopeError, ValueError):
    """An argument, or a file the user named, cannot be used."""


class ImageError(InputError):
    """A photograph that cannot be read.

    Attributes:
        source: what was asked for, as the user wrote it.
        reason: why it cannot be used.
    """

    def __init__(self, source: str, reason: str) -> None:
        self.source = without_secrets(well_formed(source))
        self.reason = without_secrets(well_formed(reason))
        super().__init__(f"'{printable(self.source)}': {self.reason}")


class NoUsablePhotographError(InputError):
    """Photographs were named, and none of them can be used."""


class ShapeError(InputError):
    """An array whose shape does not fit what was asked.

    Attributes:
        expected: the shape wanted, in axis words.
        actual: the shape found.
    """

    def __init__(self, what: str, *, expected: str, actual: Sequence[int]) -> None:
        self.expected = expected
        self.actual = tuple(actual)
        super().__init__(f"{what}: expected shape ({expected}), got {self.actual}")


class GridMismatchError(InputError):
    """Two patch grids that must be equal and are not.

    Attributes:
        first, second: the two grids, as (h, w).
    """

    def __init__(self, first: tuple[int, int], second: tuple[int, int], advice: str) -> None:
        self.first = first
        self.second = second
        super().__init__(
            f"patch grids differ: {first[0]}x{first[1]} against {second[0]}x{second[1]}; {advice}"
        )


class LayerError(InputError):
    """A layer the backbone does not have.

    Attributes:
        layer: what was asked for.
        depth: how many layers there are; they are numbered from 0.
        backbone: its name; empty where it is not known.
    """

    def __init__(self, layer: int, depth: int, backbone: str = "") -> None:
        self.layer = layer
        self.depth = depth
        self.backbone = backbone
        of = f" of {backbone}" if backbone else ""
        super().__init__(f"no layer {layer}: layers{of} are numbered 0 to {depth - 1}")


class BackboneError(DinoscopeError):
    """A backbone that cannot be built or run."""


class UnknownBackboneError(BackboneError):
    """A model name that is in no catalog.

    Attributes:
        name: what was asked for.
        nearest: catalog names that look like it, best first.
    """

    def __init__(self, name: str, nearest: Sequence[str]) -> None:
        self.name = name
        self.nearest = tuple(nearest)
        hint = f"; did you mean {', '.join(self.nearest)}?" if self.nearest else ""
        super().__init__(
            f"unknown model {name!r}{hint} (`dinoscope models` lists every name; "
            "a path to a checkpoint, NAME=PATH, timm:NAME, hf:ORG/NAME and py:MODULE:FUNCTION work too)"
        )


class WeightsError(BackboneError):
    """Weights that cannot be had, or do not fit the architecture.

    Attributes:
        name: the backbone asked for.
        reason: what went wrong, in one sentence.
        steps: what the user can do, most promising first.
    """

    def __init__(self, name: str, reason: str, steps: Sequence[str] = ()) -> None:
        self.name = name
        self.reason = reason
        self.steps = tuple(steps)
        listed = "".join(f"\n  {i}. {step}" for i, step in enumerate(self.steps, 1))
        super().__init__(
            f"no weights for {name!r}: {reason}" + (f"\nWhat you can do:{listed}" if listed else "")
        )


class StoreError(DinoscopeError):
    """A feature store that cannot be used."""


class MissingFeaturesError(StoreError):
    """The store has no such features."""


class SchemaVersionError(StoreError):
    """The store was written by another version of the format."""


class CorruptStoreError(StoreError):
    """The store is damaged."""


class StoreInUseError(StoreError):
    """Another process is writing the same part of the store.

    Attributes:
        holders: who, in words: process, host and since when.
    """

    def __init__(self, what: str, holders: Sequence[str]) -> None:
        self.holders = tuple(holders)
        super().__init__(
            f"{what} is being written by {' and '.join(self.holders) or 'another process'}: wait for it, "
            "or stop it, and run the same command again; nothing is lost"
        )


class SearchError(DinoscopeError):
    """A search that cannot be answered."""


class EmptyIndexError(SearchError):
    """There is nothing to search in."""


class ProvenanceMismatchError(SearchError):
    """Vectors of another backbone, or of other settings."""


class MissingExtraError(DinoscopeError, ImportError):
    """An optional part of dinoscope is not installed.

    Attributes:
        extra: the extra that brings it.
    """

    def __init__(self, what: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{what} needs the extra [{extra}]: pip install 'dinoscope[{extra}]'")

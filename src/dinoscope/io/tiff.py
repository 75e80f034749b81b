"""What a TIFF says of its pages before anything is decoded. Source: TIFF 6.0 and the BigTIFF design."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 100_000

NEW_SUBFILE, WIDTH, BITS, PHOTOMETRIC, SAMPLES, PLANAR, SUB_IFDS, FORMAT, DNG = (
    254,
    256,
    258,
    262,
    277,
    284,
    330,
    339,
    50706,
)
MIN_IS_WHITE = 0
UNSIGNED = 1
_SIZES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_MOST_VALUES = 64
"""Read of one entry: what is asked for has few."""


class BrokenTiffError(ValueError):
    """The directories cannot be followed."""


@dataclass(frozen=True, slots=True)
class Tiff:
    """The first page, and how many there are.

    Attributes:
        entries: whole numbers of the first directory, by tag.
        pages: directories in the chain.
        reduced: of them, those that say to be smaller copies of another.
        raw: whether it is a camera's raw file, whose first page is a preview.
        broken: why pages behind these cannot be found; empty where the chain ends well.
        link: place and bytes of what leads from the first page to the second.
    """

    entries: Mapping[int, tuple[int, ...]]
    pages: int
    reduced: int
    raw: bool
    broken: str
    link: tuple[int, int]

    def value(self, tag: int, default: int) -> int:
        """The first value of an entry."""
        return (*self.entries.get(tag, ()), default)[0]

    @property
    def bits(self) -> int:
        """Bits of the widest channel."""
        return max(self.entries.get(BITS, (1,)) or (1,))

    @property
    def unread(self) -> str:
        """What to say where no decoder knows its kind."""
        samples, colours = self.value(SAMPLES, 1), self.value(PHOTOMETRIC, -1)
        return (
            f"a TIFF of {samples} band{'s' if samples > 1 else ''} of {self.bits} bits (colours {colours}, "
            f"format {self.value(FORMAT, 1)}), which is not read: save it as grey or RGB of 8 or 16 bits, "
            "or as grey of 32 bits floating point"
        )

    def first_alone(self, data: bytes) -> bytes:
        """The file with the chain of its pages ended after the first."""
        place, size = self.link
        return data[:place] + bytes(size) + data[place + size :]


def read_tiff(data: bytes) -> Tiff | None:
    """The directories of a TIFF; None of any other file.

    Raises:
        BrokenTiffError: there is no first page.
    """
    if data[:4] not in MARKS:
        return None
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    walk = _Walk(data, order, big)
    place = walk.number(8, 8) if big else walk.number(4, 4)
    seen: set[int] = set()
    first: dict[int, tuple[int, ...]] | None = None
    reduced, broken, behind_first = 0, "", 0
    link_bytes = 8 if big else 4
    while place:
        try:
            if place in seen:
                raise BrokenTiffError("its pages refer to one another in a circle")
            if len(seen) == MOST_PAGES:
                raise BrokenTiffError(f"it has more than {MOST_PAGES:,} pages")
            entries, link = walk.directory(place, whole=first is None)
            seen.add(place)
            reduced += (*entries.get(NEW_SUBFILE, ()), 0)[0] & 1
            if first is None:
                first, behind_first = entries, link
            place = walk.number(link, link_bytes)
        except BrokenTiffError as error:
            if first is None:
                raise
            broken, place = str(error), 0
    if first is None:
        raise BrokenTiffError("it has no page")
    raw = (
        DNG in first
        or data[8:10] == b"CR"
        or (bool(first.get(NEW_SUBFILE, (0,))[0] & 1) and SUB_IFDS in first)
    )
    return Tiff(first, len(seen), reduced, raw, broken, (behind_first, link_bytes))


@dataclass(frozen=True, slots=True)
class _Walk:
    data: bytes
    order: str
    big: bool

    def number(self, place: int, size: int) -> int:
        if place + size > len(self.data):
            raise BrokenTiffError("its pages lead outside the file: it is cut short, or damaged")
        code = {2: "H", 4: "I", 8: "Q"}[size]
        return int(struct.unpack_from(self.order + code, self.data, place)[0])

    def directory(self, place: int, *, whole: bool) -> tuple[dict[int, tuple[int, ...]], int]:
        """Entries of one directory (the first one alone where not ``whole``), and where its link lies."""
        width, head = (20, 8) if self.big else (12, 2)
        count = self.number(place, head)
        entries: dict[int, tuple[int, ...]] = {}
        for i in range(count if whole else min(count, 1)):
            at = place + head + i * width
            entries[self.number(at, 2)] = self._values(at)
        return entries, place + head + count * width

    def _values(self, at: int) -> tuple[int, ...]:
        kind, counted = self.number(at + 2, 2), 8 if self.big else 4
        n = self.number(at + 4, counted)
        inside = at + 4 + counted
        code, size = _CODES.get(kind), _SIZES.get(kind, 1)
        if code is None or n > _MOST_VALUES:
            return (0,)
        if n * size > counted:
            inside = self.number(inside, counted)
        if inside + n * size > len(self.data):
            return ()
        return struct.unpack_from(f"{self.order}{n}{code}", self.data, inside)

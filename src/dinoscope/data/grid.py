"""PatchGrid: the only pixel <-> patch arithmetic."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass

from dinoscope.errors import InputError

MAX_PATCHES = 1_048_576
"""Largest grid that can be asked for: a 1024x1024 map, a 16,384 px input at patch 16."""


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """How a photograph is cut into patches.

    The whole photograph is resized, without a crop, to ``h * patch_size`` by
    ``w * patch_size`` pixels. A place is ``(x, y)`` in ``[0, 1]²`` of the upright
    original, x to the right, y down; patches are ``(row, col)`` from the top left.

    Attributes:
        h: patches from top to bottom.
        w: patches from left to right.
        patch_size: side of a patch in pixels of the model's input.
        image_size: ``(W, H)`` in pixels of the upright original photograph.

    >>> grid = PatchGrid.fit((640, 480), patch_size=16, grid=30)
    >>> grid.h, grid.w, grid.input_size
    (30, 40, (480, 640))
    >>> grid.patch_at(0.5, 0.5), grid.box(15, 20)
    ((15, 20), (320.0, 240.0, 336.0, 256.0))
    """

    h: int
    w: int
    patch_size: int
    image_size: tuple[int, int]

    def __post_init__(self) -> None:
        for number in (self.h, self.w, self.patch_size, *_two(self.image_size, "an image's size")):
            whole_number(number)
        if self.h < 1 or self.w < 1 or self.patch_size < 1:
            raise InputError(
                f"a patch grid needs at least one patch of at least one pixel, got {self.h}x{self.w} "
                f"patches of {self.patch_size} px"
            )
        if self.image_size[0] < 1 or self.image_size[1] < 1:
            raise InputError(f"an image needs at least one pixel, got {self.image_size}")

    @classmethod
    def fit(
        cls,
        image_size: tuple[int, int],
        patch_size: int,
        *,
        grid: int | tuple[int, int] | None = None,
        size_px: int | None = None,
    ) -> PatchGrid:
        """The grid for a photograph.

        Args:
            image_size: ``(W, H)`` of the upright original, in pixels.
            patch_size: of the backbone, in pixels of its input.
            grid: patches on the short side; the long side gets the nearest whole number of
                patches that keeps the aspect ratio (halves up). Or the exact ``(h, w)``.
            size_px: instead of ``grid``: the short side of the input in pixels, rounded to the
                nearest whole patch (halves up), at least one.

        Raises:
            InputError: neither or both are given, a side is below 1, or the grid is larger than
                `MAX_PATCHES`.
        """
        if (grid is None) == (size_px is None):
            raise InputError("give either grid= or size_px=, not both and not neither")
        width, height = map(whole_number, _two(image_size, "an image's size"))
        if isinstance(grid, tuple | list):
            h, w = map(whole_number, _two(grid, "a grid"))
        else:
            if size_px is not None:
                if whole_number(size_px) < 1:
                    raise InputError(f"size_px must be at least 1, got {size_px}")
                short = max(1, _round(size_px, patch_size))
            else:
                assert grid is not None  # narrowed by the check above
                short = whole_number(grid)
            if width < 1 or height < 1:
                raise InputError(f"an image needs at least one pixel, got {image_size}")
            long = max(short, _round(short * max(width, height), min(width, height)))
            h, w = (short, long) if height <= width else (long, short)
        if h < 1 or w < 1:
            raise InputError(f"a grid needs at least 1 patch on each side, got {h}x{w}")
        if h * w > MAX_PATCHES:
            raise InputError(
                f"a grid of {h}x{w} is {h * w:,} patches; the largest is {MAX_PATCHES:,}. "
                "Ask for a smaller grid."
            )
        return cls(h=h, w=w, patch_size=patch_size, image_size=(width, height))

    @property
    def shape(self) -> tuple[int, int]:
        """``(h, w)``."""
        return self.h, self.w

    @property
    def n(self) -> int:
        """How many patches."""
        return self.h * self.w

    @property
    def input_size(self) -> tuple[int, int]:
        """``(H, W)`` of the model's input, in pixels."""
        return self.h * self.patch_size, self.w * self.patch_size

    @property
    def anisotropy(self) -> float:
        """Horizontal over vertical scale of the resize; 1 means that the aspect ratio is kept."""
        width, height = self.image_size
        return (self.w / width) / (self.h / height)

    def patch_at(self, x: float, y: float) -> tuple[int, int]:
        """The patch ``(row, col)`` that covers a place; the far edges belong to the last patch.

        Raises:
            InputError: the place is outside ``[0, 1]²`` or not a number.
        """
        x, y = place((x, y))
        return min(math.floor(y * self.h), self.h - 1), min(math.floor(x * self.w), self.w - 1)

    def patch_at_pixel(self, px: int, py: int) -> tuple[int, int]:
        """The patch that covers the centre of pixel ``(px, py)`` of the upright original, exactly.

        Raises:
            InputError: there is no such pixel.
        """
        width, height = self.image_size
        if not (0 <= px < width and 0 <= py < height):
            raise InputError(f"no pixel ({px}, {py}) in an image of {width}x{height}")
        return (2 * py + 1) * self.h // (2 * height), (2 * px + 1) * self.w // (2 * width)

    def centre(self, row: int, col: int) -> tuple[float, float]:
        """``(x, y)`` in ``[0, 1]²`` of a patch's centre."""
        self._check(row, col)
        return (col + 0.5) / self.w, (row + 0.5) / self.h

    def box(self, row: int, col: int) -> tuple[float, float, float, float]:
        """The patch's footprint ``(left, top, right, bottom)`` in pixels of the upright original.

        Neighbouring patches share the very same edge value, and the boxes tile the image.
        """
        self._check(row, col)
        width, height = self.image_size
        return (
            col * width / self.w,
            row * height / self.h,
            (col + 1) * width / self.w,
            (row + 1) * height / self.h,
        )

    def _check(self, row: int, col: int) -> None:
        if not (0 <= row < self.h and 0 <= col < self.w):
            raise InputError(f"no patch ({row}, {col}) in a grid of {self.h}x{self.w}")


def place(values: object) -> tuple[float, float]:
    """A place ``(x, y)`` of an image.

    Raises:
        InputError: not two numbers in ``[0, 1]``.
    """
    try:
        x, y = (float(value) for value in values)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        x = y = math.nan
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise InputError(f"a place in an image is (x, y) in [0, 1]², got {str(values)[:80]}")
    return x, y


def seed_number(value: object) -> int:
    """A seed, which every generator of random numbers takes.

    Raises:
        InputError: no whole number from 0 to 2^63 - 1.
    """
    seed = whole_number(value, "a seed")
    if not 0 <= seed < 2**63:
        raise InputError(f"a seed is a whole number from 0 to 2^63 - 1, got {seed}")
    return seed


def whole_number(value: object, what: str = "a number of patches or pixels") -> int:
    """A count, from an int or whatever else is one (a NumPy integer, but no bool, float or text).

    Raises:
        InputError: something else.
    """
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise InputError(f"{what} is a whole number, got {str(value)[:80]!r} ({type(value).__name__})")


def _two(values: object, what: str) -> tuple[object, object]:
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise InputError(f"{what} is two whole numbers, got {str(values)[:80]!r}")
    return values[0], values[1]


def _round(numerator: int, denominator: int) -> int:
    """Nearest integer to a ratio of positive integers, halves up, without floating point."""
    return (2 * numerator + denominator) // (2 * denominator)

"""What a cell is called."""

from __future__ import annotations


def size_and_grid(cell: str) -> tuple[str, int]:
    """What a cell's name says.

    >>> size_and_grid("S-32")
    ('S', 32)
    """
    size, _, grid = cell.rpartition("-")
    return size, int(grid) if grid.isdigit() else 0


def cell_name(size: str, grid: int) -> str:
    """The name of a cell.

    >>> cell_name("S", 32)
    'S-32'
    """
    return f"{size}-{grid}"

"""Prints how far the first three trunks lie apart in what the experiment asks, and no mean.

python -m experiments.confirmatory.spread SCORES.jsonl
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.confirmatory.rules import SPREAD_LIMIT
from experiments.confirmatory.table import read_table, spread

FIRST = 3


def main(words: Sequence[str] | None = None) -> int:
    """0; 2 while fewer than three trunks are measured."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.confirmatory.spread",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", type=Path)
    table = read_table(parser.parse_args(words).scores)
    if len(table.trunks) < FIRST:
        print(f"{len(table.trunks)} of {FIRST} trunks are measured")
        return 2
    found = spread(table, FIRST)
    for name, value in found.items():
        print(f"{name}: standard deviation {value:.4f}")
    print(f"trunks to train: {8 if max(found.values()) > SPREAD_LIMIT else 6}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

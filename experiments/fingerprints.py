"""Writes the fingerprints of the photographs that the bundled pair learned from into the package.

    python experiments/fingerprints.py PHOTOGRAPHS

PHOTOGRAPHS is the folder that the trunk was trained on (see `README.md` here). Takes some seconds; 32 bytes a
photograph.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dinoscope.backbones.bundled import TRAINED_ON
from dinoscope.io.fingerprint import fingerprint
from dinoscope.io.images import read_photograph
from dinoscope.io.sources import photograph_paths

TARGET = Path(__file__).resolve().parents[1] / "src" / "dinoscope" / "weights" / TRAINED_ON


def main(words: Sequence[str]) -> None:
    """All of a folder, in the order of their names."""
    paths, failures = photograph_paths([Path(word) for word in words])
    if failures or not paths:
        raise SystemExit(f"no photographs: {failures}")
    bits = np.stack([fingerprint(read_photograph(path)) for path in paths])
    np.save(TARGET, bits, allow_pickle=False)
    print(f"{TARGET}: {len(bits):,} photographs, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])

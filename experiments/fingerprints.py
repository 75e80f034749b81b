"""Writes the fingerprints of the photographs that the bundled pair learned from into the package.

    python -m experiments.fingerprints PHOTOGRAPHS...

PHOTOGRAPHS are the folders or archives that the trunk learnt from (see `README.md` here). A minute for 40,000
thumbnails; 32 bytes a photograph.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dinoscope.backbones.bundled import TRAINED_ON
from dinoscope.io.collections.collection import each_item
from dinoscope.io.fingerprint import fingerprint

TARGET = Path(__file__).resolve().parents[1] / "src" / "dinoscope" / "weights" / TRAINED_ON


def write_fingerprints(words: Sequence[str]) -> str:
    """All photographs of folders and archives, in their order; says what was written."""
    bits = [fingerprint(item.load()) for word in words for item in each_item(Path(word))]
    np.save(TARGET, np.stack(bits), allow_pickle=False)
    return f"{TARGET}: {len(bits):,} photographs, {TARGET.stat().st_size:,} bytes"


if __name__ == "__main__":
    print(write_fingerprints(sys.argv[1:]))

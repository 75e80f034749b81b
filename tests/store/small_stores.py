"""Tables filled with vectors of a few clusters, for tests of what is built on them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from dinoscope.data.grid import PatchGrid
from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.maths.pca import patch_moments
from dinoscope.store.schema import NewRow, TableSettings
from dinoscope.store.store import FeatureTable, open_store
from dinoscope.store.writer import open_writer

DIM = 16
SETTINGS = TableSettings(
    backbone="tests",
    weights_digest="ab" * 32,
    layer=3,
    final_norm=True,
    dtype="float32",
    resize="bilinear",
    mean=(0.1, 0.2, 0.3),
    std=(0.4, 0.5, 0.6),
    dim=DIM,
    grid=4,
)
MOMENTS = patch_moments(np.random.default_rng(1).normal(size=(16, DIM)).astype(np.float32))


def vector(i: int) -> np.ndarray:
    """A mixture of 20 clusters."""
    centre = np.random.default_rng(10_000 + i % 20).normal(size=DIM)
    return centre + 0.4 * np.random.default_rng(i).normal(size=DIM)


def fill(
    path: Path,
    rows: range,
    *,
    settings: TableSettings = SETTINGS,
    commit_rows: int = 100,
    has_cls: bool = True,
    shots: Mapping[int, Shot] = MappingProxyType({}),
    source: str = "/photos/{}.png",
) -> FeatureTable:
    names = ("mean", "gem", "foreground", *(("cls",) if has_cls else ()))
    with open_writer(path, settings, commit_rows=commit_rows) as writer:
        for i in rows:
            found = vector(i)[: settings.dim]
            new = NewRow(
                digest=f"{i:064x}"[::-1],
                source=source.format(i),
                stamp="",
                grid=PatchGrid(4, 4, 8, (32, 32)),
                vectors=dict.fromkeys(names, found),
                foreground_share=0.5,
                moments=MOMENTS,
                shot=shots.get(i, UNKNOWN),
            )
            if writer.claim(new.digest):
                writer.add(new)
    return open_store(path).table(settings.table_name)

"""Pictures of `dinoscope search --why`."""

from __future__ import annotations

import sys
from pathlib import Path

from dinoscope.backbones.base import Backbone
from dinoscope.data.retrieval import Hits
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.errors import ImageError
from dinoscope.io.images import read_photograph
from dinoscope.maths.suppression import Suppression
from dinoscope.retrieval.figures.match import plot_match
from dinoscope.retrieval.patches import why_match
from dinoscope.retrieval.queries import Region, features_of, stored_photograph
from dinoscope.store.store import FeatureStore


def write_matches(
    store: FeatureStore,
    query: str | Path,
    hits: Hits,
    folder: Path,
    *,
    region: Region,
    suppression: Suppression,
    backbone: Backbone | None,
) -> None:
    """A picture of every hit that is a file here: what each patch gives to its score."""
    table = store.table()
    asked = read_photograph(query)
    features = features_of(table, asked, backbone)
    folder.mkdir(parents=True, exist_ok=True)
    for hit in hits.hits:
        try:
            found = stored_photograph(hit.source, hit.digest)
        except ImageError as error:
            print(f"no picture of hit {hit.rank}: {error}", file=sys.stderr)
            continue
        match = why_match(
            features,
            features_of(table, found, backbone),
            pooling=hits.pooling,
            suppression=suppression,
            region=region,
        )
        (folder / f"{hit.rank:02}.png").write_bytes(png_bytes(plot_match(match, asked, found)))
    print(f"pictures: {folder}", file=sys.stderr)

"""Pictures of `dinoscope search --why`."""

from __future__ import annotations

import sys
from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.backbones.base import Backbone
from dinoscope.data.retrieval import Hits
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.errors import ImageError
from dinoscope.maths.suppression import Suppression
from dinoscope.names import path_named
from dinoscope.pipeline.photographs import ImageLike
from dinoscope.retrieval.figures.match import plot_match
from dinoscope.retrieval.patches import why_match
from dinoscope.retrieval.queries import (
    Region,
    check_not_compressed,
    features_of,
    photograph_of,
    stored_photograph,
)
from dinoscope.shell.paths import check_out
from dinoscope.store.store import FeatureStore


def write_matches(
    store: FeatureStore,
    query: ImageLike,
    hits: Hits,
    folder: Path,
    *,
    region: Region,
    suppression: Suppression,
    backbone: Backbone | None,
) -> None:
    """A picture of every hit that is a file here: what each patch gives to its score.

    Raises:
        InputError: the hits' own photographs lie in ``folder``.
    """
    table = store.table()
    check_not_compressed(table, "what each patch gives to a score")
    asked = photograph_of(table, query)
    features = features_of(table, asked, backbone)
    check_out(folder, {Path(path_named(hit.source)).parent for hit in hits.hits})
    for hit in hits.hits:
        try:
            found = stored_photograph(table, hit.source, hit.digest)
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
        write_bytes(folder / f"{hit.rank:02}.png", png_bytes(plot_match(match, asked, found)))
    print(f"pictures: {folder}", file=sys.stderr)

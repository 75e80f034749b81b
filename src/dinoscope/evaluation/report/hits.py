"""Hits before and after a suppression, and what it removed, as parts of the page of retrieval scores."""

from __future__ import annotations

import numpy as np
from markupsafe import Markup

from dinoscope.drawing.html import jpeg_uri
from dinoscope.drawing.pages import fill
from dinoscope.evaluation.pictures_values import Pictures
from dinoscope.evaluation.report.maps import removed_uri


def hits_section(pictures: Pictures | None) -> Markup:
    """Queries with both rankings; what is not shown, and why. Empty without pictures."""
    if pictures is None or not (pictures.queries or pictures.notes):
        return Markup()
    return fill("evaluation/report/hits.html", pictures=pictures, jpeg_uri=jpeg_uri, directions=directions)


def removed_section(pictures: Pictures | None) -> Markup:
    """Photographs beside the share of each patch that was removed; empty where there is none."""
    if pictures is None or not pictures.removed:
        return Markup()
    return fill(
        "evaluation/report/removed.html",
        pictures=pictures,
        scale=removed_uri(np.linspace(0.0, 1.0, 64)[None]),
        jpeg_uri=jpeg_uri,
        removed_uri=removed_uri,
        quantile=np.quantile,
        directions=directions,
    )


def directions(k: int) -> str:
    """So many of them, in words."""
    return f"{k} direction{'' if k == 1 else 's'}"

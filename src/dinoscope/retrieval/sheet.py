"""Hits as one page to keep or to send: photographs, ranks, cosines and names, all in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from dinoscope.atomic import write_text
from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Hits
from dinoscope.drawing.html import jpeg_uri
from dinoscope.drawing.pages import STATIC_POLICY, fill
from dinoscope.errors import DinoscopeError
from dinoscope.io.images import preview
from dinoscope.io.sources import inside
from dinoscope.retrieval.photographs import StorePhotographs
from dinoscope.retrieval.queries import photograph_of
from dinoscope.retrieval.text import said_of
from dinoscope.store.reading import StoredRow, rows_of
from dinoscope.store.store import FeatureTable

SHEET = "hits.html"
SIDE_PX = 384
"""Longest side of a photograph on the sheet."""

NARROWEST, WIDEST = 0.6, 2.4
"""Proportions that a photograph takes in its row, at least and at most."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One photograph of the sheet.

    Attributes:
        label, source: its name, and where it was found.
        shown: width to height of its place.
        uri: its picture; empty where it cannot be shown.
        reason: why not.
        rank, score: of a hit, as they are shown.
    """

    label: str
    source: str
    shown: float = 1.0
    uri: str = ""
    reason: str = ""
    rank: str = ""
    score: str = ""


def write_contact_sheet(table: FeatureTable, asked: Sequence[str], hits: Hits, folder: Path) -> Path:
    """The sheet as `SHEET` in a folder; it asks for nothing outside of itself.

    Args:
        table: searched in.
        asked: files that were searched for.
        hits: found; one whose file is gone has its name and the reason.
        folder: made where missing.
    """
    photographs = StorePhotographs()
    rows = rows_of(table, [hit.digest for hit in hits.hits])
    found = [
        _tile(rows[hit.digest], photographs, table, str(hit.rank), f"{hit.score:.3f}") for hit in hits.hits
    ]
    page = fill(
        "retrieval/page/sheet.html",
        hits=hits,
        said=said_of(hits),
        asked=[_asked(table, image) for image in asked],
        found=found,
        policy=Markup(STATIC_POLICY),
        style=fill("retrieval/page/sheet.css"),
    )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / SHEET, str(page))
    return folder / SHEET


def _tile(row: StoredRow, photographs: StorePhotographs, table: FeatureTable, rank: str, score: str) -> Tile:
    label = inside(row.source).name or row.source
    try:
        uri, shown = _picture(photographs.of([table], row.digest))
    except DinoscopeError as error:
        return Tile(label, row.source, reason=str(error), rank=rank, score=score)
    return Tile(label, row.source, shown, uri, rank=rank, score=score)


def _asked(table: FeatureTable, image: str) -> Tile:
    try:
        photograph = photograph_of(table, image)
    except DinoscopeError as error:
        return Tile(image, image, reason=str(error))
    uri, shown = _picture(photograph)
    return Tile(photograph.name, photograph.source, shown, uri)


def _picture(photograph: Photograph) -> tuple[str, float]:
    width, height = photograph.size
    uri = jpeg_uri(preview(photograph, longest_px=SIDE_PX).pixels)
    return uri, min(WIDEST, max(NARROWEST, width / height))

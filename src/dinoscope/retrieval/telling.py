"""What `dinoscope search` prints, and the sheet it writes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from dinoscope.data.retrieval import Hits
from dinoscope.retrieval.text import hits_text
from dinoscope.store.store import FeatureStore
from dinoscope.strict_json import strict_json


def tell_hits(
    store: FeatureStore, asked: Sequence[str], hits: Hits, out: Path | None, *, as_json: bool
) -> None:
    """Print the hits; and write their sheet, where a folder is named, and say so on stderr."""
    print(strict_json(hits) if as_json else hits_text(hits))
    if out is not None:
        from dinoscope.retrieval.sheet import write_contact_sheet  # takes what draws

        print(f"contact sheet: {write_contact_sheet(store.table(), asked, hits, out)}", file=sys.stderr)

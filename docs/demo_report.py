"""The demo's report as a part of the site: made when that is built, or copied from `GIVEN`."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from sphinx.application import Sphinx

GIVEN = "DINOSCOPE_DEMO_REPORT"
"""The environment variable that names a report that is there already: making one takes a minute."""


def setup(app: Sphinx) -> None:
    """Have the report written after the pages that link to it."""
    app.connect("build-finished", write_report)


def write_report(app: Sphinx, exception: Exception | None) -> None:
    """``demo/report.html`` beside the pages."""
    if exception is not None or app.builder.format != "html":
        return
    target = Path(app.outdir) / "demo" / "report.html"
    target.parent.mkdir(exist_ok=True)
    given = os.environ.get(GIVEN)
    if given:
        shutil.copyfile(given, target)
        return
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    import dinoscope as ds
    from examples.demo import MODELS, demo_photographs

    ds.write_report(ds.compare(demo_photographs(), MODELS.split(",")), target)

"""Serves the live page with the pixels control, as the command line would: run as a program."""

from __future__ import annotations

import sys
from pathlib import Path

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.viewer import serve
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.session import Session
from dinoscope.data.results import Comparison
from dinoscope.io.images import decode_photograph, read_photograph


def main(folder: str, *photographs: str) -> None:
    report = Path(folder) / "report.html"

    def write(comparison: Comparison) -> Path:
        report.parent.mkdir(exist_ok=True)
        write_report(comparison, report)
        return report

    serve(
        [Path(photograph) for photograph in photographs],
        Session([load_backbone("pixels"), load_backbone("pixels")]),
        PageOptions(("pixels", "pixels (2)"), 8, write, on_report=lambda said: print(said, flush=True)),
        read=read_photograph,
        decode=lambda data, name: decode_photograph(data, name=name),
        on_ready=lambda address: print(address, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

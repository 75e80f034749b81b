"""Serves the live page with the pixels control, or with the models that $MODELS names: run as a program."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.viewer import serve
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.session import Session
from dinoscope.data.results import Comparison
from dinoscope.io.images import decode_photograph, read_photograph
from dinoscope.view.asked.answers import PageAnswers


def main(folder: str, *photographs: str) -> None:
    report = Path(folder) / "report.html"

    def write(comparison: Comparison) -> Path:
        report.parent.mkdir(exist_ok=True)
        write_report(comparison, report)
        return report

    session = Session([load_backbone(name) for name in os.environ.get("MODELS", "pixels,pixels").split(",")])
    serve(
        [Path(photograph) for photograph in photographs],
        session,
        PageOptions(
            session.plan(8).labels,
            8,
            write,
            on_report=lambda said: print(said, flush=True),
            answerer=PageAnswers(session),
        ),
        read=read_photograph,
        decode=lambda data, name: decode_photograph(data, name=name),
        on_ready=lambda address: print(address, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

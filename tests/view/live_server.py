"""Serves the live page with the pixels control, as the command line would: run as a program."""

from __future__ import annotations

import sys
from pathlib import Path

from dinoscope.analyses.session import Session
from dinoscope.backbones.load import load_backbone
from dinoscope.io.images import decode_photograph, read_photograph
from dinoscope.present.output import write_comparison
from dinoscope.present.viewer import serve


def main(folder: str, *photographs: str) -> None:
    serve(
        [Path(photograph) for photograph in photographs],
        Session([load_backbone("pixels"), load_backbone("pixels")]),
        read=read_photograph,
        decode=lambda data, name: decode_photograph(data, name=name),
        labels=("pixels", "pixels (2)"),
        export=lambda comparison: write_comparison(comparison, folder),
        grid=8,
        on_ready=lambda address: print(address, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

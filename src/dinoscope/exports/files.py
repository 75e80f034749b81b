"""A certificate in a folder: its numbers, and where the export departs."""

from __future__ import annotations

from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.exports.certificate import ExportCertificate
from dinoscope.exports.figures import plot_certificate
from dinoscope.exports.text import certificate_json


def write_certificate(found: ExportCertificate, folder: Path) -> None:
    """``certificate.json`` and ``where.png``."""
    write_bytes(folder / "certificate.json", certificate_json(found).encode())
    write_bytes(folder / "where.png", png_bytes(plot_certificate(found)))

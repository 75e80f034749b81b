"""Views as files and as text."""

from __future__ import annotations

from pathlib import Path

from dinoscope import __version__
from dinoscope.atomic import write_bytes
from dinoscope.data.spec import kind_flags
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.io.json_files import write_json
from dinoscope.looking.figure import plot_views
from dinoscope.looking.views import Views

SCHEMA_VERSION = 1
FILE, PICTURE = "look.json", "look.png"


def write_views(views: Views, folder: Path) -> None:
    """`FILE` and `PICTURE`, each whole or not at all."""
    write_json(folder / FILE, views_content(views))
    write_bytes(folder / PICTURE, png_bytes(plot_views(views)))


def views_content(views: Views) -> dict[str, object]:
    """What `FILE` holds: for each model and way of looking, what the figure says below the map."""
    photo = views.photograph
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "photograph": {"name": photo.name, "digest": photo.digest, "size": photo.size},
        "at": views.at,
        "models": [
            {
                "label": model.label,
                **kind_flags(model.kind),
                "facts": model.facts,
                "patch": model.patch,
                "views": [
                    {
                        "name": view.name,
                        "kind": view.kind,
                        "shape": None if view.values is None else view.values.shape[:2],
                        "note": view.note,
                    }
                    for view in model.views
                ],
            }
            for model in views.models
        ],
    }


def views_text(views: Views, folder: Path) -> str:
    """A line a model, and where the picture is."""
    lines = []
    for model in views.models:
        missing = [view.name for view in model.views if view.values is None]
        without = f"; no {', '.join(missing)}" if missing else ""
        lines.append(f"{model.label}: {len(model.views) - len(missing)} maps, {model.facts}{without}")
    return "\n".join([*lines, str(folder / PICTURE)])

"""Write: scenes as files that other commands, and other tools, can read."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from PIL import Image

from dinoscope.atomic import write_text, write_whole
from dinoscope.errors import InputError
from dinoscope.scenes.classes import class_names, scene_labels
from dinoscope.scenes.generate import draw_scene
from dinoscope.scenes.scene import Scene, SceneKeywords, SceneSettings, View

LAYOUT_VERSION = 1
"""Version of the folder and of how scenes are drawn; scenes of different versions do not mix in one."""

COLUMNS = ("name", "label", "class_id", "background")


def write_scenes(
    folder: Path | str,
    n: int,
    seed: int,
    *,
    on_progress: Callable[[int], None] | None = None,
    **settings: Unpack[SceneKeywords],
) -> int:
    """Write the first n scenes of a seed; scenes that the folder already holds are not drawn again.

    ::

        scenes.json             layout version, seed, settings, class names
        labels.csv              name,label,class_id,background of every finished scene; written last
        images/0000.png         the photograph
        masks/instance/0000.png masks/class/0000.png masks/part/0000.png
                                label images of the photograph, 0 the background; 8 bits
        depth/0000.npy          float32 "H W"
        second/images/0000.png  the second view; second/masks/... its masks
        flow/0000.npz           flow float32 "H W 2", valid bool "H W": first view to second
        objects/0000.json       every object's class, parts, depth, box, visible share; the order of
                                occlusion; written last for each scene

    ``name`` in ``labels.csv`` is the photograph's file name, ``label`` the main subject's class. Masks
    bear the photograph's name. Every file is there whole or not at all, so that an interrupted run
    goes on where it stopped; a larger ``n`` later adds scenes.

    Args:
        folder: created where missing; empty, or of the same seed and settings.
        on_progress: called with the number of scenes finished, first with those that were there.
        settings: ``size``, ``background_correlation``, ``lighting``, ``blur``, ``noise`` and ``n_classes`` of
            `SceneSettings`.

    Returns:
        How many scenes were drawn now.

    Raises:
        InputError: an argument outside its range, or a folder that holds something else.
    """
    if n < 1:
        raise InputError(f"n {n}: give a number of scenes from 1 up")
    chosen = SceneSettings(**settings)
    folder = Path(folder)
    labels = list(scene_labels(n, seed, chosen))
    _claim(folder, seed, chosen)
    missing = [index for index in range(n) if not (folder / "objects" / f"{index:04d}.json").is_file()]
    if on_progress:
        on_progress(n - len(missing))
    for done, index in enumerate(missing, n - len(missing) + 1):
        _write_scene(folder, draw_scene(seed, index, chosen))
        if on_progress:
            on_progress(done)
    finished = n
    while (folder / "objects" / f"{finished:04d}.json").is_file():
        finished += 1
    if finished > n:
        labels = list(scene_labels(finished, seed, chosen))
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(COLUMNS)
    for index, label in enumerate(labels):
        rows.writerow((f"{index:04d}.png", label.class_name, label.class_id, label.background))
    write_text(folder / "labels.csv", table.getvalue())
    return len(missing)


def _claim(folder: Path, seed: int, settings: SceneSettings) -> None:
    """Make the folder this seed's and settings'; refuse one that is another's."""
    wanted = {
        "version": LAYOUT_VERSION,
        "seed": seed,
        "settings": asdict(settings) | {"size": list(settings.size)},
        "classes": list(class_names(settings.n_classes)),
    }
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder")
    path = folder / "scenes.json"
    if path.is_file():
        try:
            found = json.loads(path.read_text("utf-8"))
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}: is damaged; name another folder, or delete this one") from error
        if found != wanted:
            different = _differences(found, wanted)
            raise InputError(
                f"{folder} holds scenes with other settings ({different}); name another folder, "
                "use the same settings, or delete this one"
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder}: holds other files; name an empty or a new folder")
    write_text(path, json.dumps(wanted, indent=1) + "\n")


def _differences(found: object, wanted: dict[str, Any]) -> str:
    if not isinstance(found, dict) or not isinstance(found.get("settings"), dict):
        return "not written by this command"
    there = {"version": found.get("version"), "seed": found.get("seed"), **found["settings"]}
    here = {"version": wanted["version"], "seed": wanted["seed"], **wanted["settings"]}
    names = [name for name in here if there.get(name) != here[name]]
    return (
        ", ".join(f"{name}: {there.get(name)} there, {here[name]} asked for" for name in names)
        or "other classes"
    )


def _write_scene(folder: Path, made: Scene) -> None:
    name = f"{made.index:04d}"
    for place, view in ((folder, made.first), (folder / "second", made.second)):
        _write_view(place, name, view)
    write_whole(folder / "depth" / f"{name}.npy", lambda file: np.save(file, made.first.depth))
    write_whole(
        folder / "flow" / f"{name}.npz",
        lambda file: np.savez_compressed(file, flow=made.flow, valid=made.valid),
    )
    record = {
        "name": f"{name}.png",
        "label": asdict(made.label),
        "order": made.order,
        "objects": [asdict(each) for each in made.objects],
    }
    write_text(folder / "objects" / f"{name}.json", json.dumps(record, indent=1) + "\n")


def _write_view(place: Path, name: str, view: View) -> None:
    _write_png(place / "images" / f"{name}.png", view.image)
    for kind, mask in (("instance", view.instances), ("class", view.classes), ("part", view.parts)):
        # Labels stay far below 256: at most 14 objects, 48 classes and 7 parts.
        _write_png(place / "masks" / kind / f"{name}.png", mask.astype(np.uint8))


def _write_png(path: Path, pixels: np.ndarray) -> None:
    write_whole(path, lambda file: Image.fromarray(pixels).save(file, format="PNG"))

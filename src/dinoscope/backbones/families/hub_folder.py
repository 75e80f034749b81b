"""A folder of the hub: where it is, what it states, which of its files holds the weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dinoscope.backbones import advice, catalog, hub, licences
from dinoscope.backbones.catalog import HubSource
from dinoscope.backbones.checkpoints.folders import model_folder, read_json
from dinoscope.backbones.checkpoints.impostors import check_file
from dinoscope.backbones.normalisation import Described, Triple, UnusableError, stated
from dinoscope.errors import UnknownBackboneError, WeightsError
from dinoscope.names import at_home

_COLOURS = (hub.PREPROCESSOR, hub.PROCESSOR, hub.VIDEO_PREPROCESSOR)
"""Files that state a mean and std, best first."""


class Place(NamedTuple):
    """A folder, where it came from, and which one was taken where there was a choice."""

    folder: Path
    source: str
    notes: tuple[str, ...] = ()


def find_place(reference: str, name: str) -> Place:
    """The folder of ``ORG/NAME`` or of a path.

    Args:
        reference: as somebody wrote it.
        name: of the backbone, for errors.

    Raises:
        UnknownBackboneError: neither a folder nor ``ORG/NAME``.
        WeightsError: not to be had.
    """
    path = at_home(reference)
    if path.is_dir():
        folder, notes = model_folder(path)
        return Place(folder, str(path), notes)
    if path.is_absolute() or reference.startswith((".", "~")):
        raise WeightsError(name, "there is no such folder", ("check the path",))
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", reference):
        raise UnknownBackboneError(name, ())
    snapshot = hub.locate(
        name,
        (HubSource(reference),),
        advice.steps_for_foreign(reference),
        extra_files=(hub.PREPROCESSOR,),
        beside=(hub.PROCESSOR, hub.VIDEO_PREPROCESSOR, hub.CARD),
    )
    return Place(snapshot.folder, snapshot.source)


def read_settings(path: Path, name: str) -> Mapping[str, Any]:
    """A JSON object of the folder.

    Raises:
        WeightsError: not one.
    """
    try:
        return read_json(path)
    except WeightsError as error:
        raise WeightsError(name, f"{path.name}: {error.reason}", error.steps) from error
    except OSError as error:
        raise WeightsError(name, f"{path.name} cannot be read ({error.strerror})") from error


def stated_colours(folder: Path, name: str) -> tuple[Triple, Triple]:
    """Mean and standard deviation as the checkpoint states them: the defaults of classes differ.

    Raises:
        WeightsError: none stated, or none that can be used.
    """
    advise = (f"put the model's {hub.PREPROCESSOR}, with image_mean and image_std, beside its weights",)
    for file in _COLOURS:
        if not (folder / file).is_file():
            continue
        facts = read_settings(folder / file, name)
        inner = facts.get("image_processor")
        try:
            return stated(Described(inner if isinstance(inner, Mapping) else facts, file))
        except UnusableError as error:
            raise WeightsError(name, str(error), advise) from error
    raise WeightsError(name, f"no {hub.PREPROCESSOR}: its mean and std cannot be known", advise)


def weights_variant(folder: Path, name: str) -> str | None:
    """``fp16`` where ``model.fp16.safetensors`` is the only file; None for ``model.safetensors``.

    Raises:
        WeightsError: neither, or files that are no weights.
    """
    files = sorted(folder.glob("*.safetensors"))
    for file in files:
        check_file(file)
    if (folder / hub.SINGLE).is_file() or (folder / hub.INDEX).is_file():
        return None
    variants = [
        m.group(1) for file in files if (m := re.fullmatch(r"model\.([\w-]+)\.safetensors", file.name))
    ]
    if len(variants) == 1:
        return variants[0]
    raise WeightsError(
        name,
        f"{folder} holds neither {hub.SINGLE} nor {hub.INDEX}",
        (
            "where the model loads, save it anew: `model.save_pretrained(FOLDER)` writes safetensors",
            "of several variants, leave one in the folder",
        ),
    )


def licence_of(reference: str, folder: Path) -> str:
    """As the catalog has it, or the model's card states it."""
    if catalog.is_known(reference):
        return catalog.find(reference).licence
    return licences.of_card(folder / hub.CARD)

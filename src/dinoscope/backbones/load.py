"""load_backbone: from a name, a path or both to a backbone that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import torch

from dinoscope.backbones import advice, bundled, catalog, hub, licences, normalisation
from dinoscope.backbones.base import Backbone, check_backbone
from dinoscope.backbones.checkpoints import checkpoint as checkpoints
from dinoscope.backbones.checkpoints.layouts import OTHERWISE
from dinoscope.backbones.controls import Blurred, Pixels, blurred_spec
from dinoscope.backbones.facets import facet_of
from dinoscope.backbones.families import dino
from dinoscope.backbones.finer import finer_of
from dinoscope.backbones.memory import check_weights
from dinoscope.backbones.references import BLUR, FINER, Reference, read_reference, weights_stem
from dinoscope.data.grid import seed_number
from dinoscope.data.kinds import check_kind
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD, BackboneSpec, WeightsOrigin
from dinoscope.errors import InputError, WeightsError, shortened


def load_backbone(
    name: str | None = None,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "cpu",
    dtype: torch.dtype | str | None = None,
    seed: int = 0,
) -> Backbone:
    """A frozen backbone, ready to run.

    Args:
        name: a catalog name, or another spelling of one (`facebook/...` and `timm/...` hub ids,
            torch.hub names); the path of a checkpoint; ``NAME=PATH``; ``pixels``; ``random:NAME``;
            ``blur:``, a facet (``key:``, see `facet_of`) or a finer grid (``finer2:``, see `finer_of`) before
            any of these; ``timm:NAME``; ``hf:ORG/NAME`` or ``hf:FOLDER``;
            ``py:MODULE:FUNCTION``, which runs that function; ``dinotxt`` or ``dinotxt:FOLDER``. A name
            of the catalog wins over a file of that name: write ``./NAME`` for the file. Of a file with
            several networks, ``PATH#PREFIX`` names one.
        weights: a checkpoint file or folder, in the official, timm or Hugging Face layout, PyTorch's or
            .safetensors. With a name it must fit that architecture; alone, the architecture is read
            off its tensors. Without, the local hub cache is searched, then the hub.
        device: as torch spells it; ``auto`` takes the first of CUDA, MPS and CPU that is there.
        dtype: of the arithmetic, a torch dtype or its name; None for float32. Outputs are float32.
        seed: of ``random:``; nothing else is random.

    Raises:
        UnknownBackboneError: a name that is in no catalog; with the nearest names.
        WeightsError: weights that cannot be had or do not fit; with what to do.
        MissingExtraError: ``timm:`` without timm.
        InputError: neither name nor weights, or weights for something that takes none.
    """
    check_kind("" if name is None else name, str, "a name or a path as text, or weights=PATH")
    reference = read_reference(name, weights)
    built = _built(reference, seed_number(seed))
    for way in reversed(reference.ways):
        built = _looked_at(built, way)
    return built.to(torch_device(device), torch_dtype(dtype))


def as_backbone(backbone: Backbone | str) -> Backbone:
    """A backbone as it is; one that is named is loaded, in float32 on the CPU."""
    if isinstance(backbone, str):
        return load_backbone(backbone)
    check_backbone(backbone)
    return backbone


def planned_spec(name: str) -> BackboneSpec | None:
    """The spec a name will have, before anything is loaded; None where only the weights tell.

    Raises:
        UnknownBackboneError: a name that is in no catalog.
    """
    reference = read_reference(name)
    if reference.entry is not None:
        spec = (
            _published_spec(reference.entry)
            if reference.kind == "published"
            else _random_spec(reference.entry)
        )
    elif reference.kind == "pixels":
        spec = Pixels().spec
    else:
        return None
    for way in reversed(reference.ways):
        spec = blurred_spec(spec) if way == BLUR else replace(spec, name=f"{way}:{spec.name}")
    return spec


def torch_device(device: str | torch.device) -> torch.device:
    """A device; ``auto`` is the first of CUDA, MPS and CPU that is there.

    Raises:
        InputError: no such device, or not on this machine.
    """
    if device == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise InputError(f"no device {device!r}: use auto, cpu, cuda, cuda:1 or mps") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise InputError("device cuda: torch sees no CUDA GPU here; use cpu or auto")
    if found.type not in ("cpu", "meta"):
        try:
            torch.empty(1, device=found)
        except Exception as error:  # each kind of device has errors of its own where it is not there
            raise InputError(
                f"device {device}: not on this machine ({shortened(error)}); use cpu or auto"
            ) from error
    if found.type == "meta":
        raise InputError("device meta: nothing is computed there; use cpu or auto")
    return found


def torch_dtype(dtype: torch.dtype | str | None) -> torch.dtype:
    """A floating-point dtype, from itself or its name; None is float32.

    Raises:
        InputError: not a floating-point dtype.
    """
    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype or torch.float32
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise InputError(f"dtype {dtype!r}: use float32, bfloat16 or float16")
    return found


def _looked_at(backbone: Backbone, way: str) -> Backbone:
    """A backbone in one of the ways that a prefix of its name asks for."""
    if way == BLUR:
        return Blurred(backbone)
    if way.startswith(FINER):
        return finer_of(backbone, int(way.removeprefix(FINER)))
    return facet_of(backbone, way)


def _built(reference: Reference, seed: int) -> Backbone:
    entry, path = reference.entry, reference.path
    if entry is not None:
        return _published(entry, reference) if reference.kind == "published" else _random(entry, seed)
    if path is not None:
        return _from_path(path, reference.inside)
    if reference.kind == "timm":
        from dinoscope.backbones.families.timm import load_timm

        return load_timm(reference.rest)
    if reference.kind == "hf":
        from dinoscope.backbones.families.huggingface import load_huggingface

        return load_huggingface(reference.rest)
    if reference.kind == "py":
        from dinoscope.backbones.families.function import load_function

        return load_function(reference.rest)
    if reference.kind == "dinotxt":
        return _with_words(reference.rest)
    return Pixels()


def _with_words(rest: str) -> Backbone:
    from dinoscope.backbones.families import dinotxt, dinotxt_files

    dinotxt_files.file_at(rest, dinotxt_files.HEAD_FILE)
    entry = catalog.find(dinotxt_files.VISION)
    path = dinotxt_files.vision_file(rest, entry)
    try:
        vision = _published(entry, Reference("published", entry, path))
    except WeightsError as error:
        beside = f"put {entry.official_file} from {entry.official_page} into {dinotxt_files.place(rest)}"
        raise WeightsError(error.name, error.reason, (beside, *error.steps[:1])) from error
    return dinotxt.with_head(vision, rest)


def _random(entry: catalog.Entry, seed: int) -> Backbone:
    check_weights(entry.architecture, f"random:{entry.name}")
    return dino.random_backbone(entry.architecture, _random_spec(entry), seed)


def _random_spec(entry: catalog.Entry) -> BackboneSpec:
    return dino.spec_for(
        entry.architecture,
        f"random:{entry.name}",
        mean=entry.mean,
        std=entry.std,
        licence="none",
        control=True,
        description=f"the architecture of {entry.name} with seeded random weights",
    )


def _published_spec(entry: catalog.Entry) -> BackboneSpec:
    return dino.spec_for(
        entry.architecture,
        entry.name,
        mean=entry.mean,
        std=entry.std,
        licence=entry.licence,
        toy=entry.bundled,
        description=entry.description,
    )


def _published(entry: catalog.Entry, reference: Reference) -> dino.DinoBackbone:
    """A catalog model, from a checkpoint of the user's own or from the hub."""
    path = reference.path
    notes: tuple[str, ...] = ()
    check_weights(entry.architecture, entry.name)
    if path is None and entry.bundled:
        loaded = checkpoints.read_weights(bundled.folder(entry.name))
        source = bundled.source(entry.name)
    elif path is None:
        snapshot = hub.locate(entry.name, entry.sources, advice.steps_for(entry))
        loaded = checkpoints.read_weights(snapshot.folder)
        source = snapshot.source
    else:
        loaded = checkpoints.read_weights(path)
        notes = _identity_notes(entry, path, loaded.digest)
        source = loaded.source
    found = _recognised(loaded, reference.inside, entry)
    checkpoints.check_architecture(found.architecture, entry.architecture, entry.name)
    used = normalisation.published(entry.mean, entry.std, loaded.described)
    notes = (*loaded.notes, *found.notes, *notes, *used.notes)
    origin = WeightsOrigin(source, loaded.digest, found.layout, notes, used.statistics)
    licences.give_notice(entry.licence)
    return dino.build(found, _published_spec(entry), origin)


def _identity_notes(entry: catalog.Entry, path: Path, digest: str) -> tuple[str, ...]:
    """Is the file what it was asked for as?

    Normalisation hangs on the name, so the file of another published model is refused.
    """
    known = catalog.official(path.name, digest)
    if known is None:
        return ()
    if known.name != entry.name:
        raise WeightsError(
            entry.name,
            f"{path.name} is the published checkpoint of {known.name}",
            (
                f"ask for {known.name}={path}",
                f"rename the file if it is a checkpoint of {entry.name} after all",
            ),
        )
    if known.hash_prefix and not digest.startswith(known.hash_prefix):
        return (f"the file's name promises sha256 {known.hash_prefix}..., its content is {digest[:8]}...",)
    return ()


def _recognised(
    loaded: checkpoints.Weights, inside: str, known: catalog.Entry | None
) -> checkpoints.Recognised:
    """What the tensors are; errors name the file."""
    named = known.architecture if known is not None else None
    try:
        return checkpoints.recognise(loaded.tensors, loaded.config, inside=inside, named=named)
    except WeightsError as error:
        raise WeightsError(loaded.source, error.reason, error.steps or OTHERWISE) from error


def _from_path(path: Path, inside: str) -> Backbone:
    """A checkpoint alone: the architecture is read off its tensors, the rest off its name and content."""
    loaded = checkpoints.read_weights(path)
    stem = weights_stem(path)
    known = catalog.official(path.name, loaded.digest)
    found = _recognised(loaded, inside, known)
    notes: tuple[str, ...] = ()
    if known is not None:
        checkpoints.check_architecture(found.architecture, known.architecture, known.name)
        used = normalisation.published(known.mean, known.std, loaded.described)
        notes = (f"recognised as {known.name}", *_identity_notes(known, path, loaded.digest))
        licences.give_notice(known.licence)
    elif re.search(r"(?<![a-z])sat(?![a-z])|sat493m", stem.lower()):
        why = "normalisation of the DINOv3 satellite models assumed, because of the file's name"
        used = normalisation.assumed(catalog.SATELLITE_MEAN, catalog.SATELLITE_STD, why, loaded.described)
    else:
        why = "normalisation assumed: ImageNet mean and std, as of the published DINO models"
        used = normalisation.assumed(IMAGENET_MEAN, IMAGENET_STD, why, loaded.described)
    spec = dino.spec_for(
        found.architecture,
        stem,
        mean=used.mean,
        std=used.std,
        licence=known.licence if known else licences.of_card(path / hub.CARD),
        description=known.description
        if known
        else f"checkpoint {path.name}, architecture read off its tensors",
    )
    notes = (*loaded.notes, *found.notes, *notes, *used.notes)
    origin = WeightsOrigin(loaded.source, loaded.digest, found.layout, notes, used.statistics)
    return dino.build(found, spec, origin)

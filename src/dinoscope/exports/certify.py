"""Run photographs through a model and through its export, and compare patch by patch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from jaxtyping import Float

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import as_backbone
from dinoscope.data.photograph import Photograph
from dinoscope.doctor.diagnosis import Recipe
from dinoscope.doctor.explain.pixels import wrong_pixels
from dinoscope.doctor.explain.render import Renderer
from dinoscope.doctor.explain.variants import n_prefix
from dinoscope.errors import DinoscopeError, InputError, NoUsablePhotographError
from dinoscope.exports.cause import Cause, Failed, likeliest
from dinoscope.exports.certificate import LIMITS, ExportCertificate, Limits, Reading
from dinoscope.exports.onnx_file import OnnxModel
from dinoscope.exports.openvino_file import OpenvinoModel
from dinoscope.exports.outputs import patches_in
from dinoscope.io.foreign_features import ForeignFeatures, holds_features, read_foreign_features
from dinoscope.names import at_home
from dinoscope.pipeline.certificate import patch_cosines
from dinoscope.pipeline.extract import ImageLike, OnFailure, each_image, load_photograph
from dinoscope.pipeline.photographs import report

GRIDS = ((12, 18), (18, 12), (16, 16), (24, 24))
"""Wide, tall, and square at two resolutions: what an export most often was not made for."""

Exported: TypeAlias = str | Path | Backbone | Callable[[Float[torch.Tensor, "1 3 H W"]], Any]


def certify(
    model: Backbone | str,
    exported: Exported,
    photos: ImageLike | Iterable[ImageLike],
    *,
    grids: Sequence[tuple[int, int]] = GRIDS,
    limits: Limits = LIMITS,
    name_cause: bool = True,
    on_failure: OnFailure | None = None,
) -> ExportCertificate:
    """Whether an export, a quantised copy or a remote model gives the dense features that its model gives.

    Args:
        model: in float32; the truth.
        exported: an ``.onnx`` file, or OpenVINO's ``.xml`` with its ``.bin`` beside it; a backbone, or a
            function of normalised pixels (what it may return is said at
            `dinoscope.training.tokens.tokens_of`); or a file of features of the one photograph given
            (``.safetensors``, ``.npz``, ``.npy``), as another machine computed them.
        photos: real photographs: noise excites other directions than they do.
        grids: each photograph is resized to every one of these ``(h, w)``, in patches. An export of a fixed
            size is shown that size alone, a file of features its own.
        limits: of the verdict.
        name_cause: where it does not pass, look for the cause: up to 150 forward passes of the model on the
            smallest grid that does not pass.
        on_failure: called with each photograph that cannot be used, which is then left out. None raises
            at the first.

    Raises:
        InputError: no export that can be read; no patch tokens in it; other channels than the model's; a
            fixed size that is no whole number of patches; a model that is not in float32.
        NoUsablePhotographError: no photograph can be used.
        MissingExtraError: ``.onnx`` or ``.xml`` without the extra.
    """
    backbone = as_backbone(model)
    if backbone.dtype != torch.float32:
        raise InputError(f"a certificate is against float32, and this backbone is {backbone.dtype}")
    name = _name(exported)
    readings: list[Reading] = []
    failed: list[Failed] = []
    runner = _opened(exported)
    asked = _grids(runner, grids, backbone)
    photographs = list(_photographs(photos, on_failure))
    if isinstance(runner, ForeignFeatures):
        _check_photograph(runner, photographs)
    for photograph in photographs:
        renderer = Renderer(photograph, lambda _: backbone)
        for grid in asked:
            recipe = Recipe(backbone.spec.name, grid=grid)
            rows, reading = _read(runner, backbone, renderer, photograph, recipe)
            readings.append(reading)
            if rows is not None and not _keeps(reading, limits):
                failed.append(Failed(reading, ForeignFeatures(rows, grid), renderer, recipe))
    if not readings:
        raise NoUsablePhotographError("no photograph to certify with")
    notes = _notes(runner, backbone.spec.name)
    found = ExportCertificate(backbone.spec.name, name, tuple(readings), limits, notes=notes)
    arithmetic = runner.arithmetic if isinstance(runner, GraphFile) else ""
    cause = Cause() if found.passed else likeliest(found, failed, arithmetic, search=name_cause)
    return ExportCertificate(
        found.model, name, found.readings, limits, cause.words, cause.change, (*notes, *cause.notes)
    )


GraphFile = OnnxModel | OpenvinoModel
Runner: TypeAlias = (
    "OnnxModel | OpenvinoModel | ForeignFeatures | Backbone | Callable[[Float[torch.Tensor, '1 3 H W']], Any]"
)


def _opened(exported: Exported) -> Runner:
    if isinstance(exported, Backbone) or callable(exported):
        return exported
    if not isinstance(exported, str | Path):
        raise InputError(
            f"an export is a file, a backbone or a function of pixels, not {type(exported).__name__}"
        )
    path = at_home(exported)
    if path.suffix.lower() == ".onnx":
        return OnnxModel(path)
    if path.suffix.lower() == ".xml":
        return OpenvinoModel(path)
    if holds_features(path):
        return read_foreign_features(path)
    raise InputError(
        f"{str(exported)!r} is neither an .onnx or .xml file nor a file of features (.npy, .npz, "
        ".safetensors of dinoscope); give anything else as a function of pixels"
    )


def _name(exported: Any) -> str:
    if isinstance(exported, str | Path):
        return Path(exported).name
    if isinstance(exported, Backbone):
        return exported.spec.name
    return str(getattr(exported, "__name__", type(exported).__name__))


def _grids(runner: Runner, asked: Sequence[tuple[int, int]], backbone: Backbone) -> Sequence[tuple[int, int]]:
    """What the export can be shown."""
    side = backbone.spec.patch_size
    if isinstance(runner, ForeignFeatures):
        if runner.shape is None:
            raise InputError("the file holds a bare sequence n dim: its patches need a grid, h w dim")
        return [runner.shape]
    if not isinstance(runner, GraphFile) or runner.size == (None, None):
        return asked
    first = asked[0]
    height, width = (px if px is not None else n * side for px, n in zip(runner.size, first, strict=True))
    if height % side or width % side:
        raise InputError(
            f"{str(runner.path)!r} is fixed to {height}x{width} pixels, no whole number of {side} px patches"
        )
    return [(height // side, width // side)]


def _check_photograph(features: ForeignFeatures, photographs: Sequence[Photograph]) -> None:
    """That a file of features is of the one photograph given, as far as it says what it is of."""
    if len(photographs) > 1:
        raise InputError(f"a file of features is of one photograph, and {len(photographs)} were given")
    stated = features.provenance
    if stated is not None and stated.image_digest not in ("", *(p.digest for p in photographs)):
        raise InputError(
            f"the features are of another photograph ({stated.image!r}), or of other pixels of it"
        )


def _notes(runner: Runner, model: str) -> tuple[str, ...]:
    if isinstance(runner, ForeignFeatures) and runner.provenance is not None:
        stated = runner.provenance.backbone
        is_other = stated not in ("", model)
        return (f"the file says that its features are of {stated}, not of {model}",) if is_other else ()
    if isinstance(runner, GraphFile) and runner.size != (None, None):
        height, width = (side or "any" for side in runner.size)
        return (
            f"its input is fixed to {height}x{width} pixels: no other resolution was or can be certified",
        )
    return ()


def _photographs(photos: Any, on_failure: OnFailure | None) -> Iterator[Photograph]:
    for image in each_image(photos):
        try:
            yield load_photograph(image)
        except DinoscopeError as error:
            report(image, error, on_failure)


def _read(
    runner: Runner, backbone: Backbone, renderer: Renderer, photograph: Photograph, recipe: Recipe
) -> tuple[Float[np.ndarray, "n dim"] | None, Reading]:
    """The export's patches, and how they agree."""
    reference = renderer.one(recipe)
    grid = reference.shape
    try:
        rows = _rows(runner, backbone, photograph, recipe, grid)
    except _CannotRunError as error:
        return None, Reading(photograph.name, grid, None, error=str(error))
    if rows.shape[1] != reference.rows.shape[1]:
        raise InputError(
            f"the export has {rows.shape[1]} channels, {backbone.spec.name} {reference.rows.shape[1]}: it is "
            "another model's"
        )
    bad = ~np.isfinite(rows).all(axis=1)
    numbers = np.where(bad[:, None], 0.0, rows.astype(np.float64))
    cosines = patch_cosines(reference.rows.reshape(*grid, -1), numbers.reshape(*grid, -1)).reshape(grid)
    return rows, Reading(photograph.name, grid, cosines, n_not_finite=int(bad.sum()))


class _CannotRunError(Exception):
    """This size is beyond the export."""


def _rows(
    runner: Runner, backbone: Backbone, photograph: Photograph, recipe: Recipe, grid: tuple[int, int]
) -> Float[np.ndarray, "n dim"]:
    if isinstance(runner, ForeignFeatures):
        return runner.rows
    pixels, _ = wrong_pixels(photograph, recipe, backbone.spec)  # with the recipe's mistakes: none
    if isinstance(runner, GraphFile):
        try:
            outputs = runner(pixels.numpy())
        except InputError as error:
            raise _CannotRunError(str(error)) from error
        return patches_in(outputs, grid, n_prefix(backbone.spec))
    from dinoscope.training.tokens import tokens_of

    with torch.no_grad():
        return tokens_of(runner, pixels).patches[0].float().cpu().numpy()


def _keeps(reading: Reading, limits: Limits) -> bool:
    return reading.n_not_finite == 0 and reading.mean >= limits.mean and reading.worst >= limits.worst

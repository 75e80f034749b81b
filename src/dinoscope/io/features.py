"""Patch features on disk: one safetensors or NumPy file for each photograph."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast, get_args

import numpy as np

from dinoscope.atomic import write_whole
from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid, whole_number
from dinoscope.errors import InputError, shortened
from dinoscope.io.arrays import open_npz
from dinoscope.io.limits import ARRAY_BYTES, file_size
from dinoscope.names import printable, readable

Format = Literal["safetensors", "npz"]
FORMAT_VERSION = 1


def write_features(path: Path, features: Mapping[int, PatchFeatures], *, format_: Format) -> None:
    """Write the layers of one photograph to one file, whole or not at all.

    Arrays ``LAYER/values`` (h w dim), ``LAYER/cls`` (dim) and ``LAYER/registers`` (r dim), float32;
    and, as JSON, ``format_version``, and for each layer its grid and provenance: in the safetensors
    header under ``dinoscope``, in an npz as the 0-d string array ``dinoscope``.

    Raises:
        InputError: no such format.
    """
    check_format(format_)
    arrays: dict[str, np.ndarray] = {}
    facts: dict[str, object] = {}
    for layer, f in features.items():
        arrays[f"{layer}/values"] = np.ascontiguousarray(f.values)
        if f.cls is not None:
            arrays[f"{layer}/cls"] = np.ascontiguousarray(f.cls)
        if f.registers is not None:
            arrays[f"{layer}/registers"] = np.ascontiguousarray(f.registers)
        facts[str(layer)] = {"grid": asdict(f.grid), "provenance": asdict(f.provenance)}
    header = json.dumps({"format_version": FORMAT_VERSION, "layers": facts})

    def write(file: BinaryIO) -> None:
        if format_ == "npz":
            np.savez(file, dinoscope=np.array(header), **arrays)  # type: ignore[arg-type]
        else:
            from safetensors.numpy import save

            file.write(save(arrays, metadata={"dinoscope": header}))

    write_whole(path, write)


def read_features(path: str | Path) -> dict[int, PatchFeatures]:
    """The layers of one photograph, as `write_features` wrote them.

    Raises:
        InputError: not such a file.
    """
    path = Path(path)
    try:
        header, arrays = _contents(path)
        version = header["format_version"]
        if version != FORMAT_VERSION:
            raise InputError(f"it has format version {version!r}; this dinoscope reads {FORMAT_VERSION}")
        return {int(layer): _features(layer, facts, arrays) for layer, facts in header["layers"].items()}
    except Exception as error:  # every reader has errors of its own; all mean the same here
        raise InputError(
            f"{readable(path)!r} does not hold dinoscope features: {shortened(error)}"
        ) from error


def check_no_other_model(path: Path, provenance: Provenance) -> None:
    """Whether features may be written to a place: nothing is there, or features of the same weights.

    Raises:
        InputError: features of another model, which would be lost.
    """
    try:
        header, _ = _contents(path, arrays=False)
        held = _provenance(next(iter(header["layers"].values()))["provenance"])
    except Exception:  # noqa: BLE001 (nothing is there, or nothing that can be read)
        return
    if (held.backbone, held.weights_digest) != (provenance.backbone, provenance.weights_digest):
        weights = " with other weights" if held.backbone == provenance.backbone else ""
        raise InputError(
            f"{readable(path)!r} holds features of {printable(held.backbone)}{weights}: give each model a "
            "folder of its own, or remove that file"
        )


def _contents(path: Path, *, arrays: bool = True) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a file says of its features, and their arrays where they are asked for."""
    if path.suffix == ".npz":
        with open_npz(path) as archive:
            header = json.loads(str(archive.read("dinoscope")))
            names = [name for name in archive.names if arrays and name != "dinoscope"]
            return header, {name: archive.read(name) for name in names}
    from safetensors import safe_open

    file_size(path, ARRAY_BYTES)
    with safe_open(path, framework="numpy") as file:
        header = json.loads((file.metadata() or {})["dinoscope"])
        return header, {name: file.get_tensor(name) for name in (file.keys() if arrays else ())}


def _features(layer: str, facts: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> PatchFeatures:
    grid = {name: whole_number(value) for name, value in facts["grid"].items() if name != "image_size"}
    width, height = map(whole_number, facts["grid"]["image_size"])
    values, cls, registers = (arrays.get(f"{layer}/{name}") for name in ("values", "cls", "registers"))
    if values is None or values.ndim != 3:
        raise InputError(f"there is no array {layer}/values of the shape h w dim")
    fits = cls is None or cls.shape == values.shape[2:]
    fits &= registers is None or (registers.ndim == 2 and registers.shape[1] == values.shape[2])
    if not fits or any(array is not None and array.dtype != np.float32 for array in (values, cls, registers)):
        raise InputError(f"the arrays of layer {layer} are not float32, or do not fit one another")
    if not np.isfinite(values).all():
        raise InputError(f"layer {layer} holds NaN or infinite values")
    provenance = _provenance(facts["provenance"])
    return PatchFeatures(values, PatchGrid(**grid, image_size=(width, height)), provenance, cls, registers)


def _provenance(facts: dict[str, Any]) -> Provenance:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
    if not all(isinstance(values[name], str) for name in ("image", "image_digest", "backbone")):
        raise InputError("its provenance does not name a photograph and a backbone")
    return Provenance(**values)


def check_format(format_: str) -> Format:
    """The format named.

    Raises:
        InputError: no such format.
    """
    if format_ not in get_args(Format):
        raise InputError(f"no format {format_!r}; there are {', '.join(get_args(Format))}")
    return cast(Format, format_)


def feature_path(folder: Path, provenance: Provenance, format_: Format) -> Path:
    """Where a photograph's features go: its name made safe, and enough of its digest to be unique."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(provenance.image).stem)[:80].strip("._") or "photograph"
    return folder / f"{stem}-{provenance.image_digest[:12]}.{format_}"

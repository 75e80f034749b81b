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
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError

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
        if path.suffix == ".npz":
            with np.load(path) as archive:
                arrays = {name: archive[name] for name in archive.files if name != "dinoscope"}
                header = json.loads(str(archive["dinoscope"]))
        else:
            from safetensors import safe_open

            with safe_open(path, framework="numpy") as file:
                header = json.loads((file.metadata() or {})["dinoscope"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
    except Exception as error:  # every reader has errors of its own; all mean the same here
        raise InputError(f"{str(path)!r} does not hold dinoscope features: {error}") from error
    if header["format_version"] != FORMAT_VERSION:
        raise InputError(
            f"{str(path)!r} has format version {header['format_version']}; "
            f"this dinoscope reads {FORMAT_VERSION}"
        )
    return {
        int(layer): PatchFeatures(
            values=arrays[f"{layer}/values"],
            grid=PatchGrid(**{**facts["grid"], "image_size": tuple(facts["grid"]["image_size"])}),
            provenance=_provenance(facts["provenance"]),
            cls=arrays.get(f"{layer}/cls"),
            registers=arrays.get(f"{layer}/registers"),
        )
        for layer, facts in header["layers"].items()
    }


def _provenance(facts: dict[str, Any]) -> Provenance:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in facts.items()}
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

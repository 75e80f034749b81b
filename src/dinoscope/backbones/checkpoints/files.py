"""What is in a weights file, or in a folder of them: named tensors, a digest, a configuration."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.hub import CONFIG, INDEX, PREPROCESSOR
from dinoscope.errors import WeightsError
from dinoscope.names import readable, well_formed

PICKLES = (".pth", ".pt", ".bin")
SUFFIXES = (*PICKLES, ".safetensors")
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_CHUNK_BYTES = 1 << 20
_SAFER = "have whoever made it save the tensors as .safetensors, which cannot hold code"
_AGAIN = "download or copy the file again, and compare its size and sha256 with the original's"


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Named tensors as a file holds them, on the CPU.

    Attributes:
        tensors: by name; the names of nested dictionaries are joined with dots.
        digest: sha256 of the weights file, hexadecimal; of several, of their bytes one after the
            other, in the order of their names.
        source: the path read.
        config: the Hugging Face ``config.json`` beside the weights; None without one.
        preprocessor: likewise ``preprocessor_config.json``.
        notes: which entries were left out because they are not tensors.
    """

    tensors: Mapping[str, Tensor]
    digest: str
    source: str
    config: Mapping[str, object] | None = None
    notes: tuple[str, ...] = ()
    preprocessor: Mapping[str, object] | None = None


def read_weights(path: str | Path) -> Weights:
    """Reads a ``.pth``, ``.pt``, ``.bin`` or ``.safetensors`` file, or a folder in Hugging Face form.

    A pickle is read with the unpickler that makes nothing but tensors and plain containers. Every
    byte is read twice: for the tensors, and for the digest.

    Raises:
        WeightsError: missing, unreadable, empty, truncated, of another kind, or holding code.
    """
    path = Path(path).expanduser()
    try:
        files, beside = _files(path)
        tensors: dict[str, Tensor] = {}
        skipped: list[str] = []
        for file in files:
            for name, value in _read_file(file, skipped).items():
                if name in tensors:
                    raise WeightsError(str(path), f"{name!r} is in it twice", (_AGAIN,))
                tensors[name] = value
        if (path / INDEX).is_file():
            _check_index(path / INDEX, tensors)
        digest = _sha256(files)
        config, preprocessor = (
            None if beside is None else _read_config(beside / name) for name in (CONFIG, PREPROCESSOR)
        )
    except OSError as error:
        raise WeightsError(str(path), f"it cannot be read ({error.strerror or error})", (_AGAIN,)) from error
    if not tensors:
        raise WeightsError(str(path), "there are no tensors in it", (_AGAIN,))
    notes = (f"left out, not tensors: {', '.join(skipped[:8])}",) if skipped else ()
    return Weights(tensors, digest, readable(path), config, notes, preprocessor)


def _files(path: Path) -> tuple[tuple[Path, ...], Path | None]:
    """Those that hold tensors, and the folder in which a model describes itself."""
    if path.is_dir():
        return _folder_files(path), path
    if not path.exists():
        raise WeightsError(str(path), "there is no such file or folder", ("check the path",))
    if not path.is_file():
        raise WeightsError(str(path), "it is not an ordinary file", ("name a file or a folder",))
    if path.suffix.lower() not in SUFFIXES:
        raise WeightsError(
            str(path),
            f"a weights file ends in one of {', '.join(SUFFIXES)}, this one in {path.suffix!r}",
            ("name the weights file itself, or the folder that holds config.json and model.safetensors",),
        )
    return (path,), path.parent if path.name in _SINGLE else None


def _folder_files(folder: Path) -> tuple[Path, ...]:
    for name in _SINGLE:
        if (folder / name).is_file():
            return (folder / name,)
    if not (folder / INDEX).is_file():
        raise WeightsError(
            str(folder),
            f"the folder holds none of {', '.join((*_SINGLE, INDEX))}",
            ("name the weights file itself", "or a folder that a Hugging Face model was saved to"),
        )
    names = sorted(set(_weight_map(folder / INDEX).values()))
    for name in names:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise WeightsError(str(folder), f"{INDEX} names {name!r}, which is no file of this folder")
        if not (folder / name).is_file():
            raise WeightsError(str(folder), f"{INDEX} names {name}, which is missing", (_AGAIN,))
    return tuple(folder / name for name in names)


def _weight_map(index: Path) -> Mapping[str, str]:
    table = _read_json(index).get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise WeightsError(str(index), "it has no table of which tensor lies in which file", (_AGAIN,))
    return table


def _check_index(index: Path, tensors: Mapping[str, Tensor]) -> None:
    missing = sorted(set(_weight_map(index)) - set(tensors))
    if missing:
        raise WeightsError(
            str(index.parent),
            f"{len(missing)} tensors of {INDEX} are in none of its files ({missing[0]}, ...)",
            (_AGAIN,),
        )


def _read_config(path: Path) -> Mapping[str, object] | None:
    return _read_json(path) if path.is_file() else None


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise WeightsError(str(path), f"it is not JSON ({error})", (_AGAIN,)) from error
    if not isinstance(value, dict):
        raise WeightsError(str(path), "it is not a JSON object", (_AGAIN,))
    return value


def _read_file(path: Path, skipped: list[str]) -> dict[str, Tensor]:
    if path.stat().st_size == 0:
        raise WeightsError(str(path), "the file is empty", (_AGAIN,))
    if path.suffix.lower() == ".safetensors":
        return _read_safetensors(path)
    return _flatten(_read_pickle(path), skipped, str(path))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load, load_file

    is_text = well_formed(str(path)) == str(path)  # safetensors cannot be told other names
    try:
        return load_file(path) if is_text else load(path.read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(str(path), f"it is not a whole .safetensors file ({error})", (_AGAIN,)) from error


def _read_pickle(path: Path) -> object:
    with path.open("rb"):
        pass  # what cannot be opened raises OSError here; below, OSError means damage
    try:
        with path.open("rb") as file, warnings.catch_warnings():
            # An odd pickle protocol is warned of, and then either read or refused: the warning adds nothing.
            warnings.simplefilter("ignore")
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # bytes of any origin can make the unpickler raise nearly anything
        if named := re.search(r"GLOBAL (\S+)", str(error)):
            reason = f"it holds Python objects or code ({named.group(1)}) beside tensors, and is not opened"
            raise WeightsError(str(path), reason, (_SAFER,)) from error
        reason = f"it is damaged, or no PyTorch file ({type(error).__name__}: {_gist(error)})"
        raise WeightsError(str(path), reason, (_AGAIN, _SAFER)) from error


def _gist(error: Exception) -> str:
    operand = re.search(r"Unsupported operand \d+", str(error))
    return operand.group(0) if operand else str(error).strip().partition(". ")[0][:200]


def _flatten(value: object, skipped: list[str], source: str) -> dict[str, Tensor]:
    if not isinstance(value, Mapping):
        raise WeightsError(
            source, f"it holds a {type(value).__name__}, not a dictionary of tensors", (_SAFER,)
        )
    return flatten(value, skipped)


def flatten(tree: Mapping[Any, object], skipped: list[str] | None = None) -> dict[str, Tensor]:
    """Tensors of nested dictionaries, their names joined with dots; the rest is named in ``skipped``."""
    flat: dict[str, Tensor] = {}
    branches: list[tuple[str, Mapping[Any, object]]] = [("", tree)]
    while branches:
        prefix, branch = branches.pop()
        for key, value in branch.items():
            name = f"{prefix}{key}"
            if isinstance(value, Tensor):
                flat[name] = value.detach()
            elif isinstance(value, Mapping):
                branches.append((f"{name}.", value))
            elif skipped is not None:
                skipped.append(name)
    return flat


def _sha256(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()

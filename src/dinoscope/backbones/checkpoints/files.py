"""What is in a weights file, or in a folder of them: named tensors, a digest, a description."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dinoscope.backbones.checkpoints.folders import find_weights, read_json, weight_map
from dinoscope.backbones.checkpoints.impostors import check_file, some
from dinoscope.backbones.checkpoints.pickles import AGAIN, SAFER, read_pickle
from dinoscope.backbones.hub import CONFIG, PREPROCESSOR
from dinoscope.backbones.normalisation import Described, described
from dinoscope.errors import WeightsError
from dinoscope.names import at_home, readable, well_formed

_CHUNK_BYTES = 1 << 20
_MOST_NAMES = 1_000_000
_MOST_LEVELS = 50
_FROM_NUMPY = (
    "where they are NumPy arrays that you trust, make tensors of them: "
    "torch.save({k: torch.from_numpy(v) for k, v in state.items()}, 'weights.pth')"
)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Named tensors as a file holds them, on the CPU.

    Attributes:
        tensors: by name; the names of nested dictionaries are joined with dots.
        digest: sha256 of the weights file, hexadecimal; of several, of their bytes one after the
            other, in the order of their names.
        source: the path read.
        config: the ``config.json`` of `transformers` or `timm` beside the weights; None without one.
        described: the mean and std that the folder states, and in which file; None where it states none.
        notes: which file was taken where there was a choice, and which entries are not tensors.
    """

    tensors: Mapping[str, Tensor]
    digest: str
    source: str
    config: Mapping[str, object] | None = None
    notes: tuple[str, ...] = ()
    described: Described | None = None


def read_weights(path: str | Path) -> Weights:
    """Reads a ``.safetensors`` or PyTorch file, or a folder (see `find_weights` for which).

    A pickle is read with the unpickler that makes nothing but tensors and plain containers. Every
    byte is read twice: for the tensors, and for the digest.

    Raises:
        WeightsError: missing, unreadable, empty, truncated, of another kind, or holding code.
    """
    path = at_home(path)
    try:
        found = find_weights(path)
        tensors: dict[str, Tensor] = {}
        skipped: list[str] = []
        for file in found.files:
            for name, value in _read_file(file, skipped).items():
                if name in tensors:
                    raise WeightsError(str(path), f"{name!r} is in it twice", (AGAIN,))
                tensors[name] = value
        if found.index is not None:
            _check_index(found.index, tensors)
        digest = sha256_of(found.files)
        config, preprocessor = (_description(found.described, name) for name in (CONFIG, PREPROCESSOR))
    except OSError as error:
        raise WeightsError(str(path), f"it cannot be read ({error.strerror or error})", (AGAIN,)) from error
    if not tensors:
        said = f", but other things ({some(skipped, 4)}), which are not read" if skipped else ""
        raise WeightsError(
            str(path), f"there are no tensors in it{said}", (_FROM_NUMPY,) if skipped else (AGAIN,)
        )
    left = (f"left out, not tensors: {some(skipped, 8)}",) if skipped else ()
    notes = (*found.notes, *left)
    return Weights(tensors, digest, readable(path), config, notes, described(config, preprocessor))


def _check_index(index: Path, tensors: Mapping[str, Tensor]) -> None:
    missing = sorted(set(weight_map(index)) - set(tensors))
    if missing:
        raise WeightsError(
            str(index.parent),
            f"{len(missing)} tensors of {index.name} are in none of its files ({missing[0]}, ...)",
            (AGAIN,),
        )


def _description(folder: Path | None, name: str) -> Mapping[str, object] | None:
    return read_json(folder / name) if folder is not None and (folder / name).is_file() else None


def _read_file(path: Path, skipped: list[str]) -> dict[str, Tensor]:
    check_file(path)
    if _holds_safetensors(path):
        return _read_safetensors(path)
    held = read_pickle(path)
    if not isinstance(held, Mapping):
        raise WeightsError(
            str(path), f"it holds a {type(held).__name__}, not a dictionary of tensors", (SAFER,)
        )
    return flatten(held, skipped, str(path))


def _holds_safetensors(path: Path) -> bool:
    """By its first bytes, whatever its name is; by its name where they do not say."""
    with path.open("rb") as file:
        head = file.read(9)
    if head[4:] == b"\0\0\0\0{":  # the length of the header in 8 bytes, and its beginning
        return True
    return path.suffix.lower() == ".safetensors" and not head.startswith((b"PK\3\4", b"\x80\2"))


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load, load_file

    is_text = well_formed(str(path)) == str(path)  # safetensors cannot be told other names
    try:
        return load_file(path) if is_text else load(path.read_bytes())
    except (SafetensorError, ValueError, KeyError) as error:
        raise WeightsError(str(path), f"it is not a whole .safetensors file ({error})", (AGAIN,)) from error


def flatten(
    tree: Mapping[Any, object], skipped: list[str] | None = None, source: str = "checkpoint"
) -> dict[str, Tensor]:
    """Tensors of nested dictionaries, their names joined with dots; the rest is named in ``skipped``.

    Args:
        tree: as a file holds it.
        skipped: gets the names of what is no tensor.
        source: what the error calls it.

    Raises:
        WeightsError: dictionaries that hold themselves, more names than any network has, or tensors without
            values, sparse, or of 8 bits.
    """
    flat: dict[str, Tensor] = {}
    branches: list[tuple[str, int, Mapping[Any, object]]] = [("", 0, tree)]
    n_seen = 0
    while branches:
        prefix, level, branch = branches.pop()
        n_seen += len(branch)
        if level > _MOST_LEVELS or n_seen > _MOST_NAMES:
            raise WeightsError(
                source,
                f"its dictionaries hold each other without end, or more than {_MOST_NAMES:,} names",
                (SAFER,),
            )
        # A file may give a dictionary attributes, `items` among them: the class's own is asked.
        pairs = dict.items(branch) if isinstance(branch, dict) else branch.items()
        for key, value in pairs:
            name = f"{prefix}{key}"
            if isinstance(value, Tensor):
                _check_plain(value, name, source)
                flat[name] = value.detach()
            elif isinstance(value, Mapping):
                branches.append((f"{name}.", level + 1, value))
            elif skipped is not None:
                skipped.append(name)
    return flat


def _check_plain(tensor: Tensor, name: str, source: str) -> None:
    if tensor.is_meta:
        what, advice = (
            "has no values (it is on the device meta)",
            "save the network after its weights are loaded",
        )
    elif tensor.layout != torch.strided:
        what, advice = f"is kept as {tensor.layout}", "save it dense (tensor.to_dense())"
    elif tensor.is_floating_point() and tensor.element_size() == 1:
        what, advice = f"has 8 bits a number ({tensor.dtype})", "save it in 16 or 32 bits"
    else:
        return
    raise WeightsError(source, f"the tensor {some([name], 1)} {what}, which is not read", (advice,))


def sha256_of(files: Sequence[Path]) -> str:
    """Digest of all files' bytes, one after another; hexadecimal."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()

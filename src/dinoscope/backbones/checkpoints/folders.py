"""Which files of a path hold tensors, and where does the model describe itself?"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dinoscope.backbones.checkpoints.impostors import check_distributed
from dinoscope.backbones.checkpoints.pickles import AGAIN
from dinoscope.backbones.hub import INDEX
from dinoscope.backbones.references import WEIGHT_SUFFIXES, is_weights_name
from dinoscope.errors import WeightsError

_SINGLE = ("model.safetensors", "pytorch_model.bin")
_INDICES = (INDEX, "pytorch_model.bin.index.json")
_MODEL_FILE = re.compile(r"(?:pytorch_)?model(?:\.[\w-]+)?\.(?:safetensors|bin)")
"""As `transformers` and `timm` name the file of a whole model; the middle part is a variant, such as fp16."""

_SHARD = re.compile(r".*-\d+-of-\d+\.\w+")
_STEP = re.compile(r"checkpoint-(\d+)")
_JSON_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Found:
    """Where weights lie.

    Attributes:
        files: that hold tensors, in the order of their names.
        described: the folder with ``config.json`` and ``preprocessor_config.json``; None for a lone file.
        index: names the tensors of several files; None for one file.
        notes: which folder or file was taken, where there was a choice.
    """

    files: tuple[Path, ...]
    described: Path | None
    index: Path | None = None
    notes: tuple[str, ...] = ()


def find_weights(path: Path) -> Found:
    """A weights file; a folder of `transformers`, its Trainer or `timm`; or a folder of the hub's cache.

    Raises:
        WeightsError: nothing there, nothing that is known, or more than one that could be meant.
        OSError: it cannot be listed.
    """
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        address = re.match(r"[a-z][a-z0-9+]+:/", str(path))
        step = "addresses are not fetched: download it, and name the file" if address else "check the path"
        raise WeightsError(str(path), "there is no such file or folder", (step,))
    if not path.is_file():
        raise WeightsError(str(path), "it is not an ordinary file", ("name a file or a folder",))
    check_distributed([path])
    if not is_weights_name(path.name):
        raise WeightsError(
            str(path),
            f"a weights file ends in one of {', '.join(WEIGHT_SUFFIXES)}, this one in {path.suffix!r}",
            (
                "name the weights file itself, or the folder that holds config.json and model.safetensors",
                "one of PyTorch or safetensors under another name: rename it",
                "one of ONNX, GGUF, HDF5, msgpack or NumPy: save the network's state dict from PyTorch",
            ),
        )
    return Found((path,), path.parent if _MODEL_FILE.fullmatch(path.name) else None)


def model_folder(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The folder that holds the model: of a hub cache the revision, of a training run the last checkpoint.

    Raises:
        WeightsError: a cache with several revisions and none that is the main one.
    """
    if folder.name.startswith("models--") and (folder / "snapshots").is_dir():
        return _revision(folder)
    steps = {int(m.group(1)): p for p in folder.iterdir() if (m := _STEP.fullmatch(p.name)) and p.is_dir()}
    if steps and not any(is_weights_name(p.name) and _MODEL_FILE.fullmatch(p.name) for p in folder.iterdir()):
        newest = steps[max(steps)]
        return newest, (f"{newest.name}, the last of {len(steps)} checkpoints of this training run",)
    return folder, ()


def read_json(path: Path) -> Mapping[str, object]:
    """A JSON object.

    Raises:
        WeightsError: not one, or larger than any description of a model is.
    """
    if path.stat().st_size > _JSON_BYTES:
        raise WeightsError(
            str(path), f"it has {path.stat().st_size} bytes, and should describe a model", (AGAIN,)
        )
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise WeightsError(str(path), f"it is not JSON ({error})", (AGAIN,)) from error
    if not isinstance(value, dict):
        raise WeightsError(str(path), "it is not a JSON object", (AGAIN,))
    return value


def weight_map(index: Path) -> Mapping[str, str]:
    """Which tensor lies in which file.

    Raises:
        WeightsError: no such table.
    """
    table = read_json(index).get("weight_map")
    if not isinstance(table, dict) or not table or not all(isinstance(name, str) for name in table.values()):
        raise WeightsError(str(index), "it has no table of which tensor lies in which file", (AGAIN,))
    return table


def _folder(path: Path) -> Found:
    folder, notes = model_folder(path)
    for name in _SINGLE:
        if (folder / name).is_file():
            return Found((folder / name,), folder, notes=notes)
    for name in _INDICES:
        if (folder / name).is_file():
            return Found(_shards(folder, name), folder, folder / name, notes)
    check_distributed(folder.iterdir())
    candidates = sorted(
        p
        for p in folder.iterdir()
        if is_weights_name(p.name) and not _SHARD.fullmatch(p.name) and p.is_file()
    )
    models = [p for p in candidates if _MODEL_FILE.fullmatch(p.name)] or candidates
    if len(models) == 1:
        return Found((models[0],), folder, notes=(*notes, f"the file {models[0].name} of this folder"))
    if models:
        raise WeightsError(
            str(folder),
            f"the folder holds {len(models)} weights files, among them {models[0].name} and {models[1].name}",
            tuple(f"name the one you mean: {file}" for file in models[:4]),
        )
    raise WeightsError(
        str(folder),
        f"the folder holds none of {', '.join((*_SINGLE, *_INDICES))}, and no other weights file",
        ("name the weights file itself", "or a folder that a Hugging Face model was saved to"),
    )


def _revision(cache: Path) -> tuple[Path, tuple[str, ...]]:
    main = cache / "refs" / "main"
    revisions = sorted(p for p in (cache / "snapshots").iterdir() if p.is_dir())
    if main.is_file():
        named = cache / "snapshots" / main.read_text(encoding="utf-8", errors="replace").strip()
        if named in revisions:
            return named, (f"revision {named.name}, main, of this cache of the hub",)
    if len(revisions) == 1:
        return revisions[0], (f"revision {revisions[0].name} of this cache of the hub",)
    raise WeightsError(
        str(cache),
        f"this cache of the hub holds {len(revisions)} revisions, and says of none that it is the main one",
        tuple(f"name the one you mean: {revision}" for revision in revisions[:4])
        or ("download it again: `hf download ORG/NAME`",),
    )


def _shards(folder: Path, index: str) -> tuple[Path, ...]:
    names = sorted(set(weight_map(folder / index).values()))
    for name in names:
        if Path(name).name != name or not is_weights_name(name):
            raise WeightsError(str(folder), f"{index} names {name!r}, which is no file of this folder")
        if not (folder / name).is_file():
            raise WeightsError(str(folder), f"{index} names {name}, which is missing", (AGAIN,))
    return tuple(folder / name for name in names)

"""Which tensors does a PyTorch file hold? Had without running anything that lies beside them."""

from __future__ import annotations

import re
import threading
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch

from dinoscope.errors import WeightsError

SAFER = "have whoever made it save the tensors as .safetensors, which cannot hold code"
AGAIN = "download or copy the file again, and compare its size and sha256 with the original's"

_LIGHTNING = (
    "lightning.fabric.utilities.data",
    "lightning_fabric.utilities.data",
    "pytorch_lightning.utilities.parsing",
)

LEFT_OUT = (
    *(f"numpy.{name}" for name in ("dtype", "ndarray")),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(
        f"{module}.{name}"
        for module in ("pathlib", "pathlib._local")
        for name in ("Path", "PosixPath", "WindowsPath", "PurePath", "PurePosixPath", "PureWindowsPath")
    ),
    *(f"datetime.{name}" for name in ("date", "datetime", "time", "timedelta", "timezone")),
    *(f"builtins.{name}" for name in ("dict", "float", "frozenset", "int", "list", "range", "set", "slice")),
    *("argparse.Namespace", "types.SimpleNamespace", "typing.Any", "decimal.Decimal", "uuid.UUID"),
    "torch.torch_version.TorchVersion",
    *(f"omegaconf.base.{name}" for name in ("ContainerMetadata", "Metadata")),
    *("omegaconf.dictconfig.DictConfig", "omegaconf.listconfig.ListConfig"),
    *(f"omegaconf.nodes.{kind}Node" for kind in ("Any", "Boolean", "Float", "Integer", "Path", "String")),
    "mmengine.logging.history_buffer.HistoryBuffer",
)
"""What training scripts keep beside their tensors. None of it is imported or made: an empty `LeftOut` stands
in for each. `torch` lets such a list name the real things instead, but numpy's can be made to read memory
that is not theirs by a file that lies about them."""

MAPPINGS = (
    *(f"{module}.AttributeDict" for module in _LIGHTNING),
    *("yacs.config.CfgNode", "fvcore.common.config.CfgNode", "detectron2.config.config.CfgNode"),
    *("mmengine.config.config.ConfigDict", "mmcv.utils.config.ConfigDict", "addict.addict.Dict"),
    *("collections.defaultdict", "easydict.EasyDict"),
)
"""Dictionaries with a behaviour of their own; they become plain ones."""

_LOADING = threading.Lock()
"""The list is the process's own while a file is read."""


class LeftOut:
    """Stands in for an object that a file holds beside its tensors, and keeps nothing of it."""

    def __new__(cls, *_: Any) -> LeftOut:
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, _: object) -> None: ...


class _Plain(dict[object, object]):
    """Stands in for `MAPPINGS`: whatever it is made of, an empty dictionary that the unpickler may fill."""

    def __new__(cls, *_: Any) -> Any:
        return OrderedDict()


class _Listed(list[object]):
    """Stands in for a queue; likewise a list."""

    def __new__(cls, *_: Any) -> Any:
        return []


_SCRIPTED = (
    "save its weights alone, where you trust it: torch.save(torch.jit.load(PATH).state_dict(), 'weights.pth')"
)


def read_pickle(path: Path) -> object:
    """What a file written by ``torch.save`` holds: tensors, plain containers, and `LeftOut` for the rest.

    Raises:
        WeightsError: damaged, no PyTorch file, or with objects beside the tensors that are not in `LEFT_OUT`.
        OSError: it cannot be opened.
    """
    with path.open("rb"):
        pass  # what cannot be opened raises OSError here; below, OSError means damage
    stand_ins: list[Any] = [
        *((LeftOut, name) for name in LEFT_OUT),
        *((_Plain, name) for name in MAPPINGS),
        (_Listed, "collections.deque"),
    ]
    try:
        with _LOADING, path.open("rb") as file, warnings.catch_warnings():
            # An odd pickle protocol is warned of, and then either read or refused: the warning adds nothing.
            warnings.simplefilter("ignore")
            with torch.serialization.safe_globals(stand_ins):
                return torch.load(file, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # bytes of any origin can make the unpickler raise nearly anything
        if named := re.search(r"GLOBAL (\S+)", str(error)):
            reason = f"it holds Python objects or code ({named.group(1)}) beside tensors, and is not opened"
            raise WeightsError(str(path), reason, (SAFER,)) from error
        if "TorchScript" in str(error):
            reason = (
                "it is a TorchScript archive, which holds a program beside the weights, and is not opened"
            )
            raise WeightsError(str(path), reason, (_SCRIPTED,)) from error
        reason = f"it is damaged, or no PyTorch file ({type(error).__name__}: {_gist(error)})"
        raise WeightsError(str(path), reason, (AGAIN, SAFER)) from error


def _gist(error: Exception) -> str:
    operand = re.search(r"Unsupported operand \d+", str(error))
    return operand.group(0) if operand else str(error).strip().partition(". ")[0][:200]

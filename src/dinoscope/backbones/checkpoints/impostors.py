"""What is it, when it is no weights file? Named where something else has its name, or its place."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dinoscope.backbones.checkpoints.pickles import AGAIN
from dinoscope.errors import WeightsError
from dinoscope.names import printable

_HEAD_BYTES = 512
_NAME_LETTERS = 120
_GATHER = (
    "where it was trained, gather the whole network and save that: `with FSDP.state_dict_type(model, "
    "StateDictType.FULL_STATE_DICT): torch.save(model.state_dict(), 'whole.pth')`"
)
_CONVERT = (
    "convert it once: `python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER whole.pth`, "
    "then use whole.pth"
)
_MERGE = (
    "merge it into the network that it was trained on: load both with peft, call `merge_and_unload()`, save "
    "the state dict of what that returns, and use that file"
)


def some(names: Iterable[str], most: int) -> str:
    """The first names of many, on one line; each printable, and cut where it is longer than a name is."""
    listed = list(names)
    told = ", ".join(printable(name)[:_NAME_LETTERS] for name in listed[:most])
    return told + (f" and {len(listed) - most} more" if len(listed) > most else "")


def check_file(path: Path) -> None:
    """Raises for files that are no weights, whatever their names are.

    Raises:
        WeightsError: empty, a pointer of Git LFS, a web page, an XML or JSON answer, or a part of a
            distributed checkpoint.
        OSError: it cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head and path.stat().st_size == 0:
        raise WeightsError(str(path), "the file is empty", (AGAIN,))
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        raise WeightsError(
            str(path),
            "it is a pointer of Git LFS, which stands for the file and does not hold it",
            ("run `git lfs pull` in that folder, or download the file itself from its page",),
        )
    start = b"" if b"\0" in head else head[:100].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        _refuse_answer(path, "a web page (HTML): most often a login or error page")
    if start.startswith(b"<?xml"):
        _refuse_answer(path, "an XML document: most often a storage server's refusal or expired link")
    if start.startswith((b'{"', b"{\n", b'{ "')):
        _refuse_answer(path, "a JSON text: most often a server's error message, or a configuration")
    check_distributed([path])


def check_distributed(paths: Iterable[Path]) -> None:
    """Raises where a file is a part of a distributed checkpoint.

    Raises:
        WeightsError: with the command that converts it.
    """
    for path in paths:
        if path.suffix == ".distcp":
            raise WeightsError(
                str(path), "it is a part of a distributed checkpoint (torch.distributed)", (_CONVERT,)
            )


def check_names(names: Iterable[str]) -> None:
    """Raises for tensors that stand for a network's parameters without being them.

    Raises:
        WeightsError: flat parameters of FSDP, or adapters of LoRA that are not merged.
    """
    for name in names:
        if name.endswith("_flat_param"):
            raise WeightsError(
                "checkpoint",
                f"it holds flat parameters of FSDP ({some([name], 1)}): shares without names or shapes",
                (_GATHER,),
            )
        if ".lora_" in name.lower() or ".base_layer." in name:
            raise WeightsError(
                "checkpoint", f"it holds a LoRA adapter that is not merged ({some([name], 1)})", (_MERGE,)
            )


def _refuse_answer(path: Path, what: str) -> None:
    raise WeightsError(
        str(path),
        f"it is no weights file but {what}, saved under its name",
        ("open it in a text editor to see what the server said, then download the weights again",),
    )

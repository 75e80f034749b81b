"""Where dino.txt's files lie, and how the names of their tensors are told apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from dinoscope.backbones.catalog import Entry
from dinoscope.errors import WeightsError
from dinoscope.names import at_home

NAME = "dinotxt"
VISION = "dinov3-vitl16"
HEAD_FILE = "dinov3_vitl16_dinotxt_vision_head_and_text_encoder-a442d8f5.pth"
VOCABULARY = "bpe_simple_vocab_16e6.txt.gz"
VOCABULARY_PAGE = f"https://dl.fbaipublicfiles.com/dinov3/thirdparty/{VOCABULARY}"


def place(rest: str) -> Path:
    """The folder of ``dinotxt:FOLDER``; where torch.hub keeps downloads for the name alone."""
    return at_home(rest) if rest else Path(torch.hub.get_dir()) / "checkpoints"


def vision_file(rest: str, entry: Entry) -> Path | None:
    """Meta's file of the vision backbone where it lies in that folder; None to take it from the hub."""
    path = place(rest) / entry.official_file
    return path if path.is_file() else None


def file_at(rest: str, name: str) -> Path:
    """One of the files in that folder.

    Raises:
        WeightsError: it is not there; with what to do.
    """
    path = place(rest) / name
    if path.is_file():
        return path
    where = "ask for access on https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/"
    steps = (
        VOCABULARY_PAGE if name == VOCABULARY else f"{where} (DINOv3 licence) and download {name}",
        f"put it into {place(rest)}, or into a folder of your own and use {NAME}:FOLDER",
        "TIPSv2 reads words and has no gate: hf:google/tipsv2-b14",
    )
    raise WeightsError(f"{NAME}:{rest}" if rest else NAME, f"{path} is not there", steps)


def misfit(source: str, error: Exception) -> WeightsError:
    """What is raised for a file whose tensors are not those of dino.txt."""
    first = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return WeightsError(
        source, f"it is not dino.txt's head and text encoder ({first[:200]})", ("download it again",)
    )


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of them."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def depth_of(state: Mapping[str, Tensor]) -> int:
    """How many blocks there are."""
    return len({name.split(".")[1] for name in state if name.startswith("blocks.")})


def spelled_as(name: str, pairs: tuple[tuple[str, str], ...]) -> str:
    """A name with parts of it replaced, by pairs of old and new."""
    for theirs, ours in pairs:
        name = name.replace(theirs, ours)
    return name


def parted(name: str, value: Tensor, theirs: str, ours: str) -> dict[str, Tensor]:
    """One fused tensor of queries, keys and values as three."""
    fused = f"{theirs}.qkv."
    if fused not in name:
        return {name: value}
    return {
        name.replace(fused, f"{ours}.{part}_proj."): chunk
        for part, chunk in zip("qkv", value.chunk(3), strict=True)
    }

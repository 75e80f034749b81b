"""Upsamplers that others have trained, by name: their code is taken from torch.hub's folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.upsample import Upsampler

GUIDE_PX = 16
"""Pixels of the guiding photograph along the side of each patch, where fewer places are asked for."""

ROWS = 8
"""Fine rows that AnyUp attends for at a time: more take more memory, and give the same."""

Call = Callable[[Any, Tensor, Tensor, tuple[int, int]], Tensor]


@dataclass(frozen=True, slots=True)
class Learned:
    """Where a learned upsampler lies, and how it is called.

    Attributes:
        repo: its GitHub repository, which torch.hub keeps a copy of.
        entry: the function of its ``hubconf.py``; empty where the name says which: it has one a backbone.
        call: network, photograph ``1 3 H W`` normalised, features ``1 dim h w`` and size, to ``1 dim h w``.
    """

    repo: str
    entry: str
    call: Call


def _anyup(network: Any, image: Tensor, features: Tensor, size: tuple[int, int]) -> Tensor:
    found: Tensor = network(image, features, output_size=size, q_chunk_size=ROWS)
    return found


def _featup(network: Any, image: Tensor, features: Tensor, size: tuple[int, int]) -> Tensor:
    norm = network.model[1]  # of channels; its stack was trained behind it
    found: Tensor = network.upsampler(norm(features), image)
    return found


def _loftup(network: Any, image: Tensor, features: Tensor, size: tuple[int, int]) -> Tensor:
    found: Tensor = network(features, image)
    return found


LEARNED: Mapping[str, Learned] = {
    "anyup": Learned("wimmerth/anyup", "anyup_multi_backbone", _anyup),
    "featup": Learned("mhamilton723/FeatUp", "", _featup),
    "loftup": Learned("andrehuang/loftup", "", _loftup),
}
"""By name. ``anyup`` takes any features; the others one backbone's, as ``featup:dinov2`` and
``loftup:loftup_dinov2s``.

Source: Wimmer et al., AnyUp, arXiv 2510.12764; Fu et al., FeatUp, arXiv 2403.10516; Huang et al., LoftUp,
arXiv 2504.14032. Their licences are their own (AnyUp: CC BY 4.0).
"""


def learned_upsampler(name: str) -> Upsampler:
    """The upsampler of a name, for `dinoscope.maths.upsample.upsampled`. It runs its repository's code.

    That code is never downloaded here: who trusts it loads it once with ``torch.hub.load``. It may fetch its
    weights itself.

    Args:
        name: a key of `LEARNED`; with ``:ENTRY`` behind it, another function of its ``hubconf.py``.

    Raises:
        InputError: no such name, its code is not in torch.hub's folder, or cannot be run; with what to do.
    """
    known, _, entry = name.partition(":")
    if known not in LEARNED:
        raise InputError(
            f"no way {name!r} of upsampling; there are nearest, bilinear, joint, {', '.join(LEARNED)}, or a "
            "function"
        )
    learned = LEARNED[known]
    entry = entry or learned.entry
    if not entry:
        raise InputError(f"{known} has one upsampler a backbone: write {known}:ENTRY, as its hubconf.py says")
    network = _network(learned.repo, entry, name)

    def upsample(features: np.ndarray, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        coarse = torch.from_numpy(np.array(features, np.float32)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            guide = _guide(image, features.shape[:2], size)
            try:
                found = learned.call(network, guide, coarse, size)
            except (RuntimeError, TypeError, ValueError, AttributeError) as error:
                told = f"{type(error).__name__}: {error}"
                raise InputError(
                    f"{name} cannot upsample {features.shape[2]} channels on {features.shape[0]}x"
                    f"{features.shape[1]} patches ({told})"
                ) from error
            if found.ndim != 4 or found.shape[:2] != coarse.shape[:2]:
                raise ShapeError(f"what {name} gives", expected="1 dim h w", actual=tuple(found.shape))
            if tuple(found.shape[2:]) != tuple(size):
                found = functional.interpolate(found, size=size, mode="bilinear", antialias=True)
        return found[0].permute(1, 2, 0).float().numpy()

    return upsample


def _network(repo: str, entry: str, name: str) -> nn.Module:
    folder = Path(torch.hub.get_dir())
    owner, _, project = repo.partition("/")
    copies = sorted(path for path in folder.glob(f"{owner}_{project}_*") if (path / "hubconf.py").is_file())
    step = f"load it once, which runs its authors' code: torch.hub.load({repo!r}, {entry!r})"
    if not copies:
        raise InputError(f"{name} is not in {folder}; {step}")
    try:
        network: nn.Module = torch.hub.load(str(copies[0]), entry, source="local")
    except Exception as error:  # the code of others may raise anything
        raise InputError(f"{name} cannot be loaded ({type(error).__name__}: {error}); {step}") from error
    return network.eval().requires_grad_(False)


def _guide(image: np.ndarray, grid: tuple[int, ...], size: tuple[int, int]) -> Tensor:
    """The photograph ``1 3 H W``, normalised, at least as fine as the places that are asked for."""
    pixels = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None]
    wanted = tuple(max(GUIDE_PX * patches, places) for patches, places in zip(grid, size, strict=True))
    pixels = functional.interpolate(pixels, size=wanted, mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (pixels - mean) / std

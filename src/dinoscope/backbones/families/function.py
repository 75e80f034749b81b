"""``py:MODULE:FUNCTION``: any network that a function of one's own returns. It runs that code."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dinoscope.backbones import licences
from dinoscope.backbones.families.foreign import PROBES, ForeignBackbone, measured_prefix
from dinoscope.backbones.normalisation import Described, Triple, UnusableError, stated
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import BackboneError, InputError, WeightsError
from dinoscope.names import at_home

_FACTS = ("patch_size", "prefix", "registers", "mean", "std", "heads", "licence", "final_norm")
_LARGEST_PATCH = 1024
_SHAPE = "(callable, dict(patch_size=..., prefix=..., registers=..., mean=..., std=...))"


class _Called(nn.Module):
    """A callable that is no module: it stays where it is and computes as it does."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, pixels: Tensor) -> object:
        return self.function(pixels)


@dataclass(frozen=True, slots=True)
class _Read:
    """The one layer, as it comes; with the final norm or without, as was stated."""

    normed: bool

    def __call__(
        self, model: Any, pixels: Tensor, layers: tuple[int, ...], /, *, final_norm: bool
    ) -> Mapping[int, Tensor]:
        if self.normed and not final_norm:
            raise InputError(
                "a py: model gives its features one way: they cannot be had without the final norm"
            )
        try:
            found: Any = model(pixels)
        except SystemExit as error:
            raise InputError("the callable ends the program instead of returning features") from error
        if not isinstance(found, Tensor) or found.ndim not in (3, 4):
            raise InputError(f"the callable must return b n dim or b dim h w, not {_kind(found)}")
        if not found.is_floating_point() or found.element_size() == 1:
            raise InputError(f"the callable must return floating-point features, not {found.dtype}")
        if len(found) != len(pixels) or not found.numel():
            raise InputError(f"the callable made {_kind(found)} of {len(pixels)} photographs")
        return {0: (found.permute(0, 2, 3, 1) if found.ndim == 4 else found).detach()}


def load_function(reference: str) -> ForeignBackbone:
    """The network that ``MODULE:FUNCTION`` returns, with the facts it states.

    ``function()`` returns a callable and a dictionary. The callable takes normalised pixels ``b 3 H W`` and
    returns tokens ``b n dim``, those before the patches first, or a map ``b dim h w``. Stated are
    ``patch_size``, ``mean`` and ``std`` (of colours in [0, 1]); ``prefix``, how many tokens stand before the
    patches, and ``registers``, how many of them are no class token (both 0 where they are left out); and, as
    one likes, ``heads``, ``licence`` and ``final_norm`` (True where left out).

    Args:
        reference: what stands behind ``py:``; MODULE is importable from where one is, or a ``.py`` file.

    Raises:
        BackboneError: it cannot be imported or called, or returns something else.
        WeightsError: what it states is not what the callable gives on two grids.
    """
    name = f"py:{reference}"
    made, facts = _returned(reference, name)
    patch_size, prefix, registers = (
        _whole(facts, key, name) for key in ("patch_size", "prefix", "registers")
    )
    if not 1 <= patch_size <= _LARGEST_PATCH or registers > prefix:
        raise BackboneError(
            f"{name}: patch_size must be at least 1 and at most {_LARGEST_PATCH}, and registers are some of "
            "the prefix"
        )
    mean, std = _colours(facts, name)
    model = made if isinstance(made, nn.Module) else _Called(made)
    model.eval().requires_grad_(False)
    normed = bool(facts.get("final_norm", True))
    found = measured_prefix(name, model, _Read(normed=False), patch_size, 1)
    if found != prefix:
        raise WeightsError(name, f"it states a prefix of {prefix} tokens, and its callable gives {found}")
    digest, notes = _digest(made, reference)
    licence = facts.get("licence")
    spec = BackboneSpec(
        name=name,
        family="py",
        patch_size=patch_size,
        dim=_width(model, patch_size),
        depth=1,
        heads=_whole(facts, "heads", name),
        registers=registers,
        mean=mean,
        std=std,
        licence=licences.named(licence if isinstance(licence, str) else None),
        description=f"what {reference} returns, as its author describes it",
        final_norm=normed,
    )
    origin = WeightsOrigin(name, digest, "none", notes, "stated")
    return ForeignBackbone(model, _Read(normed), spec, origin, prefix, prefix > registers)


def _returned(reference: str, name: str) -> tuple[Callable[[Tensor], object], Mapping[str, Any]]:
    module, _, function = reference.rpartition(":")
    if not module or not function.isidentifier():
        raise BackboneError(f"{name}: write py:MODULE:FUNCTION, such as py:my_models:franca")
    try:
        given: Any = getattr(_imported(module), function)()
    except (Exception, SystemExit) as error:  # the code of the person who asks may raise anything
        raise BackboneError(f"{name} cannot be had ({type(error).__name__}: {error})") from error
    if not isinstance(given, tuple) or len(given) != 2:
        raise BackboneError(f"{name} must return {_SHAPE}, not {_kind(given)}")
    made, facts = given
    if not callable(made) or not isinstance(facts, Mapping):
        raise BackboneError(f"{name} must return {_SHAPE}, not ({_kind(made)}, {_kind(facts)})")
    if unknown := sorted(str(key) for key in facts if key not in _FACTS):
        raise BackboneError(f"{name} states {', '.join(unknown)}; known are {', '.join(_FACTS)}")
    return made, facts


def _imported(module: str) -> Any:
    """A module by name, also from where one is; or a file."""
    if module.endswith(".py"):
        spec = importlib.util.spec_from_file_location(Path(module).stem, at_home(module))
        if spec is None or spec.loader is None:
            raise ImportError(f"no Python file {module}")
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        return loaded
    here = str(Path.cwd())
    sys.path.append(here)  # behind everything else, so that nothing installed is hidden
    try:
        importlib.invalidate_caches()
        return importlib.import_module(module)
    finally:
        sys.path.remove(here)


def _whole(facts: Mapping[str, Any], key: str, name: str) -> int:
    value = facts.get(key, 0)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BackboneError(f"{name}: {key} must be a whole number, got {value!r:.80}")
    return value


def _colours(facts: Mapping[str, Any], name: str) -> tuple[Triple, Triple]:
    said = {"image_mean": facts.get("mean"), "image_std": facts.get("std")}
    try:
        return stated(Described(said, "its dictionary"))
    except UnusableError as error:
        raise BackboneError(f"{name}: mean and std must be three numbers each ({error})") from error


def _digest(made: Any, reference: str) -> tuple[str, tuple[str, ...]]:
    """A digest of the parameters; of the source code where there are none to be seen."""
    total = hashlib.sha256()
    if isinstance(made, nn.Module):
        for key, value in made.state_dict().items():
            total.update(key.encode())
            if isinstance(value, Tensor):
                total.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return total.hexdigest(), ("your own code, run as it is",)
    try:
        total.update(inspect.getsource(made).encode())
    except (OSError, TypeError):
        total.update(reference.encode())
    return total.hexdigest(), ("your own code, run as it is", "its digest is of code, not of weights")


def _width(model: nn.Module, patch_size: int) -> int:
    parameter = next(model.parameters(), torch.zeros(()))
    h, w = PROBES[0]
    pixels = torch.zeros(1, 3, h * patch_size, w * patch_size, device=parameter.device, dtype=parameter.dtype)
    with torch.no_grad():
        return _Read(normed=False)(model, pixels, (0,), final_norm=True)[0].shape[-1]


def _kind(value: object) -> str:
    shape = f" of shape {tuple(value.shape)}" if isinstance(value, Tensor) else ""
    return f"{type(value).__name__}{shape}"

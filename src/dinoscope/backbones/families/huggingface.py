"""``hf:ORG/NAME`` and ``hf:FOLDER``: networks of other families, through `transformers`.

Which families there are, and how each is read, stands in ``families.trunks``, one file for each. Weights must
be safetensors; normalisation must be stated beside them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dinoscope.backbones import hub, licences
from dinoscope.backbones.checkpoints.pickles import AGAIN
from dinoscope.backbones.families.foreign import ForeignBackbone, measured_prefix, weights_digest
from dinoscope.backbones.families.hub_folder import (
    find_place,
    licence_of,
    read_settings,
    stated_colours,
    weights_variant,
)
from dinoscope.backbones.families.settings import check_settings, check_size
from dinoscope.backbones.families.trunks.registry import BY_TYPE
from dinoscope.backbones.families.trunks.trunk import Trunk
from dinoscope.backbones.quiet import quietly
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import WeightsError


def load_huggingface(reference: str) -> ForeignBackbone:
    """A foreign network from a local folder, the local hub cache or the hub; float32, on the CPU.

    Raises:
        WeightsError: not to be had, not of a supported family, incomplete, or without a stated
            normalisation.
        UnknownBackboneError: neither a folder nor ``ORG/NAME``.
    """
    name = f"hf:{reference}"
    place = find_place(reference, name)
    trunk = _family(place.folder, name)
    mean, std = ((0.0,) * 3, (1.0,) * 3) if trunk.normalises else stated_colours(place.folder, name)
    model = _loaded(place.folder, trunk, name)
    config: Any = model.config
    blocks, norm = trunk.parts(model)
    if blocks is None:
        raise WeightsError(name, f"no list of blocks found in {type(model).__name__} of this transformers")
    try:
        patch_size = trunk.patch_size(config)
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(name, f"the size of its patches: {error}") from error
    n_prefix = measured_prefix(name, model, trunk.read, patch_size, len(blocks))
    has_cls = n_prefix > 0 and trunk.has_cls
    spec = BackboneSpec(
        name=name,
        family=trunk.family,
        patch_size=patch_size,
        dim=_width(model, trunk, patch_size, len(blocks)),
        depth=len(blocks),
        heads=_heads(config),
        registers=n_prefix - int(has_cls),
        mean=mean,
        std=std,
        licence=licence_of(reference, place.folder),
        description=f"{config.model_type} model from {place.source}",
        final_norm=norm is not None,
    )
    licences.give_notice(spec.licence)
    measured = f"{n_prefix} prefix tokens, measured on grids of 3x3 and 2x5 patches"
    absent = () if norm is not None else ("it has no final norm for patches",)
    notes = (*place.notes, *trunk.notes, measured, *absent)
    origin = WeightsOrigin(place.source, weights_digest(place.folder), "huggingface", notes, "stated")
    return ForeignBackbone(model, trunk.read, spec, origin, n_prefix, has_cls)


def _family(folder: Path, name: str) -> Trunk:
    if not (folder / hub.CONFIG).is_file():
        raise WeightsError(
            name, f"{folder} holds no {hub.CONFIG}", ("name a folder that a model was saved to",)
        )
    settings = read_settings(folder / hub.CONFIG, name)
    kind = settings.get("model_type")
    trunk = BY_TYPE.get(kind) if isinstance(kind, str) else None
    if trunk is None:
        raise WeightsError(
            name,
            f"its config.json says model_type {kind!r:.80}, which is not supported; these are: "
            + ", ".join(sorted(BY_TYPE)),
            ("give it as a function of your own: py:MODULE:FUNCTION",),
        )
    check_settings(name, settings)
    return trunk


def _loaded(folder: Path, trunk: Trunk, name: str) -> nn.Module:
    """The trunk, evaluated and frozen, with every weight from the folder."""
    import transformers

    variant = weights_variant(folder, name)
    try:
        loader = getattr(transformers, trunk.loader)
        config = transformers.AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        with torch.device("meta"):
            empty = (
                loader._from_config(config) if hasattr(loader, "_from_config") else loader.from_config(config)
            )
            check_size(name, empty, folder)
        with quietly():
            model, report = loader.from_pretrained(
                folder,
                config=config,
                local_files_only=True,
                use_safetensors=True,
                variant=variant,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # refused below, by name
                output_loading_info=True,
            )
    except WeightsError:
        raise
    except Exception as error:  # a configuration of any origin can make its class raise nearly anything
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise WeightsError(name, f"{folder} cannot be loaded: {first[:300]}", (AGAIN,)) from error
    _check_shapes(name, report, set(model.state_dict()))
    place = trunk.place(model)
    needed = sorted(
        key
        for key in report["missing_keys"]
        if key.startswith(place) and not re.search(r"(^|\.)(pooler|head|mask_token)\b", key)
    )
    if needed:
        raise WeightsError(name, f"the checkpoint lacks {len(needed)} tensors, {needed[0]} among them")
    inner = model.get_submodule(place)
    trunk.prepare(inner)
    inner.requires_grad_(False)
    return inner.eval()


def _check_shapes(name: str, report: Mapping[str, Any], loaded: Set[str]) -> None:
    """Raises where the settings describe another network than the weights are of.

    Raises:
        WeightsError: tensors of another shape, or blocks beyond those that the settings count.
    """
    wrong = sorted(str(key) for key, *_ in report["mismatched_keys"])
    if wrong:
        raise WeightsError(
            name,
            f"{len(wrong)} tensors have another shape than its config.json describes, {wrong[0]} among them",
            (AGAIN,),
        )
    kinds = {re.sub(r"\d+", "#", key) for key in loaded}
    more = sorted(key for key in report["unexpected_keys"] if re.sub(r"\d+", "#", key) in kinds)
    if more:
        raise WeightsError(
            name, f"the checkpoint has blocks that its config.json does not count, {more[0]} of one", (AGAIN,)
        )


def _width(model: nn.Module, trunk: Trunk, patch_size: int, depth: int) -> int:
    with torch.no_grad():
        pixels = torch.zeros(1, 3, 2 * patch_size, 2 * patch_size)
        return trunk.read(model, pixels, (depth - 1,), final_norm=False)[depth - 1].shape[-1]


def _heads(config: Any) -> int:
    """Attention heads of the last layer; 0 where there is no attention."""
    found: Any = getattr(config, "num_attention_heads", None) or getattr(config, "num_heads", 0)
    return int(found[-1] if isinstance(found, (list, tuple)) else found)

"""One arm of a refinement, from the unchanged weights to a Hugging Face folder; resumable at any step."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dinoscope.anchoring.batches import batches
from dinoscope.anchoring.checks import TrainingStoppedError, require
from dinoscope.anchoring.network import write_backbone
from dinoscope.anchoring.photographs import PhotographMemory
from dinoscope.anchoring.refine.low_rank import learn_low_rank, merge_low_rank
from dinoscope.anchoring.refine.objective import Objective
from dinoscope.anchoring.refine.settings import ARMS, Refinement
from dinoscope.anchoring.seeds import Purpose, torch_seed
from dinoscope.anchoring.train import Progress
from dinoscope.atomic import write_text, write_whole
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.hub import CONFIG, PREPROCESSOR
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import InputError

STATE = "state.pt"


def train_arm(
    before: DinoBackbone,
    photographs: PhotographMemory,
    folder: Path,
    settings: Refinement,
    *,
    workers: int = 1,
    on_step: Callable[[str, Progress], None] = lambda _name, _progress: None,
) -> Path:
    """Train one arm, or go on with it; one that is done is left as it is.

    On one machine, with the same versions and thread count, the result is the same to the last digit, also
    where the process was killed on the way.

    Args:
        before: the unchanged model, on the device to learn on.
        photographs: to learn from.
        folder: of the arm; its name says which of `ARMS`.
        settings: of the refinement.
        workers: threads that cut crops.
        on_step: called after each step with the arm's name.

    Returns:
        The folder, with ``config.json`` and ``model.safetensors``.

    Raises:
        TrainingStoppedError: a loss is not finite.
    """
    if (folder / CONFIG).is_file():
        return folder
    network = _network(before, settings)
    optimizer = torch.optim.AdamW(
        [p for p in network.parameters() if p.requires_grad], settings.learning_rate, weight_decay=0.0
    )
    work = folder.parent / f"{folder.name}-state"
    step = _restored(work / STATE, network, optimizer)
    objective = Objective(before, ARMS[folder.name], settings)
    began, first = time.perf_counter(), step + 1
    crops = settings.crops(before.spec.patch_size, workers)
    with closing(batches(photographs, crops, first)) as cut:
        for step, batch in enumerate(cut, first):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * rate(step, settings.steps)
            losses = objective.losses(network, batch.to(before.device), step)
            total = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(total):
                kept = work / STATE if (work / STATE).is_file() else None
                raise TrainingStoppedError(step, "loss", "the loss is not finite; lower --rate", kept)
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            if step % settings.checkpoint_every == 0 and step < settings.steps:
                _save(work / STATE, network, optimizer, step)
            pace = (time.perf_counter() - began) / (step - first + 1)
            told = {name: float(value.detach()) for name, value in losses.items()}
            on_step(folder.name, Progress(step, settings.steps, told, pace, pace * (settings.steps - step)))
    merge_low_rank(network)
    write_backbone(network.to("cpu"), folder)
    write_text(folder / PREPROCESSOR, _preprocessor(before.spec, settings))
    (work / STATE).unlink(missing_ok=True)
    if work.is_dir():
        work.rmdir()
    return folder


def rate(step: int, steps: int) -> float:
    """Share of the learning rate at a step, counted from 1: up over the first tenth, then half a cosine."""
    rise = max(1, steps // 10)
    if step <= rise:
        return step / rise
    return (1.0 + math.cos(math.pi * (step - rise) / (steps - rise + 1))) / 2.0


def check_refinable(backbone: Any) -> DinoBackbone:
    """The backbone, if it can be refined and saved.

    Raises:
        InputError: no ViT of DINOv2 or DINOv3 in float32.
    """
    vit = isinstance(backbone, DinoBackbone) and backbone.spec.family in ("dinov2", "dinov3")
    require(vit, f"only ViTs of DINOv2 and DINOv3 are refined, not {backbone.spec.name}")
    require(backbone.dtype == torch.float32, f"refining needs float32, this backbone is {backbone.dtype}")
    return backbone


def _network(before: DinoBackbone, settings: Refinement) -> nn.Module:
    found: list[nn.Module] = []
    before.altered(found.append)  # a copy
    network = found[0].eval()
    if settings.rank:
        with torch.random.fork_rng():
            torch.manual_seed(torch_seed(settings.seed, Purpose.NETWORK, 0))
            learn_low_rank(network, settings.rank)
    else:
        network.requires_grad_(True)
    return network


def _save(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer, step: int) -> None:
    state = {"step": step, "network": network.state_dict(), "optimizer": optimizer.state_dict()}
    write_whole(path, partial(torch.save, state))


def _restored(path: Path, network: nn.Module, optimizer: torch.optim.Optimizer) -> int:
    if not path.is_file():
        return 0
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise InputError(
            f"{str(path)!r} cannot be gone on from: remove it, and this arm begins anew"
        ) from error


def _preprocessor(spec: BackboneSpec, settings: Refinement) -> str:
    side = settings.grid * spec.patch_size
    facts = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "do_rescale": True}
    facts |= {"do_normalize": True, "size": {"height": side, "width": side}, "rescale_factor": 1 / 255}
    facts |= {"image_mean": list(spec.mean), "image_std": list(spec.std), "resample": 2}
    return json.dumps(facts, indent=2) + "\n"

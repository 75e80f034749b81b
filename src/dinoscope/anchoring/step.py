"""One step of learning: forward passes, losses, the optimiser, the moving average."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dinoscope.anchoring.batches import N_GLOBAL, Batch
from dinoscope.anchoring.config import Objective, SecondStage, Settings
from dinoscope.anchoring.forward import Chosen, Tokens, every_token
from dinoscope.anchoring.losses import (
    cls_pull,
    contrast_loss,
    dino_loss,
    feature_mse,
    ibot_loss,
    koleo_loss,
    sinkhorn,
)
from dinoscope.anchoring.network import follow
from dinoscope.anchoring.seeds import Purpose, torch_seed
from dinoscope.anchoring.state import State
from dinoscope.backbones.controls import blur
from dinoscope.maths.gram_loss import gram_loss
from dinoscope.maths.reduced import reduced_patches


class NotFiniteError(ArithmeticError):
    """A loss, or the gradient, that is NaN or infinite; nothing was changed.

    Attributes:
        what: its name in the log.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} is not finite")


def learn(state: State, batch: Batch, settings: Settings, step: int, *, half: bool) -> dict[str, float]:
    """Do one step, in place. Sets the global random state.

    Args:
        state: after step ``step - 1``.
        batch: of this step, on the state's device.
        settings: of the run.
        step: counted from 1.
        half: forward passes in bfloat16.

    Returns:
        Each loss before its weight, their weighted sum ``loss``, and the norm of the ``gradient`` before it
        was limited.

    Raises:
        NotFiniteError: the state is as it was.
    """
    torch.manual_seed(torch_seed(settings.seed, Purpose.NETWORK, step))
    device = batch.global_crops.device
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
        terms, wide = _distillation(state, batch, settings, step)
    _check_finite(terms)
    stage = settings.second_stage
    if stage is not None and stage.pull and wide is not None:
        terms["cls_pull"] = cls_pull(wide.patches, wide.cls)
    if state.anchor is not None and stage is not None and wide is not None:
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=half):
            target = anchor_patches(state.anchor, batch, settings.grid, compiled=state.student.compiled)
            if stage.blur:
                side = (settings.grid, settings.grid)
                target = blur(target.float().unflatten(1, side), stage.blur).flatten(1, 2)
        name, anchored = _anchored(stage, wide.patches, target)
        terms[name] = anchored
    _check_finite(terms)
    weights = loss_weights(settings, step)
    total = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()
    limit = settings.clip_gradient or math.inf
    gradient = float(nn.utils.clip_grad_norm_(state.student.parameters(), limit, foreach=True))
    if not math.isfinite(gradient):
        raise NotFiniteError("gradient")
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(settings, step)
    state.optimizer.step()
    follow(state.teacher, state.student, settings.ema)
    state.step = step
    if stage is not None and _renews(stage, step, state.n_updates) and state.anchor is not None:
        state.anchor.load_state_dict(state.teacher.backbone.state_dict())
        state.n_updates += 1
    return {name: float(term.detach()) for name, term in terms.items()} | {
        "loss": float(total.detach()),
        "gradient": gradient,
    }


def learning_rate(settings: Settings, step: int) -> float:
    """Rises in a line over the warm-up, stays, and falls in a line over the cool-down, if there is one.

    The last step of the cool-down, and any after it, learns at the rate of one step before 0.
    """
    rise = min(1.0, step / settings.warmup) if settings.warmup else 1.0
    if not settings.cooldown_steps or step <= settings.cooldown_start:
        return settings.learning_rate * rise
    left = settings.cooldown_start + settings.cooldown_steps + 1 - step
    return settings.learning_rate * rise * max(1, left) / (settings.cooldown_steps + 1)


def teacher_temperature(objective: Objective, step: int) -> float:
    """Moves in a line to where it stays."""
    if step >= objective.temperature_steps:
        return objective.teacher_temperature
    first, last = objective.first_temperature, objective.teacher_temperature
    return first + (last - first) * step / objective.temperature_steps


def loss_weights(settings: Settings, step: int) -> dict[str, float]:
    """The factor of every loss at a step.

    Each pair of a student crop and a teacher crop counts alike in the DINO loss before the local crops'
    own weight.

    Source: stage-2 objective, DINOv3 (arXiv 2508.10104), eq. 3; share of pairs and the ramps:
    facebookresearch/dinov3@6876159 (`reweight_dino_local_loss`, `dinov3_vit7b16_gram_anchor.yaml`).
    """
    objective, stage = settings.objective, settings.second_stage
    near, far = N_GLOBAL * (N_GLOBAL - 1), N_GLOBAL * settings.crops.n_local
    share = 0.0 if stage is None else stage.share(step)
    local = objective.local if stage is None else objective.local + (stage.local - objective.local) * share
    anchor, pull = (0.0, 0.0) if stage is None else (stage.weight * share, stage.pull * share)
    return {
        "dino_global": objective.dino * near / (near + far),
        "dino_local": objective.dino * local * far / (near + far),
        "contrast_global": objective.contrast * near / (near + far),
        "contrast_local": objective.contrast * local * far / (near + far),
        "ibot": objective.ibot,
        "koleo": objective.koleo,
        "gram": anchor,
        "feature_mse": anchor,
        "cls_pull": pull,
    }


@torch.no_grad()
def anchor_patches(anchor: nn.Module, batch: Batch, grid: int, *, compiled: bool = False) -> Tensor:
    """The frozen teacher's patches of the undistorted global crops, on the student's grid: "b n dim"."""
    if batch.clean_crops is None:
        raise ValueError("the batch was cut without clean crops")
    patches = every_token(anchor, batch.clean_crops, compiled=compiled).patches
    fine = math.isqrt(patches.shape[1])
    return reduced_patches(patches, (fine, fine), (grid, grid))


def _distillation(
    state: State, batch: Batch, settings: Settings, step: int
) -> tuple[dict[str, Tensor], Tokens | None]:
    """The losses; and all the student's patches where a second stage ties them to something."""
    objective, masks = settings.objective, batch.masks
    any_masked = bool(masks.any())
    asked = masks if any_masked else None
    warmth, rounds = teacher_temperature(objective, step), objective.sinkhorn_iterations
    with torch.no_grad():
        seen = state.teacher.some(batch.global_crops, asked)
        whole = state.teacher.dino_head.directions(seen.cls)
        assigned = sinkhorn(state.teacher.dino_head.prototypes(whole), warmth, rounds)
        assigned, whole = (rows.unflatten(0, (N_GLOBAL, -1)) for rows in (assigned, whole))
    wide: Tokens | None = None
    blocks = state.student.blocks()
    if _ties_patches(settings):
        wide = state.student(batch.global_crops, masks, blocks)
        known = Chosen(wide.cls, wide.patches[masks])
    else:
        known = state.student.some(batch.global_crops, asked, masks, blocks)
    temperature = objective.student_temperature
    classes = {"global": known.cls.unflatten(0, (N_GLOBAL, -1))}
    if len(batch.local_crops):
        narrow = state.student.some(batch.local_crops, None, blocks=blocks)
        classes["local"] = narrow.cls.unflatten(0, (settings.crops.n_local, -1))
    terms: dict[str, Tensor] = {}
    for crops, cls in classes.items():
        found, skip = state.student.dino_head.directions(cls), crops == "global"
        logits = state.student.dino_head.prototypes(found)
        terms[f"dino_{crops}"] = dino_loss(logits, assigned, temperature=temperature, skip_same=skip)
        if objective.contrast:
            terms[f"contrast_{crops}"] = contrast_loss(
                found, whole, temperature=objective.contrast_temperature, skip_same=skip
            )
    if any_masked:
        with torch.no_grad():
            hidden = sinkhorn(state.teacher.ibot_head(seen.patches), warmth, rounds)
        guessed = state.student.ibot_head(known.patches)
        terms["ibot"] = ibot_loss(guessed, hidden, masks, temperature=temperature)
    terms["koleo"] = torch.stack([koleo_loss(cls) for cls in known.cls.chunk(N_GLOBAL)]).sum()
    return terms, wide


def _ties_patches(settings: Settings) -> bool:
    stage = settings.second_stage
    return stage is not None and (stage.anchor != "none" or stage.pull > 0)


def _anchored(stage: SecondStage, patches: Tensor, target: Tensor) -> tuple[str, Tensor]:
    if stage.anchor == "gram":
        return "gram", gram_loss(patches.float(), target.float(), clip_negatives=False)
    return "feature_mse", feature_mse(patches, target)


def _renews(stage: SecondStage, step: int, n_updates: int) -> bool:
    if not stage.update_every or n_updates >= stage.max_updates:
        return False
    return step > stage.start and (step - stage.start) % stage.update_every == 0


def _check_finite(terms: Mapping[str, Tensor]) -> None:
    for name, value in zip(
        terms, torch.stack([t.detach().float() for t in terms.values()]).tolist(), strict=True
    ):
        if not math.isfinite(value):
            raise NotFiniteError(name)

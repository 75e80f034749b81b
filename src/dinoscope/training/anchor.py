"""The Gram anchor: a loss that holds the likeness of a student's patches to that of an early teacher."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.gram_loss import gram_loss
from dinoscope.maths.ramp import cosine_ramp
from dinoscope.maths.reduced import reduced_patches
from dinoscope.training.tokens import TokenMap, grid_of, patch_px_of, snapshot, tokens_of
from dinoscope.training.weights import take_weights

Negatives = Literal["keep", "drop", "drop-teacher"]
_CLIPPED: dict[str, bool | Literal["teacher"]] = {"keep": False, "drop": True, "drop-teacher": "teacher"}


class GramAnchor(nn.Module):
    """The loss of Gram anchoring with its teacher and its schedules, for any training loop.

    The teacher is copied here and now: a state that was good, not the model that goes on learning. It is
    part of ``state_dict``, with the schedule's place, so that a resumed run has the same anchor.

    Source: DINOv3 (arXiv 2508.10104), sections 4.2 and 4.3, appendix C; facebookresearch/dinov3@6876159
    (`dinov3_vit7b16_gram_anchor.yaml`: weight 2, ramp 1,000, at most 3 new teachers, 10,000 steps apart,
    twice the resolution, negatives kept).

    Args:
        teacher: what `dinoscope.training.tokens.tokens_of` understands. With ``refresh_every`` the live
            moving average itself: its weights of then are taken again.
        weight: of the loss once the ramp is over; 0 leaves training bitwise as it is, at no cost.
        scale: how many times finer than the student's grid the teacher looks; its patches are reduced to
            the student's grid before they are normalised.
        refresh_every: steps from ``start`` between new teachers; None: never.
        start: the weight is 0 up to this step.
        ramp: steps in which it then rises along half a cosine.
        negatives: ``keep`` negative cosines; ``drop`` those of both; ``drop-teacher``: the teacher's, and
            the student's where the teacher's is negative too.
        max_refreshes: so many new teachers at most; None: no limit.

    Raises:
        InputError: a negative weight, step or ramp; a scale below 1; an unknown word; a teacher without
            parameters that is to be refreshed.
    """

    def __init__(
        self,
        teacher: Any,
        weight: float = 2.0,
        scale: float = 2,
        refresh_every: int | None = None,
        start: int = 0,
        ramp: int = 1000,
        negatives: Negatives = "keep",
        *,
        max_refreshes: int | None = 3,
    ) -> None:
        super().__init__()
        _check(weight >= 0 and math.isfinite(weight), f"weight must be 0 or more, got {weight}")
        _check(scale >= 1 and math.isfinite(scale), f"scale must be 1 or more, got {scale}")
        _check(start >= 0, f"start must not be negative, got {start}")
        _check(ramp >= 0, f"ramp must not be negative, got {ramp}")
        _check(
            refresh_every is None or refresh_every > 0, f"refresh_every must be 1 or more: {refresh_every}"
        )
        _check(max_refreshes is None or max_refreshes >= 0, f"max_refreshes is negative: {max_refreshes}")
        _check(negatives in _CLIPPED, f"negatives is one of {', '.join(_CLIPPED)}, not {negatives!r}")
        if refresh_every is not None and not isinstance(teacher, nn.Module):
            raise InputError("a teacher that is to be refreshed must be a torch module: its weights change")
        self.weight, self.scale, self.refresh_every = (
            weight,
            Fraction(scale).limit_denominator(64),
            refresh_every,
        )
        self.start, self.ramp, self.negatives, self.max_refreshes = start, ramp, negatives, max_refreshes
        self.n_refreshes, self.last_step = 0, -1
        held = snapshot(teacher)
        self._patch_px = patch_px_of(held)  # None: seen at the first step
        self._fits = False
        # A module is registered, so that it moves with the anchor and is saved; the live one must not be.
        self.teacher = held if isinstance(held, nn.Module) else None
        self._held, self._live = (held,), (teacher,)

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch leaves it bare
    def forward(
        self,
        student_patches: Float[Tensor, "b n dim"] | Float[Tensor, "b h w dim"],
        images: Float[Tensor, "b 3 H W"],
        *,
        step: int,
    ) -> Float[Tensor, ""]:
        """The weighted loss of one batch; exactly 0, without a gradient, where the weight is still 0.

        Args:
            student_patches: after the final norm, without class and register tokens.
            images: the same crops, normalised for the teacher and neither masked nor distorted, of the
                student's proportions. Best cut from the photographs at ``scale`` times the student's
                resolution; from smaller ones the teacher sees a bicubic enlargement.
            step: the training's own; calls at the same step are allowed, earlier ones are not.

        Raises:
            InputError: a step before the last one; NaN or infinite patches; a teacher without patches.
            ShapeError: other photographs than patches; no grid that fits.
            GridMismatchError: a teacher that keeps to a grid of its own.
        """
        _check(
            step >= self.last_step,
            f"step {step} after step {self.last_step}: load_state_dict of that step's anchor goes back",
        )
        self.last_step = step
        self._refresh_if_due(step)
        patches, grid = _student(student_patches, images)
        weight = self.weight_at(step)
        # A teacher that does not fit is found at the first step, and not when the weight begins to rise.
        if weight == 0.0 and (self.weight == 0.0 or self._fits):
            return patches.new_zeros((), dtype=torch.float32)
        with torch.no_grad():
            target = self._target(images, grid)
        if weight == 0.0:
            return patches.new_zeros((), dtype=torch.float32)
        clipped = _CLIPPED[self.negatives]
        return weight * gram_loss(patches, target.to(patches.device), clip_negatives=clipped)

    def weight_at(self, step: int) -> float:
        """The weight of the loss at a step."""
        return self.weight * cosine_ramp(step, self.start, self.ramp)

    def refresh(self, model: nn.Module) -> None:
        """Takes another model's present weights as the teacher's, whatever the schedule says.

        Raises:
            InputError: it has other parameters than the teacher.
        """
        if self.teacher is None:
            raise InputError("the teacher is no torch module: make a new anchor")
        take_weights(self.teacher, model)
        self.n_refreshes += 1

    def train(self, mode: bool = True) -> GramAnchor:  # noqa: FBT001, FBT002  (torch has it so)
        """As for any module, but the teacher stays in evaluation mode."""
        super().train(mode)
        if self.teacher is not None:
            self.teacher.eval()
        return self

    def get_extra_state(self) -> Int[Tensor, "2"]:
        """Where the schedule is."""
        return torch.tensor([self.last_step, self.n_refreshes])

    def set_extra_state(self, state: Int[Tensor, "2"]) -> None:
        """Puts the schedule there."""
        self.last_step, self.n_refreshes = state.tolist()

    def _refresh_if_due(self, step: int) -> None:
        if self.refresh_every is None:
            return
        due = max(0, step - self.start) // self.refresh_every
        due = due if self.max_refreshes is None else min(due, self.max_refreshes)
        if due > self.n_refreshes:
            self.refresh(self._live[0])
            self.n_refreshes = due

    def _target(self, images: Tensor, grid: tuple[int, int]) -> Float[Tensor, "b n dim"]:
        """The teacher's patches on the student's grid."""
        wanted = self._finer(grid)
        seen = tokens_of(self._held[0], self._sized(images, wanted))
        if seen.grid != wanted and self._patch_px is None:
            self._patch_px = _patch_px(images, seen)
            seen = tokens_of(self._held[0], self._sized(images, wanted))
        if seen.grid != wanted:
            H, W = self._sized(images, wanted).shape[2:]
            fits = " x ".join(str(float(side / self.scale)).removesuffix(".0") for side in seen.grid)
            raise GridMismatchError(
                seen.grid,
                wanted,
                f"the teacher keeps to the first where it is shown {H}x{W} pixels; at scale {self.scale} "
                f"that fits a student's grid of {fits}; or take another scale",
            )
        self._fits = True
        return reduced_patches(seen.patches, wanted, grid)

    def _finer(self, grid: tuple[int, int]) -> tuple[int, int]:
        h, w = (side * self.scale for side in grid)
        _check(
            h.denominator == w.denominator == 1,
            f"{self.scale} times a grid of {grid[0]}x{grid[1]} is no grid: take another scale",
        )
        return int(h), int(w)

    def _sized(self, images: Tensor, grid: tuple[int, int]) -> Tensor:
        """Images on which the teacher has this grid; as they are until its patch size is known."""
        if self._patch_px is None:
            return images
        size = (grid[0] * self._patch_px, grid[1] * self._patch_px)
        if tuple(images.shape[2:]) == size:
            return images
        return F.interpolate(images, size=size, mode="bicubic", antialias=True, align_corners=False)


def _student(patches: Tensor, images: Tensor) -> tuple[Float[Tensor, "b n dim"], tuple[int, int]]:
    """The student's patches in a row, and their grid."""
    if images.ndim != 4 or len(images) != len(patches):
        raise ShapeError("images", expected=f"b={len(patches)} 3 H W", actual=images.shape)
    if patches.ndim == 4:
        grid = (patches.shape[1], patches.shape[2])
        _check(
            grid[0] * images.shape[3] == grid[1] * images.shape[2],
            f"images of {images.shape[2]}x{images.shape[3]} pixels have other proportions than the student's "
            f"grid of {grid[0]}x{grid[1]} patches",
        )
        return patches.flatten(1, 2), grid
    if patches.ndim != 3:
        raise ShapeError("student_patches", expected="b n dim", actual=patches.shape)
    return patches, grid_of(patches.shape[1], (images.shape[2], images.shape[3]))


def _patch_px(images: Tensor, seen: TokenMap) -> int:
    return int(images.shape[2]) // seen.grid[0]


def _check(holds: bool, message: str) -> None:  # noqa: FBT001
    if not holds:
        raise InputError(message)

"""The loss of Gram anchoring, on tensors, with its gradient. Its forms are derived in `dinoscope.maths.gram`.

Where the two terms cancel, the products are repeated in float64, and if need be the student is first rotated
onto the teacher.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from dinoscope.data.kinds import check_kind
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.gram import CANCELLED_DOUBLE, ROWS, WIDE, chunks
from dinoscope.maths.patches import SHORTEST

CANCELLED_SINGLE = 0.05
"""`CANCELLED_DOUBLE` for products in float32."""


def gram_loss(
    student: Float[Tensor, "b n dim"],
    teacher: Float[Tensor, "b n dim_teacher"],
    clip_negatives: bool | Literal["teacher"] = False,  # noqa: FBT001, FBT002  (the official loss has it so)
) -> Float[Tensor, ""]:
    """Mean squared difference of the cosine Gram matrices, image by image: mean over b·n² entries.

    Source: DINOv3 (arXiv 2508.10104), eq. 2, with the mean of `dinov3/loss/gram_loss.py`
    (facebookresearch/dinov3@6876159) in place of the sum; negatives are kept by the released
    configuration (``remove_neg: false``). The forms used are derived in `dinoscope.maths.gram`.

    Args:
        student: patches, in any scale; differentiable (once).
        teacher: patches of the same places; the channels may differ. Differentiable too.
        clip_negatives: set negative cosines of both to 0 before comparing. ``"teacher"``: the teacher's, and
            the student's only where the teacher's is negative too (the official ``remove_only_teacher_neg``).

    Returns:
        A scalar in [0, 4]; float64 if an input is, else float32. Patches shorter than 1e-12 count as
        zero vectors, as in the official code.

    Cost: O(n·dim²) time and O(dim²) memory where ``n > 1.5·dim`` and negatives are kept; else O(n²·dim)
    time, in blocks of bounded memory where negatives are clipped. The backward pass costs the same.
    Products are never made in half precision, also under autocast. On a device without float64 (MPS)
    everything is float32, and nearly equal inputs lose digits.

    Raises:
        ShapeError: not ``b n dim``, or different ``b`` or ``n``.
        InputError: NaN or infinite values; another word than ``"teacher"``; no tensors.
    """
    if clip_negatives not in (False, True, "teacher"):
        raise InputError(f"clip_negatives is False, True or 'teacher', not {clip_negatives!r}")
    for name, value in (("student", student), ("teacher", teacher)):
        check_kind(value, Tensor, "torch.as_tensor makes one of an array")
        if value.ndim != 3:
            raise ShapeError(name, expected="b n dim", actual=value.shape)
        _check_filled(name, value, "b n dim")
    if student.shape[:2] != teacher.shape[:2]:
        raise ShapeError(
            "teacher", expected=f"b={student.shape[0]} n={student.shape[1]} dim", actual=teacher.shape
        )
    double = torch.float64 in (student.dtype, teacher.dtype)
    return _loss(student, teacher, torch.float64 if double else torch.float32, clip_negatives=clip_negatives)


def _loss(
    student: Float[Tensor, "b n dim"],
    teacher: Float[Tensor, "b n dim_teacher"],
    dtype: torch.dtype,
    *,
    clip_negatives: bool | Literal["teacher"] = False,
) -> Float[Tensor, ""]:
    """`gram_loss` of checked inputs, with products in ``dtype``."""
    n, dim = student.shape[1], max(student.shape[2], teacher.shape[2])
    with torch.autocast(student.device.type, enabled=False):
        one_image: type[torch.autograd.Function]
        how: tuple[object, ...] = (dtype,)
        if clip_negatives:
            one_image, how = _Clipped, (dtype, clip_negatives == "teacher")
        elif n > WIDE * dim:
            one_image = _Narrow
        else:
            return _dense(student, teacher, dtype)
        totals = [
            one_image.apply(s, t, *how)  # type: ignore[no-untyped-call]  # torch leaves it bare
            for s, t in zip(student, teacher, strict=True)
        ]
        return (torch.stack(totals).mean() / n**2).to(dtype)


def _check_filled(name: str, value: Tensor, expected: str) -> None:
    if 0 in value.shape:
        raise ShapeError(name, expected=expected, actual=value.shape)
    if not all(bool(torch.isfinite(block).all()) for block in value.flatten(0, -2).split(ROWS)):
        raise InputError(f"{name} holds NaN or infinite values")


def _wide(value: Tensor) -> torch.dtype:
    return torch.float32 if value.device.type == "mps" else torch.float64


def _unit(value: Float[Tensor, "... dim"]) -> Float[Tensor, "... dim"]:
    value = value.to(_wide(value))
    return value / value.norm(dim=-1, keepdim=True).clamp_min(SHORTEST)


def _pad(value: Float[Tensor, "... dim"], dim: int) -> Float[Tensor, "... dim_padded"]:
    """Channels of zeros behind: they change no inner product."""
    return torch.nn.functional.pad(value, (0, dim - value.shape[-1]))


def _dense(
    student: Float[Tensor, "b n dim"], teacher: Float[Tensor, "b n dim_teacher"], dtype: torch.dtype
) -> Float[Tensor, ""]:
    dim = max(student.shape[2], teacher.shape[2])
    s, t = _pad(_unit(student), dim), _pad(_unit(teacher), dim)
    half = (s - t).to(dtype) @ (s + t).to(dtype).mT
    return (half + half.mT).square().mean(dtype=_wide(student)).to(dtype) / 4


@dataclass(frozen=True, slots=True)
class _Moments:
    """DᵀD, EᵀE, EᵀD and the rotation of the student that they were made with (None: none)."""

    dd: Tensor
    ee: Tensor
    ed: Tensor
    rotation: Tensor | None

    @property
    def terms(self) -> tuple[Tensor, Tensor]:
        return (self.dd * self.ee).sum(), (self.ed * self.ed.mT).sum()


def _pair(
    student: Float[Tensor, "n dim"],
    teacher: Float[Tensor, "n dim_teacher"],
    rows: slice,
    rotation: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Unit rows of both, padded to the same channels, the student's rotated."""
    dim = max(student.shape[1], teacher.shape[1])
    s, t = _pad(_unit(student[rows]), dim), _pad(_unit(teacher[rows]), dim)
    return (s if rotation is None else s @ rotation), t


def _moments(
    student: Float[Tensor, "n dim"],
    teacher: Float[Tensor, "n dim_teacher"],
    dtype: torch.dtype,
    rotation: Tensor | None,
) -> _Moments:
    dim = max(student.shape[1], teacher.shape[1])
    dd, ee, ed = (student.new_zeros(dim, dim, dtype=_wide(student)) for _ in range(3))
    for rows in chunks(len(student), ROWS):
        s, t = _pair(student, teacher, rows, rotation)
        d, e = (s - t).to(dtype), (s + t).to(dtype)
        dd += d.mT @ d
        ee += e.mT @ e
        ed += e.mT @ d
    return _Moments(dd, ee, ed, rotation)


def _procrustes(
    student: Float[Tensor, "n dim"], teacher: Float[Tensor, "n dim_teacher"]
) -> Float[Tensor, "d d"]:
    """The orthogonal R that brings S R closest to T. Source: Schönemann (1966)."""
    dim = max(student.shape[1], teacher.shape[1])
    cross = student.new_zeros(dim, dim, dtype=_wide(student))
    for rows in chunks(len(student), ROWS):
        s, t = _pair(student, teacher, rows, None)
        cross += s.mT @ t
    left, _, right = torch.linalg.svd(cross)
    return left @ right


def _stable_moments(
    student: Float[Tensor, "n dim"], teacher: Float[Tensor, "n dim_teacher"], dtype: torch.dtype
) -> _Moments:
    found = _moments(student, teacher, dtype, None)
    if dtype == torch.float32 and _kept(found) < CANCELLED_SINGLE:
        found = _moments(student, teacher, _wide(student), None)
    if _kept(found) < CANCELLED_DOUBLE:
        found = _moments(student, teacher, _wide(student), _procrustes(student, teacher))
    return found


def _kept(moments: _Moments) -> float:
    """The sum of the two terms as a share of their sizes; 1 where nothing cancels."""
    first, second = (float(term) for term in moments.terms)
    size = abs(first) + abs(second)
    return (first + second) / size if size > 0 else 1.0


def _through_unit(raw: Tensor, gradient: Tensor) -> Tensor:
    """The gradient with respect to patches, from the one with respect to unit patches."""
    raw = raw.to(gradient.dtype)
    length = raw.norm(dim=-1, keepdim=True)
    direction = raw / length.clamp_min(SHORTEST)
    along = (gradient * direction).sum(dim=-1, keepdim=True) * direction
    return torch.where(length > SHORTEST, gradient - along, gradient) / length.clamp_min(SHORTEST)


class _Narrow(torch.autograd.Function):
    """||S Sᵀ - T Tᵀ||² of one image by dim x dim products; 4 (S Sᵀ - T Tᵀ) S is its gradient in S.

    With EᵀS = (EᵀE + EᵀD)/2 and DᵀS = (DᵀE + DᵀD)/2 the gradient is D (EᵀE + EᵀD) + E (DᵀE + DᵀD).
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, dtype: torch.dtype) -> Tensor:
        found = _stable_moments(student, teacher, dtype)
        ctx.save_for_backward(student, teacher, found.dd, found.ee, found.ed, found.rotation)
        ctx.dtype = dtype if found.rotation is None else _wide(student)
        first, second = found.terms
        return ((first + second) / 2).clamp_min(0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        student, teacher, dd, ee, ed, rotation = ctx.saved_tensors
        with torch.autocast(student.device.type, enabled=False):
            gradients = [
                torch.empty_like(raw) if needed else None
                for raw, needed in zip((student, teacher), ctx.needs_input_grad[:2], strict=True)
            ]
            for rows in chunks(len(student), ROWS):
                s, t = _pair(student, teacher, rows, rotation)
                d, e = (s - t).to(ctx.dtype), (s + t).to(ctx.dtype)
                for raw, out, sign in ((student, gradients[0], 1), (teacher, gradients[1], -1)):
                    if out is None:
                        continue
                    along_d, along_e = (ee + sign * ed).to(ctx.dtype), (ed.mT + sign * dd).to(ctx.dtype)
                    g = (d @ along_d + e @ along_e).to(_wide(student)) * sign
                    if rotation is not None and sign == 1:
                        g = g @ rotation.mT
                    out[rows] = _through_unit(raw[rows], g[:, : raw.shape[1]] * upstream).to(raw.dtype)
        return gradients[0], gradients[1], None


class _Clipped(torch.autograd.Function):
    """||max(S Sᵀ, 0) - max(T Tᵀ, 0)||² of one image, by blocks of `ROWS` x `ROWS` on and above the diagonal.

    With C the difference and P marking which entries of S Sᵀ are kept, the gradient in S is 4 (C ∘ P) S.
    """

    @staticmethod
    def forward(
        ctx: Any,
        student: Tensor,
        teacher: Tensor,
        dtype: torch.dtype,
        teacher_only: bool,  # noqa: FBT001
    ) -> Tensor:
        ctx.save_for_backward(student, teacher)
        ctx.dtype, ctx.teacher_only = dtype, teacher_only
        total = student.new_zeros((), dtype=_wide(student))
        for _, gap, _, weight in _clipped_blocks(student, teacher, dtype, teacher_only=teacher_only):
            total += weight * gap.square().sum(dtype=total.dtype)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        raws: tuple[Tensor, Tensor] = ctx.saved_tensors
        gradients = [
            torch.zeros_like(raw, dtype=ctx.dtype) if needed else None
            for raw, needed in zip(raws, ctx.needs_input_grad[:2], strict=True)
        ]
        with torch.autocast(raws[0].device.type, enabled=False):
            for (left, right), gap, kept, weight in _clipped_blocks(
                raws[0], raws[1], ctx.dtype, teacher_only=ctx.teacher_only
            ):
                for which, out in enumerate(gradients):
                    if out is None:
                        continue
                    dim = out.shape[1]
                    live = gap * kept[which]
                    out[left.rows] += live @ right.units[which][:, :dim]
                    if weight == 2:
                        out[right.rows] += live.mT @ left.units[which][:, :dim]
            for out, raw, sign in zip(gradients, raws, (4.0, -4.0), strict=True):
                if out is None:
                    continue
                for rows in chunks(len(raw), ROWS):
                    g = out[rows].to(_wide(raw)) * (sign * upstream)
                    out[rows] = _through_unit(raw[rows], g).to(out.dtype)
        student, teacher = (
            None if out is None else out.to(raw.dtype) for out, raw in zip(gradients, raws, strict=True)
        )
        return student, teacher, None, None


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some rows of S and T, D and E, in the products' precision."""

    rows: slice
    units: tuple[Tensor, Tensor]
    d: Tensor
    e: Tensor


def _rows(student: Tensor, teacher: Tensor, rows: slice, dtype: torch.dtype) -> _Rows:
    s, t = _pair(student, teacher, rows, None)
    return _Rows(rows, (s.to(dtype), t.to(dtype)), (s - t).to(dtype), (s + t).to(dtype))


def _clipped_blocks(
    student: Tensor, teacher: Tensor, dtype: torch.dtype, *, teacher_only: bool
) -> Iterator[tuple[tuple[_Rows, _Rows], Tensor, tuple[Tensor, Tensor], int]]:
    """Blocks of max(S Sᵀ, 0) - max(T Tᵀ, 0), where each Gram is kept, and how often a block counts.

    Where both are kept the difference is (D Eᵀ + E Dᵀ) / 2, which does not subtract the two Grams.
    ``teacher_only``: the student's negatives are dropped only where the teacher's are.
    """
    blocks = chunks(len(student), ROWS)
    for i, rows in enumerate(blocks):
        left = _rows(student, teacher, rows, dtype)
        for j, columns in enumerate(blocks[i:], i):
            right = left if i == j else _rows(student, teacher, columns, dtype)
            gap = (left.d @ right.e.mT + left.e @ right.d.mT).div_(2)
            mine = left.units[0] @ right.units[0].mT
            # Where the teacher's sign decides the loss jumps there, so that its rounding would be seen.
            theirs = left.units[1] @ right.units[1].mT if teacher_only else mine - gap
            kept = ((mine > 0) | (theirs >= 0) if teacher_only else mine > 0, theirs > 0)
            gap = torch.where(kept[0] & kept[1], gap, mine.mul_(kept[0]) - theirs.mul_(kept[1]))
            yield (left, right), gap, kept, 1 if i == j else 2

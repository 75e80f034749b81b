"""The losses of self-distillation, and what a patch anchor compares."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dinoscope.errors import ShapeError


def sinkhorn(
    logits: Float[Tensor, "rows prototypes"], temperature: float, iterations: int = 3
) -> Float[Tensor, "rows prototypes"]:
    """Teacher assignments, each row a distribution, all prototypes used about equally.

    Source: SwAV (arXiv 2006.09882), section 3.1 and appendix A; in log space, so that no temperature
    overflows.
    """
    scores = logits.float() / temperature
    for _ in range(iterations):
        scores = scores - scores.logsumexp(dim=0, keepdim=True)
        scores = scores - scores.logsumexp(dim=1, keepdim=True)
    return scores.exp()


def dino_loss(
    student: Float[Tensor, "s b prototypes"],
    teacher: Float[Tensor, "t b prototypes"],
    *,
    temperature: float,
    skip_same: bool,
) -> Float[Tensor, ""]:
    """Mean cross-entropy over every pair of a student crop and a teacher crop of the same photograph.

    Uniform guessing gives ln(prototypes) or more.

    Source: DINO (arXiv 2104.14294), eq. 1 and 3.

    Args:
        student: logits, crops first.
        teacher: assignments, crops first.
        temperature: of the student's softmax.
        skip_same: leave out pairs of crops with the same number (the same crop).

    Raises:
        ShapeError: different photographs or prototypes, or no pair is left.
    """
    if student.shape[1:] != teacher.shape[1:]:
        raise ShapeError(
            "teacher", expected=f"t b={student.shape[1]} {student.shape[2]}", actual=teacher.shape
        )
    logs = F.log_softmax(student.float() / temperature, dim=-1)
    pairs = -torch.einsum("sbk,tbk->st", logs, teacher.float()) / student.shape[1]
    return _mean_pair(pairs, skip_same=skip_same)


def contrast_loss(
    student: Float[Tensor, "s b d"], teacher: Float[Tensor, "t b d"], *, temperature: float, skip_same: bool
) -> Float[Tensor, ""]:
    """Mean cross-entropy of telling a crop's own photograph among the batch's, over every pair of crops.

    Guessing gives ln(b).

    Source: InfoNCE, arXiv 1807.03748, eq. 4; with a teacher's crops as MoCo v3 (arXiv 2104.02057).

    Args:
        student: unit vectors, crops first.
        teacher: unit vectors, crops first.
        temperature: of the softmax over photographs.
        skip_same: leave out pairs of crops with the same number (the same crop).

    Raises:
        ShapeError: no pair is left.
    """
    cosines = torch.einsum("sbd,tcd->stbc", student.float(), teacher.float())
    pairs = -(cosines / temperature).log_softmax(dim=-1).diagonal(dim1=2, dim2=3).mean(dim=-1)
    return _mean_pair(pairs, skip_same=skip_same)


def _mean_pair(pairs: Float[Tensor, "s t"], *, skip_same: bool) -> Float[Tensor, ""]:
    if not skip_same:
        return pairs.mean()
    same = torch.eye(*pairs.shape, dtype=torch.bool, device=pairs.device)
    if bool(same.all()):
        raise ShapeError("student", expected="more than one crop", actual=pairs.shape)
    return pairs.masked_fill(same, 0.0).sum() / (~same).sum()


def ibot_loss(
    student: Float[Tensor, "masked prototypes"],
    teacher: Float[Tensor, "masked prototypes"],
    masks: Bool[Tensor, "crops n"],
    *,
    temperature: float,
) -> Float[Tensor, ""]:
    """Cross-entropy of masked patches: mean over the patches of a crop, then over the masked crops.

    Source: iBOT (arXiv 2111.07832), eq. 2.

    Args:
        student: logits of the masked patches, in the masks' row-major order; at least one.
        teacher: assignments of the same patches.
        masks: which patches these are.
        temperature: of the student's softmax.

    Raises:
        ShapeError: not as many patches as the masks say, or none.
    """
    counts = masks.sum(dim=1)
    if student.shape != teacher.shape or len(student) != int(counts.sum()) or len(student) == 0:
        raise ShapeError("student", expected=f"masked={int(counts.sum())} prototypes", actual=student.shape)
    shares = (masks / counts.clamp_min(1)[:, None])[masks]
    entropy = -(teacher.float() * F.log_softmax(student.float() / temperature, dim=-1)).sum(dim=-1)
    return (entropy * shares).sum() / (counts > 0).sum()


def koleo_loss(vectors: Float[Tensor, "b dim"]) -> Float[Tensor, ""]:
    """Minus the mean log distance of each unit vector to its nearest neighbour: spreads a batch out.

    Source: Sablayrolles et al. (arXiv 1806.03198), section 3.2, on unit vectors and without the term that
    only depends on b, as in DINOv2 (arXiv 2304.07193), section 4.

    Raises:
        ShapeError: fewer than two vectors.
    """
    if len(vectors) < 2:
        raise ShapeError("vectors", expected="b>=2 dim", actual=vectors.shape)
    unit = F.normalize(vectors.float(), dim=-1)
    with torch.no_grad():
        cosines = unit @ unit.T
        cosines.fill_diagonal_(-2.0)
        nearest = cosines.argmax(dim=1)
    # The small number keeps the logarithm and its gradient finite where two vectors coincide.
    distances = ((unit - unit[nearest]).square().sum(dim=-1) + 1e-8).sqrt()
    return -distances.log().mean()


def feature_mse(
    student: Float[Tensor, "b n dim"], teacher: Float[Tensor, "b_teacher n_teacher dim_teacher"]
) -> Float[Tensor, ""]:
    """Mean squared distance of unit patches, in [0, 4]: 2 minus twice their mean cosine.

    The control of the Gram loss: it holds the features themselves, not only their geometry.

    Raises:
        ShapeError: different shapes.
    """
    if student.shape != teacher.shape:
        raise ShapeError("teacher", expected=str(tuple(student.shape)), actual=teacher.shape)
    difference = F.normalize(student.float(), dim=-1) - F.normalize(teacher.float(), dim=-1)
    return difference.square().sum(dim=-1).mean()


def cls_pull(patches: Float[Tensor, "b n dim"], cls: Float[Tensor, "b dim"]) -> Float[Tensor, ""]:
    """One minus the mean cosine of patches with their class token, in [0, 2]; no gradient reaches the latter.

    Damage planted on purpose: minimised, it makes all patches of a crop alike.

    Raises:
        ShapeError: different crops or channels.
    """
    if (len(patches), patches.shape[2]) != cls.shape:
        raise ShapeError("cls", expected=f"b={len(patches)} dim={patches.shape[2]}", actual=cls.shape)
    towards = F.normalize(cls.detach().float(), dim=-1)
    return 1.0 - torch.einsum("bnd,bd->bn", F.normalize(patches.float(), dim=-1), towards).mean()

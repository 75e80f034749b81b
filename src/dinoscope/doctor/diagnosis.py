"""What `dinoscope doctor` finds: the health of an installation, and what explains a pair of features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "unknown", "note", "problem"]
"""``problem``: dinoscope cannot be used as it is; ``note``: something is missing, the rest works;
``unknown``: it was not looked at.
"""

Outcome = Literal["same", "explained", "partly", "unexplained", "described"]
"""``described``: two sets of features without a model to vary; see `Diagnosis.verdict`."""

Measure = Literal["patch cosine", "Gram correlation"]

Triple = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the examination.

    Attributes:
        topic: what it belongs to, such as ``packages`` or ``hub``.
        name: what was looked at.
        state: as `State`.
        found: what is there.
        advice: what to do; empty where nothing needs doing.
    """

    topic: str
    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """The examination of one installation, in the order it was made."""

    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether no finding is a problem."""
        return all(finding.state != "problem" for finding in self.findings)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides what the features of one photograph are, mistakes included.

    The defaults are what dinoscope does. `doctor.explain.recipe` says what each word means.

    Attributes:
        model: as `load_backbone` takes it.
        grid: patches on the short side, or ``(h, w)``.
        layer: absolute 0-based; None for the last.
        norm: whether the final normalisation is applied.
        dtype: of the arithmetic.
        attention: how attention is computed.
        positions: how positions enter the network.
        mean, std: of the normalisation; None for what the model's authors publish.
        scale: of the colours before the normalisation.
        channels: their order.
        resize: the filter.
        crop: which part of the photograph is used.
        orientation: ``upright``, or ``stored`` where the EXIF orientation is not applied.
        skip: how many tokens before the patches are left out; None for all that are no patches.
        layout: how the patch sequence becomes a map.
    """

    model: str
    grid: int | tuple[int, int] = 32
    layer: int | None = None
    norm: bool = True
    dtype: str = "float32"
    attention: str = "sdpa"
    positions: str = "official"
    mean: Triple | None = None
    std: Triple | None = None
    scale: str = "unit"
    channels: str = "rgb"
    resize: str = "bilinear"
    crop: str = "whole"
    orientation: str = "upright"
    skip: int | None = None
    layout: str = "rows"


@dataclass(frozen=True, slots=True)
class Effect:
    """What one change, or one pair of changes, does to the features of OLD.

    Attributes:
        change: in the words of a recipe, such as ``dtype=bfloat16``.
        meaning: the same for people.
        to_old: agreement of the changed features with OLD's, in [-1, 1].
        to_new: agreement of the changed features with NEW's, in [-1, 1].
        lowest_to_new: of the patches, the lowest cosine with NEW's; NaN where ``to_new`` is no cosine, or
            where the grids differ.
        averaged: whether grids differ, so that NEW or the changed map was reduced to a common one.
    """

    change: str
    meaning: str
    to_old: float
    to_new: float
    lowest_to_new: float
    averaged: bool = False


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What explains the difference between two sets of features of one photograph.

    Attributes:
        old, new: as the user wrote them.
        photo: the photograph's name.
        measure: ``patch cosine`` (mean over the patches, by place), or ``Gram correlation`` where channels
            cannot be compared one by one.
        before: agreement of OLD with NEW.
        cka: linear CKA of OLD with NEW.
        after: agreement with NEW of what the verdict names; ``before`` where it names nothing.
        outcome: see `Outcome`.
        explanation: the change that the verdict names, in the words of a recipe; empty where none.
        verdict: for people, one or two sentences.
        effects: single changes, nearest to NEW first.
        pairs: pairs of changes, nearest to NEW first; empty where one change was enough.
        notes: what must be read beside them.
    """

    old: str
    new: str
    photo: str
    measure: Measure
    before: float
    cka: float
    after: float
    outcome: Outcome
    explanation: str
    verdict: str
    effects: tuple[Effect, ...] = ()
    pairs: tuple[Effect, ...] = ()
    notes: tuple[str, ...] = ()

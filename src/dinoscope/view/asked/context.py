"""What every answer is made of: models, features, one pass to look inside, and arrays to send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.page.questions import Answer, Question
from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.comparison.session import Session
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import CONVOLUTIONAL
from dinoscope.errors import DinoscopeError
from dinoscope.pipeline.attention import Inside, look_inside
from dinoscope.retrieval.recent import Recent

KEPT_BYTES = 2**30
"""Most bytes of queries, keys, values and tokens that are kept: no second click, no facet costs a pass."""

Made = TypeVar("Made")

ModelFacts = dict[str, object]
"""What is said of one model: ``why`` where it has nothing to show, else whatever its way of looking needs."""


class Insides:
    """Passes that were looked into, least recently used let go first."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._held: Recent[tuple[str, int, int], Inside] = Recent(kept_bytes, _bytes)

    def of(self, context: Context, digest: str, m: int) -> Inside:
        """One photograph by one model, looked into; a pass only where there was none.

        Raises:
            BackboneError: no attention that can be read.
        """
        key = (digest, context.question.grid, m)
        return self._held.either(key, partial(_looked, context, digest, m, every=False))


def _looked(context: Context, digest: str, m: int, *, every: bool) -> Inside:
    return look_inside(
        context.read(digest),
        context.models[m],
        layer=context.plan.layers[m],
        grid=context.question.grid,
        every=every,
        resize=context.plan.run.resize,
    )


def _bytes(inside: Inside) -> int:
    made = sum(part.nbytes for caught in inside.caught.values() for part in caught.made.values())
    return made + inside.features.values.nbytes


@dataclass(frozen=True, slots=True)
class Context:
    """One question, and what it may be answered from.

    Attributes:
        question: as asked.
        session: holds the features.
        plan: models, labels, layers and how photographs become features.
        read: a photograph's pixels, by its digest.
        insides: passes looked into before.
        kept: what `once` made last, by its name.
    """

    question: Question
    session: Session
    plan: MeasuringPlan
    read: Callable[[str], Photograph]
    insides: Insides
    kept: dict[str, tuple[object, Any]]
    arrays: list[np.ndarray] = field(default_factory=list)

    @property
    def models(self) -> tuple[Backbone, ...]:
        """The models of the page, in its order."""
        return self.plan.models

    def features(self, *digests: str) -> list[tuple[PatchFeatures, ...]]:
        """A tuple for each model, one entry a photograph; of all of the page where none is named."""
        rows = self.session.features(digests or self.question.digests, self.question.grid)
        return list(zip(*rows, strict=True))

    def inside(self, digest: str, m: int) -> Inside:
        """See `Insides.of`."""
        return self.insides.of(self, digest, m)

    def every_block(self, digest: str, m: int) -> Inside:
        """A pass in which every block was listened to; nothing of it is kept.

        Raises:
            InputError: queries, keys and values of all blocks do not fit into memory.
        """
        return _looked(self, digest, m, every=True)

    def once(self, name: str, of: object, make: Callable[[], Made]) -> Made:
        """What ``make`` makes, kept until something of this name is wanted of anything else."""
        held = self.kept.get(name)
        if held is None or held[0] != of:
            self.kept[name] = held = (of, make())
        made: Made = held[1]
        return made

    def send(self, array: np.ndarray) -> int:
        """The number under which an array goes along."""
        self.arrays.append(np.ascontiguousarray(array))
        return len(self.arrays) - 1

    def each(self, of: Callable[[int], ModelFacts]) -> Answer:
        """An answer with the facts of every model; a model that cannot says why instead."""
        facts: list[ModelFacts] = []
        for m in range(len(self.models)):
            try:
                facts.append(of(m))
            except DinoscopeError as error:
                facts.append({"why": str(error)})
        return Answer({"models": facts}, tuple(self.arrays))


def without_attention(context: Context, m: int, error: DinoscopeError) -> str:
    """Why a model's attention cannot be looked at, and what would do."""
    spec = context.models[m].spec
    kind = (
        "a ConvNeXt" if spec.family in CONVOLUTIONAL else "no transformer" if spec.family == "control" else ""
    )
    first = f"{spec.name} is {kind}: it has no attention." if kind else f"{error}."
    others = [
        label for label, model in zip(context.plan.labels, context.models, strict=True) if model.spec.heads
    ]
    beside = [label for label in others if label != context.plan.labels[m]]
    would = ", ".join(beside) if beside else "dinov3-vits16 or dinov2-reg-small"
    return f"{first} Vision transformers do: {would}. PCA, cosines and clusters work here."

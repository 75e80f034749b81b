"""What a patch, or the class token, attends to in the first photographs of a comparison."""

from __future__ import annotations

from dataclasses import dataclass, field

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.projections import attention_blocks, projections
from dinoscope.comparison.plan import MeasuringPlan
from dinoscope.data.grid import place
from dinoscope.data.photograph import Photograph
from dinoscope.data.views import CLASS_SHARE, SHARE, CloserLook, View
from dinoscope.errors import BackboneError, InputError
from dinoscope.pipeline.attention import CLS, look_inside

MOST = 6
"""Photographs that are looked into; their attention takes one more forward pass each, by every model."""

Query = str | tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionLook:
    """One row of the measured block's attention, mean over heads, for the first `MOST` photographs.

    Attributes:
        plan: the models, on their terms.
        at: a place ``(x, y)`` in ``[0, 1]²``, or ``cls`` for the class token; None for no attention at all.
        rows: of the photographs added.

    Raises:
        InputError: no such place.
        BackboneError: no model has an attention that could be read.
    """

    plan: MeasuringPlan
    at: Query | None
    rows: list[tuple[View, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.at is None:
            return
        if isinstance(self.at, str) and self.at != CLS:
            raise InputError(f"no place {self.at!r} to ask the attention of: give (x, y) or {CLS!r}")
        if not isinstance(self.at, str):
            place(self.at)
        reasons = [reason for model in self.plan.models if (reason := _without(model))]
        if len(reasons) == len(self.plan.models):
            raise BackboneError(f"no attention to show: {reasons[0]}")

    def add(self, photograph: Photograph) -> None:
        """A photograph, decoded."""
        if self.at is not None and len(self.rows) < MOST:
            self.rows.append(tuple(self._view(photograph, m) for m in range(len(self.plan.models))))

    def found(self) -> tuple[CloserLook, ...]:
        """The look; nothing where it was not asked for."""
        if self.at is None:
            return ()
        who = "the class token" if self.at == CLS else f"the patch at ({self.at[0]:g}, {self.at[1]:g})"
        told = (
            f"What {who} attends to, in the block whose features are compared: the mean over its heads, as a "
            "multiple of the share that every token would have if all had the same, on one scale for all "
            "models. Attention says where values are taken from, not what was important for the result."
        )
        return (CloserLook("attention", "Attention", told, tuple(self.rows)),)

    def _view(self, photograph: Photograph, m: int) -> View:
        plan, label, kind = self.plan, self.plan.labels[m], CLASS_SHARE if self.at == CLS else SHARE
        run = plan.run.at(plan.layers[m])
        try:
            inside = look_inside(
                photograph, plan.models[m], layer=plan.blocks[m], grid=run.grid, resize=run.resize
            )
            seen = inside.attention(at=CLS if self.at is None else self.at)
        except (BackboneError, InputError) as error:
            return View(label, kind, None, str(error))
        n_cls = int(inside.features.cls is not None)
        to_cls, others = seen.to_prefix[:n_cls].sum(), seen.to_prefix[n_cls:].sum()
        note = f"{seen.values.sum():.0%} to patches, {to_cls:.0%} to the class token"
        if len(seen.to_prefix) > n_cls:
            note += f", {others:.0%} to registers"
        return View(label, kind, seen.even_shares, note, seen.patch)


def _without(model: Backbone) -> str:
    """Why a model has no attention that could be read; empty where it has some."""
    try:
        projections(attention_blocks(model)[0], model.spec.name)
    except BackboneError as error:
        return str(error)
    return ""

"""The search: every single change to a recipe, pairs of the nearest, and which of them gives the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dinoscope.doctor.diagnosis import Diagnosis, Effect, Measure, Recipe
from dinoscope.doctor.explain.notes import length_note, structure_note
from dinoscope.doctor.explain.render import Rendered, Renderer
from dinoscope.doctor.explain.variants import Variant, together, variants
from dinoscope.doctor.explain.verdict import concluded, wants_pairs
from dinoscope.errors import InputError
from dinoscope.io.foreign_features import ForeignFeatures
from dinoscope.maths.same_places import cka_same_places, patch_agreement

STARTS = 3
"""Pairs are made of the nearest single changes of so many kinds, each with every other change."""

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is to be explained.

    Attributes:
        recipe: to vary.
        target: the features that it should give.
        renderer: of the photograph.
        photo: the photograph's name.
        names: what the recipe's features and the target are called.
        extra: changes to try beside the usual ones.
        notes: to begin the diagnosis' own with.
        on_progress: called with how many changes of how many are done.
    """

    recipe: Recipe
    target: ForeignFeatures
    renderer: Renderer
    photo: str
    names: tuple[str, str]
    extra: Sequence[Variant] = ()
    notes: Sequence[str] = ()
    on_progress: OnProgress | None = None


def search(case: Case) -> Diagnosis:
    """Vary one thing at a time, then pairs where one is not enough; ``old`` and ``new`` are left empty.

    Raises:
        InputError: the recipe itself is impossible, or cannot be compared with the target.
    """
    base, target, names = case.renderer.one(case.recipe), case.target, case.names
    by_gram = base.rows.shape[1] != target.rows.shape[1]
    notes = list(case.notes)
    if by_gram:
        notes.insert(
            0,
            f"{names[0]} has {base.rows.shape[1]} channels, {names[1]} {target.rows.shape[1]}: cosines "
            "between them mean nothing, so the similarities between patches are compared instead",
        )
    before = patch_agreement(base.rows, base.shape, target.rows, target.shape, by_gram=by_gram)
    if before.averaged:
        notes.append("the grids differ: maps are compared after averaging areas to a common grid (marked ~)")
    trial = _Trial(case, base, by_gram=by_gram)
    order, failures = trial.effects(_singles(case, base))
    pairs: list[tuple[Variant, Effect]] = []
    if wants_pairs(before.mean, [effect for _, effect in order]):
        pairs, more = trial.effects(_pairs(order, before.mean))
        failures |= more
    effects, double = tuple(effect for _, effect in order), tuple(effect for _, effect in pairs)
    measure: Measure = "Gram correlation" if by_gram else "patch cosine"
    found = concluded(before.mean, effects, double, measure=measure, names=names)
    notes += [f"{change} could not be tried: {reason}" for change, reason in failures.items()]
    if not by_gram and not before.averaged:
        notes += length_note(base.rows, target.rows, names, before.mean)
        notes += structure_note(base, target, names, found.outcome)
    return replace(
        found,
        photo=case.photo,
        cka=cka_same_places(base.rows, base.shape, target.rows, target.shape),
        effects=tuple(sorted(effects, key=lambda e: e.to_old)) if found.outcome == "same" else effects,
        notes=tuple(notes),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Trial:
    case: Case
    base: Rendered
    by_gram: bool

    def effects(self, tried: Sequence[Variant]) -> tuple[list[tuple[Variant, Effect]], dict[str, str]]:
        """Each change with its effect, nearest to the target first, and the reasons of the impossible."""
        found: list[tuple[int, Effect]] = []
        failures: dict[str, str] = {}
        recipes = [variant.applied(self.case.recipe) for variant in tried]
        for done, (i, rendered) in enumerate(self.case.renderer.each(recipes), 1):
            try:
                found.append((i, self._effect(tried[i], rendered)))
            except InputError as error:
                failures[tried[i].words] = str(error)
            if self.case.on_progress is not None:
                self.case.on_progress(done, len(tried))
        # Of equals, the one that is tried first: the order says which is the likelier mistake.
        found.sort(key=lambda item: (-round(item[1].to_new, 9), item[0]))
        return [(tried[i], effect) for i, effect in found], failures

    def _effect(self, variant: Variant, rendered: Rendered | InputError) -> Effect:
        if isinstance(rendered, InputError):
            raise rendered
        base, target = self.base, self.case.target
        to_new = patch_agreement(
            rendered.rows, rendered.shape, target.rows, target.shape, by_gram=self.by_gram
        )
        to_old = patch_agreement(rendered.rows, rendered.shape, base.rows, base.shape, by_gram=self.by_gram)
        averaged = to_new.averaged or to_old.averaged
        return Effect(variant.words, variant.meaning, to_old.mean, to_new.mean, to_new.lowest, averaged)


def _singles(case: Case, base: Rendered) -> list[Variant]:
    usual = variants(
        case.recipe,
        case.renderer.spec(case.recipe.model),
        shape=base.shape,
        deviates=case.renderer.varies(case.recipe.model),
        turned=case.renderer.turned,
    )
    kept: dict[Recipe, Variant] = {}
    for variant in (*usual, *case.extra):
        kept.setdefault(variant.applied(case.recipe), variant)
    kept.pop(case.recipe, None)
    return list(kept.values())


def _pairs(order: Sequence[tuple[Variant, Effect]], before: float) -> list[Variant]:
    """Each of the nearest changes of `STARTS` kinds with every change of another kind."""
    starts: dict[str, Variant] = {}
    for variant, effect in order:
        if effect.to_new > before and len(starts) < STARTS:
            starts.setdefault(variant.kind, variant)
    for variant, _ in order:  # without the right grid nothing else can fit well
        if variant.kind == "resolution" and isinstance(variant.fields.get("grid"), tuple):
            starts.setdefault("resolution", variant)
    made: dict[frozenset[tuple[str, Any]], Variant] = {}
    for start in starts.values():
        for variant, _ in order:
            if variant.kind != start.kind:
                both = together(start, variant)
                made.setdefault(frozenset(both.fields.items()), both)
    return list(made.values())

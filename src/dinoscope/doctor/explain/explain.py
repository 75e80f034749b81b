"""Which one change to how OLD was made gives NEW? The cause finder behind `dinoscope doctor --explain`."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from dinoscope.backbones.load import load_backbone
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.doctor.diagnosis import Diagnosis, Recipe
from dinoscope.doctor.explain.files import compare_files
from dinoscope.doctor.explain.notes import departures, provenance_notes
from dinoscope.doctor.explain.recipe import changed_fields, read_grid, read_recipe, spell, split_recipe
from dinoscope.doctor.explain.render import Load, Renderer
from dinoscope.doctor.explain.search import Case, OnProgress, search
from dinoscope.doctor.explain.variants import Variant, from_fields, n_prefix
from dinoscope.doctor.explain.verdict import shown
from dinoscope.errors import InputError
from dinoscope.io.foreign_features import ForeignFeatures, holds_features, read_foreign_features
from dinoscope.maths.same_places import patch_agreement
from dinoscope.pipeline.extract import ImageLike, load_photograph

MOST_LEADING = 16
"""Largest number of surplus tokens in a bare sequence that is taken for a class token and registers."""


def explain(
    old: str,
    new: str,
    photo: ImageLike,
    *,
    device: str = "cpu",
    seed: int = 0,
    load: Load | None = None,
    on_progress: OnProgress | None = None,
) -> Diagnosis:
    """Vary one thing at a time in how OLD was made, and rank what brings its features to NEW's.

    Costs about 40 forward passes of one photograph, and up to 100 more where one change is not enough.
    Where NEW is a recipe of another model, the model is exchanged first and the rest varied from there.
    Where only NEW is a recipe, it is NEW that is varied; where both are files, only their arrays are.

    Args:
        old, new: a recipe (see `doctor.explain.recipe`), or a file of features (see
            `io.foreign_features`), with ``?layer=``, ``?key=`` or ``?grid=HxW`` where it needs them.
        photo: the photograph that both were made of.
        device: as torch spells it.
        seed: of ``random:`` models.
        load: instead of `load_backbone`.
        on_progress: called with how many forward passes of how many are done.

    Raises:
        InputError: a setting, a file or a photograph that cannot be used.
        BackboneError: a model that cannot be had.
    """
    photograph = load_photograph(photo)
    first, second = _file(old), _file(new)
    if first is not None and second is not None:
        return compare_files(old, new, first, second, photograph)
    renderer = Renderer(photograph, load or (lambda name: load_backbone(name, device=device, seed=seed)))
    if first is not None or second is not None:
        words, names = (new, ("NEW", "OLD")) if first is not None else (old, ("OLD", "NEW"))
        target = first or second
        assert target is not None  # one of the two
        recipe = _recipe(words, target, renderer, photograph)
        found = _against_file(recipe, target, renderer, photograph, names, on_progress)
    else:
        found = _recipes(read_recipe(old), read_recipe(new), renderer, photograph, on_progress)
    return replace(found, old=old, new=new)


def _file(words: str) -> ForeignFeatures | None:
    path, settings = split_recipe(words)
    if not holds_features(path):
        return None
    unknown = [key for key in settings if key not in ("layer", "key", "grid")]
    if unknown:
        raise InputError(f"{words!r}: a file of features takes layer=, key= and grid=, not {unknown[0]}=")
    layer = settings.get("layer")
    if layer is not None and not layer.isdigit():
        raise InputError(f"layer={layer}: a whole number from 0 on is needed")
    grid = read_grid("grid", settings["grid"]) if "grid" in settings else None
    if isinstance(grid, int):
        raise InputError(f"grid={grid}: of a file both sides are needed, such as grid=24x32")
    return read_foreign_features(
        path, layer=None if layer is None else int(layer), key=settings.get("key", ""), grid=grid
    )


def _recipe(words: str, target: ForeignFeatures, renderer: Renderer, photograph: Photograph) -> Recipe:
    """The recipe, on the other side's grid where the words say none."""
    recipe = read_recipe(words)
    if "grid" in split_recipe(words)[1]:
        return recipe
    if target.shape is not None:
        return replace(recipe, grid=min(target.shape))
    spec = renderer.spec(recipe.model)
    for surplus, short in product((0, n_prefix(spec), 1), range(1, 257)):
        if PatchGrid.fit(photograph.size, spec.patch_size, grid=short).n + surplus == len(target.rows):
            return replace(recipe, grid=short)
    return recipe


def _against_file(
    recipe: Recipe,
    target: ForeignFeatures,
    renderer: Renderer,
    photograph: Photograph,
    names: tuple[str, str],
    on_progress: OnProgress | None,
) -> Diagnosis:
    base = renderer.one(recipe)
    cut, notes = _without_leading(target, len(base.rows), names[1])
    notes += provenance_notes(cut.provenance, recipe, renderer.spec(recipe.model), photograph, names)
    grid = {"grid": cut.shape}
    extra = [Variant("resolution", f"a grid of {spell(grid).removeprefix('grid=')}", grid)]
    if cut.shape in (None, base.shape):
        extra = []
    return search(Case(recipe, cut, renderer, photograph.name, names, extra, notes, on_progress))


def _recipes(
    old: Recipe, new: Recipe, renderer: Renderer, photograph: Photograph, on_progress: OnProgress | None
) -> Diagnosis:
    notes = [*departures("OLD", old), *departures("NEW", new)]
    rendered = renderer.one(new)
    target = ForeignFeatures(rendered.rows, rendered.shape)
    if _same_model(renderer, old.model, new.model):
        extra = from_fields(changed_fields(old, new))
        case = Case(old, target, renderer, photograph.name, ("OLD", "NEW"), extra, notes, on_progress)
        return search(case)
    swapped = replace(old, model=new.model)
    before, after = renderer.one(old), renderer.one(swapped)
    gram = patch_agreement(before.rows, before.shape, after.rows, after.shape, by_gram=True).mean
    notes.insert(
        0,
        f"the models differ: exchanging {old.model} for {new.model} and nothing else leaves a Gram "
        f"correlation of {shown(gram)} with OLD (1 would be the same similarities between patches); all "
        "below is measured from OLD with NEW's model",
    )
    extra = from_fields(changed_fields(swapped, new))
    names = ("OLD with NEW's model", "NEW")
    found = search(Case(swapped, target, renderer, photograph.name, names, extra, notes, on_progress))
    return replace(found, verdict=_swap_verdict(found, old.model, new.model))


def _swap_verdict(found: Diagnosis, old: str, new: str) -> str:
    if found.outcome == "same":
        return f"the settings agree; what differs is the model itself ({old} against {new})."
    return f"beside the model itself ({old} against {new}), {found.verdict}"


def _same_model(renderer: Renderer, first: str, second: str) -> bool:
    if first == second:
        return True
    digests = [renderer.backbone(name).origin.digest for name in (first, second)]
    return bool(digests[0]) and digests[0] == digests[1]


def _without_leading(target: ForeignFeatures, n: int, name: str) -> tuple[ForeignFeatures, list[str]]:
    surplus = len(target.rows) - n
    if target.shape is not None or surplus == 0:
        return target, []
    if not 0 < surplus <= MOST_LEADING:
        raise InputError(
            f"{name} holds {len(target.rows)} patches without a grid, the recipe gives {n}: say what its "
            "grid is (FILE?grid=24x32), or the recipe's (MODEL?grid=24x32)"
        )
    note = (
        f"{name} holds {surplus} token{'s' * (surplus > 1)} more than its grid has patches: left out at the "
        "front, where class token and registers stand"
    )
    return replace(target, rows=target.rows[surplus:]), [note]

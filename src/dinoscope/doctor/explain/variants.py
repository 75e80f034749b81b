"""What the cause finder varies: one thing at a time, each a mistake or a choice seen in published code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dinoscope.backbones.alternatives import POSITIONS
from dinoscope.data.spec import BackboneSpec
from dinoscope.doctor.diagnosis import Recipe
from dinoscope.doctor.explain.pixels import CROPS, FILTERS
from dinoscope.doctor.explain.recipe import STATS, spell

_SCALES = {
    "unit": "colours scaled to [0, 1]",
    "255": "colours left in 0..255 instead of [0, 1]",
    "twice": "colours divided by 255 twice",
}
_STATS = {
    "imagenet": "the ImageNet mean and std",
    "half": "mean and std 0.5",
    "none": "no normalisation",
    "clip": "CLIP's mean and std",
    "sat": "the mean and std of DINOv3's satellite models",
    "scalar": "mean 0.5 and std 0.2",
}
_LAYOUTS = {
    "rows": "the map row by row",
    "transposed": "rows and columns of the map exchanged",
    "swapped": "the sequence cut into w rows of h patches",
    "columns": "the patches in the order of columns, and cut into rows",
}
_RESIZES = ("bicubic", "bilinear", "official", "bicubic-8bit", "bilinear-plain", "nearest")


@dataclass(frozen=True, slots=True)
class Variant:
    """One change to a recipe.

    Attributes:
        kind: what it changes; two changes of one kind make no pair.
        meaning: for people.
        fields: of the recipe, with their new values.
    """

    kind: str
    meaning: str
    fields: Mapping[str, Any]

    @property
    def words(self) -> str:
        """In the words of a recipe."""
        return spell(self.fields)

    def applied(self, recipe: Recipe) -> Recipe:
        """The recipe with this change."""
        return replace(recipe, **self.fields)


def together(first: Variant, second: Variant) -> Variant:
    """Both changes."""
    return Variant(
        f"{first.kind} and {second.kind}",
        f"{first.meaning}, and {second.meaning}",
        {**first.fields, **second.fields},
    )


def variants(
    recipe: Recipe,
    spec: BackboneSpec,
    *,
    shape: tuple[int, int],
    deviates: bool,
    turned: bool,
) -> tuple[Variant, ...]:
    """Every single change that can be made to a recipe, none of which leaves it as it is.

    Args:
        recipe: to start from.
        spec: of its model.
        shape: ``(h, w)`` of its map.
        deviates: whether attention and positions of the model can be varied.
        turned: whether the photograph has an EXIF orientation.
    """
    every = [
        *_colour(recipe, spec),
        *_token(recipe, spec, shape),
        *_geometry(recipe, spec, shape, turned=turned),
        *_network(recipe, spec, shape, deviates=deviates),
    ]
    kept: list[Variant] = []
    seen = {recipe}
    for variant in every:
        varied = variant.applied(recipe)
        if varied not in seen:
            seen.add(varied)
            kept.append(variant)
    return tuple(kept)


def from_fields(fields: Mapping[str, Any]) -> tuple[Variant, ...]:
    """The differences between two recipes as single changes; mean and std count as one."""
    rest = dict(fields)
    made = []
    if "mean" in rest or "std" in rest:
        stats: dict[str, Any] = {key: rest.pop(key) for key in ("mean", "std") if key in rest}
        made.append(Variant("normalisation", "another normalisation", stats))
    made += [Variant(_KINDS.get(key, key), _meaning(key, value), {key: value}) for key, value in rest.items()]
    return tuple(made)


_KINDS = {"scale": "range", "skip": "token slice", "norm": "final norm", "grid": "resolution"}


def _meaning(key: str, value: Any) -> str:
    said: Mapping[str, Mapping[Any, str]] = {
        "scale": _SCALES,
        "resize": FILTERS,
        "crop": CROPS,
        "layout": _LAYOUTS,
        "norm": {True: "the final norm applied", False: "the final norm left out"},
        "channels": {"bgr": "blue and red exchanged", "rgb": "colours in the order red, green, blue"},
        "orientation": {"stored": "the EXIF orientation ignored", "upright": "the EXIF orientation applied"},
    }
    return said.get(key, {}).get(value) or f"{key} {spell({key: value}).partition('=')[2]}"


def _colour(recipe: Recipe, spec: BackboneSpec) -> Iterator[Variant]:
    current = (recipe.mean or spec.mean, recipe.std or spec.std)
    for name, (mean, std) in STATS.items():
        if (mean, std) not in (current, (spec.mean, spec.std)):
            yield Variant("normalisation", _STATS[name], {"mean": mean, "std": std})
    if current != (spec.mean, spec.std):
        yield Variant("normalisation", "the published mean and std", {"mean": None, "std": None})
    for scale in _SCALES:
        yield Variant("range", _meaning("scale", scale), {"scale": scale})
    for channels in ("bgr", "rgb"):
        yield Variant("channels", _meaning("channels", channels), {"channels": channels})


def _token(recipe: Recipe, spec: BackboneSpec, shape: tuple[int, int]) -> Iterator[Variant]:
    if spec.heads and not spec.staged:
        prefix = n_prefix(spec)
        all_of_them = "the class token and the registers" if spec.registers else "the class token"
        meanings = {0: f"{all_of_them} counted as patches"}
        if spec.registers:
            meanings[1] = "the registers counted as patches"
            meanings[spec.registers] = "the last register counted as a patch"
        for skip in sorted(meanings, reverse=True):
            if skip < prefix:
                yield Variant("token slice", meanings[skip], {"skip": skip})
        if recipe.skip not in (None, prefix):
            yield Variant("token slice", "all tokens before the patches left out", {"skip": None})
    yield Variant("layout", _LAYOUTS["transposed"], {"layout": "transposed"})
    if shape[0] != shape[1]:
        for layout in ("swapped", "columns"):
            yield Variant("layout", _LAYOUTS[layout], {"layout": layout})
    yield Variant("layout", _LAYOUTS["rows"], {"layout": "rows"})


def n_prefix(spec: BackboneSpec) -> int:
    """Tokens before the patches of a ViT of the DINO families: the class token and the registers."""
    return 1 + spec.registers


def _geometry(
    recipe: Recipe, spec: BackboneSpec, shape: tuple[int, int], *, turned: bool
) -> Iterator[Variant]:
    for resize in _RESIZES:
        if resize != "official" or spec.family in ("dinov2", "dinov3", "dinov3-convnext"):
            yield Variant("resize", _meaning("resize", resize), {"resize": resize})
    square = shape[0] == shape[1] and recipe.crop == "whole"
    for crop, meaning in CROPS.items():
        if not square or crop == "center-256":
            yield Variant("crop", meaning, {"crop": crop})
    if turned:
        for orientation in ("stored", "upright"):
            yield Variant("orientation", _meaning("orientation", orientation), {"orientation": orientation})
    short = min(shape)
    for grid in dict.fromkeys([max(1, 224 // spec.patch_size), max(1, short // 2)]):
        if grid not in (short, shape):
            yield Variant("resolution", _meaning("grid", grid), {"grid": grid})


def _network(
    recipe: Recipe, spec: BackboneSpec, shape: tuple[int, int], *, deviates: bool
) -> Iterator[Variant]:
    last = spec.depth - 1
    if not spec.staged:  # its stages differ in channels and grids
        current = last if recipe.layer is None else recipe.layer
        for layer in reversed(range(spec.depth)):
            if layer != current:
                yield Variant("layer", f"layer {layer} of 0 to {last}", {"layer": layer})
    yield Variant("final norm", _meaning("norm", not recipe.norm), {"norm": not recipe.norm})
    for dtype in ("float32", "bfloat16", "float16"):
        yield Variant("dtype", f"{dtype} arithmetic", {"dtype": dtype})
    if deviates:
        for attention in ("sdpa", "eager"):
            yield Variant("attention", f"the {attention} attention path", {"attention": attention})
        side = max(shape)
        for way, meaning in POSITIONS[spec.family].items():
            fits = way != "cut" or side <= _TABLE_SIDE
            if fits and (way != "longest" or shape[0] != shape[1]):
                yield Variant("positions", meaning, {"positions": way})
        yield Variant("positions", "positions as the authors have them", {"positions": "official"})


_TABLE_SIDE = 37
"""Side of DINOv2's learned position grid. Source: facebookresearch/dinov2 (518 px at patch 14)."""

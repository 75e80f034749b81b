"""Which models a recipe compares, which of them are pairs, and what else differs between these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dinoscope.errors import InputError


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models of one size.

    Attributes:
        size: its letter.
        before, after: names of the catalog; a difference is the second minus the first.
    """

    size: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Fact:
    """What may be behind a difference.

    Attributes:
        what: of the two sides.
        before, after: how it is there.
        differs: in which of the pairs.
    """

    what: str
    before: str
    after: str
    differs: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """A family.

    Attributes:
        name: as it is asked for.
        kinds: what its models are called without their size, by their name in the catalog, in the order of
            drawing.
        pairs: of equal size, smallest first.
        facts: the confound table.
        note: what must not be read into a difference.
    """

    name: str
    kinds: Mapping[str, str]
    pairs: tuple[Pair, ...]
    facts: tuple[Fact, ...]
    note: str

    @property
    def sizes(self) -> tuple[str, ...]:
        """Letters, smallest first."""
        return tuple(dict.fromkeys(pair.size for pair in self.pairs))

    def models(self, size: str) -> tuple[str, ...]:
        """All models of a size, each once."""
        pairs = [pair for pair in self.pairs if pair.size == size]
        return tuple(dict.fromkeys([p.before for p in pairs] + [p.after for p in pairs]))


_SIZES = {"S": ("small", "vits16"), "B": ("base", "vitb16"), "L": ("large", "vitl16")}

RECIPES: Mapping[str, Recipe] = {
    "v2-v3": Recipe(
        name="v2-v3",
        kinds={
            **{f"dinov2-{v2}": "DINOv2" for v2, _ in _SIZES.values()},
            **{f"dinov2-reg-{v2}": "DINOv2 with registers" for v2, _ in _SIZES.values()},
            **{f"dinov3-{v3}": "DINOv3" for _, v3 in _SIZES.values()},
        },
        pairs=tuple(
            Pair(size, f"{kind}-{v2}", f"dinov3-{v3}")
            for size, (v2, v3) in _SIZES.items()
            for kind in ("dinov2", "dinov2-reg")
        ),
        facts=(
            Fact("Training photographs", "LVD-142M", "LVD-1689M", "all"),
            Fact("Distilled from", "a ViT-g of 1.1 billion weights", "a ViT of 6.7 billion weights", "all"),
            Fact("Gram anchoring", "none", "of that teacher, not of these models", "all"),
            Fact("Patch", "14 px", "16 px: on one grid, 1.3 times as many pixels", "all"),
            Fact("Positions", "a learned table, resized to the grid", "rotary", "all"),
            Fact("Last phase", "a short one at 518 px", "mixed resolutions up to 768 px", "all"),
            Fact("Registers", "0, or 4 (reg)", "4", "those without registers"),
            Fact("Channels, blocks, heads", "384/12/6, 768/12/12, 1024/24/16", "the same", "none"),
        ),
        note="DINOv3's S, B and L were distilled from a larger model and not trained with Gram anchoring "
        "themselves (arXiv 2508.10104, section 5.2): no difference here can be put down to any one of these.",
    )
}
"""By name. Sources: arXiv 2304.07193 (DINOv2), sections 3 and 5; 2508.10104 (DINOv3), sections 3 to 5."""


def find_recipe(name: str) -> Recipe:
    """A recipe by its name.

    Raises:
        InputError: there is none.
    """
    if name not in RECIPES:
        raise InputError(f"no recipe {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]

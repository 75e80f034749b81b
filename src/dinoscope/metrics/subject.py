"""What a metric may look at: a photograph as one model sees it, its views, a collection, scenes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int, Int64, UInt8

from dinoscope.maths.boundary import DistantPairs, distant_pairs
from dinoscope.maths.discovery import Box
from dinoscope.maths.frequency import MapEnergy, map_energy
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.matched import MatchedPairs, matched
from dinoscope.maths.patches import PatchMap
from dinoscope.maths.proxies import colour_pairs, edge_strength
from dinoscope.maths.spectrum import singular_values_both

PURE = 0.75
"""A pure patch has three quarters of its pixels in one label: asked for whole patches, a border would hardly
ever lie between two neighbours, and nothing would be left to measure."""


@dataclass(frozen=True, eq=False)
class Regions:
    """One photograph's masks, on the patch grid.

    Attributes:
        labels: region of each patch.
        objects: object of each patch, 0 the background; None where it is not known what is the background.
        boxes: around the objects.
    """

    labels: PatchLabels
    objects: PatchLabels | None
    boxes: tuple[Box, ...]

    @cached_property
    def pairs(self) -> DistantPairs:
        """Distant pairs of patches."""
        return distant_pairs(self.labels)

    @cached_property
    def matched_pairs(self) -> MatchedPairs:
        """Distant pairs of patches that are compared at equal distance."""
        return matched(self.pairs)

    @cached_property
    def pure_pairs(self) -> DistantPairs:
        """Distant pairs of pure patches."""
        return distant_pairs(self.labels, min_purity=PURE)


@dataclass(frozen=True, eq=False)
class Seen:
    """What the metrics look at beside the features: the same for every model on one grid.

    Attributes:
        shape: of the grid.
        pixels: of the photograph, in any resolution; None where nothing asks for them.
        regions: None where there are no masks.
        before: the same photograph on the same grid, whose edges and colours are known; None where it was not
            seen before.
    """

    shape: tuple[int, int]
    pixels: UInt8[np.ndarray, "H W 3"] | None = None
    regions: Regions | None = None
    before: Seen | None = None

    @cached_property
    def edges(self) -> Float64[np.ndarray, " neighbours"] | None:
        """Edges of the photograph between neighbouring patches; None without a photograph."""
        if self.before is not None:
            return self.before.edges
        return None if self.pixels is None else edge_strength(self.pixels, self.shape)

    @cached_property
    def colours(self) -> DistantPairs | None:
        """Distant pairs of patches, by regions of like colour; None without a photograph."""
        if self.before is not None:
            return self.before.colours
        return None if self.pixels is None else colour_pairs(self.pixels, self.shape)


@dataclass(frozen=True, eq=False)
class Subject:
    """One model's features of one photograph.

    Attributes:
        features: a map, best `prepared` once.
        seen: what they are features of, on their grid.
        cls: the class token; None for models without.
        reference: the first model's map of the same photograph on the same grid; None for the first itself.
        place_basis: directions in which place alone moves patches, where they are known.
    """

    features: PatchMap
    seen: Seen
    cls: Float[np.ndarray, " dim"] | None = None
    reference: PatchMap | None = None
    place_basis: Float64[np.ndarray, "k dim"] | None = None

    @cached_property
    def energy(self) -> MapEnergy:
        """The map's energy over frequencies of the grid."""
        return map_energy(self.features)

    @cached_property
    def singular_values(self) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
        """Singular values of the patches as they are, and of the centred ones."""
        return singular_values_both(self.features)


@dataclass(frozen=True, slots=True, eq=False)
class SecondView:
    """Another photograph of the same scene.

    Attributes:
        features: of it.
        places: where each patch of the first lies in it, (x, y) in [0, 1]².
        valid: whether it is in sight there.
    """

    features: PatchMap
    places: Float[np.ndarray, "h w 2"]
    valid: Bool[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """One model's features of the photograph changed, for metrics that need further forward passes.

    Attributes:
        base: what the mirrored and the moved ones are to be compared with.
        mirrored: left to right.
        shifted: moved by whole patches, and by how many, (down, right).
        half_shifted: moved by about half a patch, and by how much of one.
        crop: the middle seen alone, and its (left, top, right, bottom) in [0, 1]².
        double: at twice the resolution.
        second: another photograph of the scene; None where none is known.
    """

    base: PatchMap
    mirrored: PatchMap
    shifted: tuple[PatchMap, tuple[float, float]]
    half_shifted: tuple[PatchMap, tuple[float, float]]
    crop: tuple[PatchMap, tuple[float, float, float, float]]
    double: PatchMap
    second: SecondView | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """One model's features of many photographs.

    Attributes:
        maps: of all.
        labelled: of those whose patches have a class.
        classes: of each patch of those.
        seed: of whatever is drawn.
    """

    maps: Sequence[PatchMap]
    labelled: Sequence[PatchMap] = ()
    classes: Sequence[Int64[np.ndarray, "_ _"]] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """One model's features of held-out scenes.

    Attributes:
        maps: of those whose patches are measured.
        classes: of each patch.
        tokens: class tokens of all scenes.
        labels: class of each scene's main subject.
        teacher: a frozen teacher's maps of the same; None without.
        patch_neighbours, image_neighbours: that vote.
        most_patches: so many patches teach, drawn at random.
    """

    maps: Sequence[PatchMap]
    classes: Sequence[Int[np.ndarray, "_ _"]]
    tokens: Float[np.ndarray, "n dim"]
    labels: Int64[np.ndarray, " n"]
    teacher: Sequence[PatchMap] | None
    patch_neighbours: int
    image_neighbours: int
    most_patches: int

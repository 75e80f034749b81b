"""Are the patches of a collection spread in clusters?"""

from __future__ import annotations

import math
from collections import Counter

from dinoscope.maths.dispersion import GROUP, GROUP_CLUSTERS, LOCAL_CLUSTERS, dispersion
from dinoscope.maths.patches import map_shape
from dinoscope.metrics.facts import Metric, OfCollection, Planted, Revision, Values
from dinoscope.metrics.subject import Collection

DSE_KEPT = 16
"""Photographs that DSE is measured on: two of its groups."""


def _measure(collection: Collection) -> Values:
    """DSE of the photographs of the commonest grid, at most `DSE_KEPT`; NaN with too few patches."""
    shapes = Counter(map_shape(f) for f in collection.maps)
    if not shapes:
        return {"dse": math.nan}
    shape, _ = max(shapes.items(), key=lambda item: (item[1], item[0]))
    chosen = [f for f in collection.maps if map_shape(f) == shape][:DSE_KEPT]
    last_group = len(chosen) % GROUP or GROUP
    if shape[0] * shape[1] < LOCAL_CLUSTERS or last_group * shape[0] * shape[1] < GROUP_CLUSTERS:
        return {"dse": math.nan}
    return {"dse": dispersion(chosen, seed=collection.seed).dse}


DSE = Metric(
    "dse",
    "DSE",
    "spectrum",
    3,
    "inter-cluster distance minus cluster radius plus relative effective rank; compare only at equal numbers "
    "of photographs",
    range=(-math.inf, math.inf),
    short="DSE",
    collection=True,
    warning="rises with blur and with a positional field, and falls with a finer grid: not comparable "
    "between smoothed and unsmoothed features or between token counts",
    planted=Planted(
        "blur:0 half_blur:0 noise:- shuffle:0 collapse:0 position:0 outliers:. rotation:0 rescale:0 finer:0",
        traps=("blur", "half_blur", "position", "finer"),
        reasons=((("blur", "position"), "higher is held to be better, and neither says more about content"),),
        revised=(
            Revision("blur", ".", "it rose: the trap was not foreseen"),
            Revision("position", ".", "it rose: the trap was not foreseen"),
            Revision("collapse", "-", "its parts are divided by the spread; the rank hardly weighs"),
        ),
    ),
    by_draw=frozenset({"places"}),  # k-means draws its starts from patches in their order
)

FAMILIES = (OfCollection((DSE,), _measure),)

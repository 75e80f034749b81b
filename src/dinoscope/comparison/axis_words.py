"""How the plane's two axes are spoken of: of masks in the words of objects, of proxies never in those."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

Kind = Literal["with masks", "proxies"]


class AxisWords(NamedTuple):
    """One axis.

    Attributes:
        more, less: what a model is said to be or do whose values are higher, lower.
        what: in which no difference is clear.
        moved: in which something moves along the axis.
        title: beside the axis.
        hint, back: beside its ends; ``{}`` may take "than" and the first model's name.
    """

    more: str
    less: str
    what: str
    moved: str
    title: str
    hint: str
    back: str


class PlaneWords(NamedTuple):
    """The plane.

    Attributes:
        title: of the picture and of its section.
        described: in alternative texts.
        axes: from left to right, from bottom to top.
    """

    title: str
    described: str
    axes: tuple[AxisWords, AxisWords]


PLANE: Mapping[Kind, PlaneWords] = {
    "with masks": PlaneWords(
        "Sharpness and coherence",
        "Sharpness-coherence plane",
        (
            AxisWords(
                "sharper",
                "less sharp",
                "sharpness",
                "sharpness",
                "sharpness: boundary AUC",
                "sharper{} →",
                "← less sharp",
            ),
            AxisWords(
                "more coherent",
                "less coherent",
                "coherence",
                "coherence",
                "coherence: region AUC at equal distance",
                "more coherent →",
                "← less coherent",
            ),
        ),
    ),
    "proxies": PlaneWords(
        "Edges and colours of the photograph",
        "Plane of proxies",
        (
            AxisWords(
                "follows the photograph's edges more closely",
                "follows the photograph's edges less closely",
                "how closely it follows the photograph's edges",
                "following edges",
                "proxy: rank correlation with the photograph's edges",
                "edges followed more closely{} →",
                "← less closely",
            ),
            AxisWords(
                "groups the photograph's colours more closely",
                "groups the photograph's colours less closely",
                "how closely it groups the photograph's colours",
                "grouping colours",
                "proxy: AUC over regions of like colour",
                "colours grouped more closely →",
                "← less closely",
            ),
        ),
    ),
}

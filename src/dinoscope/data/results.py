"""What comparisons return: plain, read-only values. Writing and drawing them is the work of rooms above."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float

from dinoscope.data.annotation import MaskKind
from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import ColourAlignment, PatchPCA, SimilarityMap
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.data.views import CloserLook
from dinoscope.errors import ShapeError
from dinoscope.names import well_formed

FEW_IMAGES = 30
"""With fewer, 95% intervals of skewed values cover less than they say: `FEW_WARNING`."""

FEW_WARNING = (
    f"with fewer than {FEW_IMAGES}, 95% intervals hold the truth 93 to 95% of the time for values spread "
    "evenly, but only 88 to 92% for means of values crowded near 1 and 81 to 87% for values with a long tail "
    "(89 to 92% with 50 to 100)"
)
"""What the simulation in docs/validation/coverage.md measured at 6 to 20 images."""

FEWEST_TO_JUDGE = 6
"""With fewer no direction is named: even if all agree, a two-sided sign test cannot tell them from chance."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95% interval over images.

    Attributes:
        mean: over the ``n`` images where the metric is defined; NaN if there is none.
        low, high: the ends of the interval; NaN with fewer than 2 images.
        n: how many images.
    """

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """One model minus another on the same images.

    Attributes:
        interval: of the per-image differences.
        above, tied, below: shares of images in which the difference is above 0, 0, and below; in [0, 1], they
            add up to 1. NaN where there is no image.
    """

    interval: Interval
    above: float
    tied: float
    below: float


@dataclass(frozen=True, slots=True, eq=False)
class Maps:
    """The pictures of one photograph by one model.

    Attributes:
        scores: component scores in the model's basis.
        colours: pseudo-colour of three components in [0, 1], aligned where the model says so.
        similarity: one map for each reference point.
        foreground: where the named rule says foreground; None where no rule was asked for.
    """

    scores: Float[np.ndarray, "h w n"]
    colours: Float[np.ndarray, "h w 3"]
    similarity: tuple[SimilarityMap, ...]
    foreground: Bool[np.ndarray, "h w"] | None = None


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model of a comparison.

    Attributes:
        label: to show; unique in the comparison.
        spec, origin: what it is and where its weights came from.
        layer: absolute 0-based block number.
        dtype: the arithmetic of the forward pass, and what else of the way it was run may change numbers.
        pca: one basis over all photographs.
        alignment: of the colours to the first model's; None for the first model itself, and where colours
            are not turned.
        coloured_by: what its colours show and how much of it, in a few words; empty for principal components.
    """

    label: str
    spec: BackboneSpec
    origin: WeightsOrigin
    layer: int
    dtype: str
    pca: PatchPCA
    alignment: ColourAlignment | None = None
    coloured_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class FurtherLayer:
    """Another layer of a comparison's model, to look at; nothing of it is measured.

    Attributes:
        of: which of the comparison's models.
        model: as that, but for the layer, its basis and its colours.
        features, maps: by photograph.
    """

    of: int
    model: ModelResult
    features: tuple[PatchFeatures, ...]
    maps: tuple[Maps, ...]


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the fairness ledger.

    Attributes:
        rule: what a fair comparison needs.
        met: whether it was met; None where that cannot be known.
        detail: the facts, in one sentence.
    """

    rule: str
    met: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be used; everything else went on.

    Attributes:
        source: as the user named it, as text: see `dinoscope.names`. Data, never markup.
        reason: in one sentence.
    """

    source: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", well_formed(self.source))
        object.__setattr__(self, "reason", well_formed(self.reason))


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A function of one variable, one line for each model.

    Attributes:
        x_title, y_title: what the axes show, with units.
        x: where it was measured, ascending.
        y: means over the photographs; NaN where undefined.
    """

    x_title: str
    y_title: str
    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, "models points"]


@dataclass(frozen=True, slots=True, eq=False)
class AxisChecks:
    """What the differences on the plane's two axes rest on, by metric; see `Measurements.differences`.

    Attributes:
        half_blur_patches: standard deviation of the light blur, in patches.
        half_blur: the first model's features so blurred, minus as they are.
        beyond_blur: each further model minus the first so blurred.
        n_sampled: photographs that channels were standardised over: all, or a sample of them.
        sampled: each further model minus the first, as they are, on those photographs.
        standardised: the same, every channel of both with mean 0 and variance 1 over all their patches.
    """

    half_blur_patches: float
    half_blur: Mapping[str, PairedDifference]
    beyond_blur: Mapping[str, tuple[PairedDifference, ...]]
    n_sampled: int = 0
    sampled: Mapping[str, tuple[PairedDifference, ...]] = field(default_factory=dict)
    standardised: Mapping[str, tuple[PairedDifference, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Measurements:
    """Numbers of several models on the same photographs.

    Attributes:
        images: photograph names, in order; names may repeat, ``digests`` do not.
        digests: sha256 of each photograph.
        models: model labels, in order.
        values: per metric, NaN where undefined.
        summaries: per metric, one interval for each model.
        differences: per metric, each model minus the first; the first's own is left out.
        warnings: what must be read beside these numbers.
        collection: per metric that only a collection has (`dinoscope.metrics`), one value for each
            model, without an interval; NaN where undefined.
        curves: per kind, what the metrics' single numbers leave out, as means over the photographs.
        controls: the same numbers of the controls that ran beside; None where none did. Their
            differences are to the first control and say nothing.
        people: of each further person's segmentation, scored by the masks' metrics against the first
            person's, and where they are more than two the mean over all ordered pairs of them; None where
            there is one person's, or none.
        masks: the names of the masks' folders; empty without masks.
        mask_kind: what their numbers mean; None without masks.
        undefined: why a metric is undefined for every photograph, by its key, where that is known.
        checks: of the differences on the plane's axes; None of a single model.
        is_control: for each of ``models``, whether it is no trained model; empty stands for none that is.
        borrowed: the label of the control that has another photograph's features; empty without it.
    """

    images: tuple[str, ...]
    digests: tuple[str, ...]
    models: tuple[str, ...]
    values: Mapping[str, Float[np.ndarray, "images models"]]
    summaries: Mapping[str, tuple[Interval, ...]]
    differences: Mapping[str, tuple[PairedDifference, ...]]
    warnings: tuple[str, ...] = ()
    collection: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    controls: Measurements | None = None
    people: Measurements | None = None
    masks: str = ""
    mask_kind: MaskKind | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)
    checks: AxisChecks | None = None
    is_control: tuple[bool, ...] = ()
    borrowed: str = ""

    def __post_init__(self) -> None:
        if not self.is_control:
            object.__setattr__(self, "is_control", (False,) * len(self.models))
        if len(self.is_control) != len(self.models):
            raise ShapeError("is_control", expected="models", actual=(len(self.is_control),))

    def __repr__(self) -> str:
        models = ", ".join(self.models)
        return f"Measurements({_photographs(len(self.images))}, {len(self.values)} metrics: {models})"


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two or more models on the same photographs: measurements and maps.

    Attributes:
        photographs: previews, in the order given.
        models: in the order given; the first is the reference of differences and colours.
        features: ``features[photograph][model]``.
        maps: ``maps[photograph][model]``.
        points: reference places (x, y) in [0, 1]², for each photograph the same number.
        components: the three 0-based components that the colours show.
        measurements: of the smoothness triple.
        ledger: whether the comparison was fair, line by line.
        failures: photographs that could not be used.
        settings: what was asked for: grid, resize, seed, versions.
        colours: what the maps' colours show: ``pca``, ``spectral`` or ``clusters``.
        further: other layers of the models, to look at.
        closer: further ways of looking at the first photographs, as far as they were asked for.
    """

    photographs: tuple[Photograph, ...]
    models: tuple[ModelResult, ...]
    features: tuple[tuple[PatchFeatures, ...], ...]
    maps: tuple[tuple[Maps, ...], ...]
    points: tuple[tuple[float, float], ...]
    components: tuple[int, int, int]
    measurements: Measurements
    ledger: tuple[LedgerEntry, ...]
    failures: tuple[Failure, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    colours: str = "pca"
    further: tuple[FurtherLayer, ...] = ()
    closer: tuple[CloserLook, ...] = ()

    def __repr__(self) -> str:
        models = ", ".join(model.label for model in self.models)
        return f"Comparison({_photographs(len(self.photographs))}: {models})"


def _photographs(n: int) -> str:
    return f"{n} photograph" if n == 1 else f"{n:,} photographs"

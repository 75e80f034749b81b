"""Are objects found without labels?"""

from __future__ import annotations

import math

from dinoscope.maths.discovery import Box, box_iou, lost, tokencut
from dinoscope.metrics.facts import Metric, OfPhotograph, Planted, Revision, Values
from dinoscope.metrics.subject import Subject

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
MIN_IOU = 0.5
"""An object counts as found above this overlap of boxes (CorLoc)."""


def _measure(subject: Subject) -> Values:
    truths = () if subject.seen.regions is None else subject.seen.regions.boxes
    if not truths:
        return {"tokencut_hit": math.nan, "lost_hit": math.nan, "whole_box_hit": math.nan}

    def hit(box: Box | None) -> float:
        return float(box is not None and any(box_iou(box, truth) > MIN_IOU for truth in truths))

    return {
        "tokencut_hit": hit(tokencut(subject.features).box),
        "lost_hit": hit(lost(subject.features).box),
        "whole_box_hit": hit(WHOLE),
    }


FEW_CHANGE = Revision("noise", "-", "too few photographs change")

TOKENCUT = Metric(
    "tokencut_hit",
    "Object found by TokenCut",
    "with masks",
    7,
    "1 where TokenCut's box overlaps an object's box by more than half (IoU); its mean is CorLoc",
    short="objects found by TokenCut",
    needs="objects",
    planted=Planted(
        "blur:. half_blur:. noise:. shuffle:- collapse:0 position:. outliers:. rotation:= rescale:= finer:.",
        reasons=(
            (
                ("blur", "noise", "position", "outliers", "finer"),
                "yes or no for each photograph: a small change may flip a few either way; so `lost_hit`",
            ),
        ),
        revised=(FEW_CHANGE,),
    ),
)
LOST = Metric(
    "lost_hit",
    "Object found by LOST",
    "with masks",
    8,
    "1 where LOST's box overlaps an object's box by more than half (IoU); its mean is CorLoc",
    short="objects found by LOST",
    needs="objects",
    planted=Planted(
        "blur:. half_blur:. noise:. shuffle:- collapse:0 position:. outliers:. rotation:= rescale:= finer:.",
        revised=(FEW_CHANGE,),
    ),
)
WHOLE_BOX = Metric(
    "whole_box_hit",
    "Object found by the whole photograph's box",
    "with masks",
    9,
    "1 where the box of the whole photograph overlaps an object's box by more than half (IoU): what a box "
    "that knows nothing reaches, beside which the others are read",
    short="objects found by the whole photograph's box",
    needs="objects",
)

FAMILIES = (OfPhotograph((TOKENCUT, LOST, WHOLE_BOX), _measure),)

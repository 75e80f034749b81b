"""One look at a model during its training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dinoscope.metrics.registry import AXES, EVERY
from dinoscope.strict_json import strict


def quality_keys(*, masked: bool) -> tuple[str, str]:
    """Sharpness and coherence, against masks or against the photographs themselves."""
    return AXES["with masks" if masked else "proxies"]


KEYS = (
    "neighbour",
    "random_pair",
    "locality",
    *AXES["with masks"],
    *AXES["proxies"],
    "effective_rank",
    "cls_patch",
    "gram_distance",
    "position_r2",
    "outlier_share",
    "cls_rank",
)
"""What is measured, where it is defined; `gram_distance` is to the first check of the run."""

_OURS = {
    "cls_rank": (
        "rank of class tokens",
        "exponential of the entropy of the singular values of the photographs' class tokens (RankMe), "
        "between 1 and their number: without labels, the nearest there is to their quality",
    )
}


def words_of(key: str) -> tuple[str, str]:
    """What a number is called, and what it means."""
    return _OURS[key] if key in _OURS else (EVERY[key].short, EVERY[key].meaning)


@dataclass(frozen=True, slots=True)
class Check:
    """What was seen at one step.

    Attributes:
        step: of the training.
        values: by the keys of `KEYS`, means over the photographs; undefined ones are left out.
        quality: of each photograph, the mean of its two `quality_keys`; NaN where undefined.
        ranks: of each photograph, its effective rank.
        alarm: what is wrong, for people; empty where nothing is.
        advice: whether an anchor to an earlier state would help; empty where there is none to judge.
        falls_since: the step since which dense quality falls; None where it does not.
    """

    step: int
    values: Mapping[str, float]
    quality: tuple[float, ...]
    ranks: tuple[float, ...]
    alarm: str = ""
    advice: str = ""
    falls_since: int | None = None
    finite: bool = True

    def as_json(self) -> object:
        """JSON values; undefined is null."""
        return strict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, object]) -> Check:
        """The check that `as_json` wrote."""
        since = row["falls_since"]
        return cls(
            int(str(row["step"])),
            dict(row["values"]),  # type: ignore[call-overload]
            _numbers(row["quality"]),
            _numbers(row["ranks"]),
            str(row["alarm"]),
            str(row["advice"]),
            None if since is None else int(str(since)),
            bool(row["finite"]),
        )


def _numbers(found: Any) -> tuple[float, ...]:
    return tuple(math.nan if number is None else float(number) for number in found)

"""Arguments of another kind than a verb takes: refused at the door, with what would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError


def check_kind(value: object, kind: type, advice: str) -> None:
    """Raises: InputError: ``value`` is no ``kind``; ``advice`` says how to come by one."""
    if not isinstance(value, kind):
        raise InputError(f"expected {kind.__name__}, got {type(value).__name__}: {advice}")


def check_features(*several: object) -> None:
    """Raises: InputError: one of them is no `PatchFeatures`."""
    for value in several:
        check_kind(value, PatchFeatures, "ds.extract gives them, PatchFeatures.from_array takes an array")


def each_features(features: PatchFeatures | Iterable[PatchFeatures]) -> Iterator[PatchFeatures]:
    """One or any number of features, each checked when its turn comes."""
    several = features if isinstance(features, Iterable) else (features,)
    for each in several:
        check_features(each)
        yield each

"""Why does an export not pass? What it cannot run, what is no number, and what else is known to go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dinoscope.doctor.diagnosis import Recipe
from dinoscope.doctor.explain.render import Renderer
from dinoscope.doctor.explain.search import Case, search
from dinoscope.errors import InputError
from dinoscope.exports.certificate import ExportCertificate, Reading
from dinoscope.io.foreign_features import ForeignFeatures

LARGEST_HALF = 65504


@dataclass(frozen=True, slots=True)
class Cause:
    """The likeliest.

    Attributes:
        words: for people; empty where none is found.
        change: as in `ExportCertificate.change`.
        notes: what must be read beside.
    """

    words: str = ""
    change: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """A reading that keeps no limit, with what is needed to look into it."""

    reading: Reading
    features: ForeignFeatures
    renderer: Renderer
    recipe: Recipe


def likeliest(
    found: ExportCertificate, failed: Sequence[Failed], arithmetic: str, *, search: bool = True
) -> Cause:
    """The likeliest cause of what does not pass.

    Args:
        found: the certificate without one.
        failed: readings that could be run and do not keep the limits.
        arithmetic: of the export, where it is known; see `OnnxModel.arithmetic`.
        search: vary how the model's features are made, as `dinoscope doctor --explain` does.
    """
    stuck = [r for r in found.readings if r.error]
    if stuck:
        grids = ", ".join(f"{h}x{w}" for h, w in dict.fromkeys(r.grid for r in stuck))
        words = (
            f"sizes were written into the graph: it cannot be run on a grid of {grids} ({stuck[0].error})."
        )
        return Cause(words, "fixed size")
    broken = sum(r.n_not_finite for r in found.readings)
    if broken:
        said = f"{broken:,} patches are NaN or infinite"
        if arithmetic == "float16":
            words = (
                f"an overflow in 16 bits: {said}, and the graph computes in float16, which ends at "
                f"{LARGEST_HALF:,}; keep the norms and the residual stream in float32."
            )
            return Cause(words, "float16 overflow")
        return Cause(f"{said}: an overflow, or a division by 0, in the export's arithmetic.", "not finite")
    if not failed or not search:
        return Cause()
    return _searched(min(failed, key=_handy), arithmetic)


def _handy(case: Failed) -> tuple[bool, int]:
    """Oblong first, where an exchange of rows and columns shows; then the smallest."""
    h, w = case.reading.grid
    return h == w, h * w


def _searched(case: Failed, arithmetic: str) -> Cause:
    names = ("the model", "the export")
    try:
        found = search(Case(case.recipe, case.features, case.renderer, case.reading.photograph, names))
    except InputError as error:
        return Cause(notes=(f"the cause could not be looked for: {error}",))
    if found.outcome in ("explained", "partly"):
        return Cause(found.verdict, found.explanation, found.notes)
    if arithmetic in ("8-bit", "float16"):
        words = f"the loss of {arithmetic} arithmetic: nothing else that was tried brings it closer."
        return Cause(words, f"{arithmetic} arithmetic", found.notes)
    return Cause(found.verdict, "", found.notes)

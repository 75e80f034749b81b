"""What stands below each figure in a paper, beside the figures and not in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dinoscope.comparison import colour_words, words
from dinoscope.data.results import FEW_IMAGES, Comparison, ModelResult
from dinoscope.drawing.escapes import markdown_text
from dinoscope.drawing.style import plain

CAPTIONS = "captions.md"
OVERVIEW = "overview"


def captions_markdown(comparison: Comparison, stems: Sequence[str]) -> str:
    """A heading, a caption and the line of provenance for each figure.

    Args:
        comparison: what is drawn.
        stems: of the figures' files: one for each photograph where these are drawn, then the overview's, then
            the closer looks'.
    """
    n = stems.index(OVERVIEW)
    said = [(stem, photograph_caption(comparison, i)) for i, stem in enumerate(stems[:n])]
    said.append((stems[n], overview_caption(comparison)))
    said += [
        (stem, look.told + _kinds(comparison))
        for stem, look in zip(stems[n + 1 :], comparison.closer, strict=True)
    ]
    where = markdown_text(provenance(comparison))
    return "\n".join(f"## {stem}\n\n{markdown_text(text)}\n\n{where}\n" for stem, text in said)


def photograph_caption(comparison: Comparison, photograph: int) -> str:
    """What one photograph's figure shows."""
    photo = comparison.photographs[photograph]
    places = "; ".join(f"{k} at ({x:.2f}, {y:.2f})" for k, (x, y) in enumerate(comparison.points, 1))
    return (
        f"{plain(photo.name, 80)} ({photo.size[0]}×{photo.size[1]} px) with the reference patches {places}. "
        f"For each model, its colours, then the cosine maps of these patches. "
        f"{colour_words.note(comparison)} {words.COSINES_NOTE}{_kinds(comparison)}"
    )


def overview_caption(comparison: Comparison) -> str:
    """What the figure of all photographs shows."""
    n = len(comparison.measurements.images)
    narrow = f", of skewed values too narrow with fewer than {FEW_IMAGES}" if n < FEW_IMAGES else ""
    dots = (
        f"mean of {words.count(n, 'photograph')}; line: its 95% interval{narrow}; ticks: single photographs."
    )
    if n == 1:
        dots = "of the one photograph, which has no interval."
    return (
        f"Photographs, and below each its colours by every model. {colour_words.note(comparison)} Dot: {dots}"
        f"{_kinds(comparison)}"
    )


def provenance(comparison: Comparison) -> str:
    """Models with their weights' digests, and the version that drew them."""
    models = "; ".join(f"{_named(m)}, layer {m.layer}" for m in comparison.models)
    versions = comparison.settings.get("versions")
    made = f" {versions['dinoscope']}" if isinstance(versions, Mapping) and "dinoscope" in versions else ""
    return f"{models}; dinoscope{made}."


def _named(model: ModelResult) -> str:
    digest, name = model.origin.digest, model.spec.name
    whose = model.label if model.label == name else f"{model.label} = {name}"
    return f"{whose}: weights sha256 {digest[:12]}" if digest else f"{whose}: no file of weights"


def _kinds(comparison: Comparison) -> str:
    return "".join(f" {told}" for told in words.kinds(comparison.models))

"""What does the ledger say of the models themselves, and of what they learned from?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dinoscope.backbones import bundled
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import LedgerEntry, ModelResult
from dinoscope.data.spec import CONVOLUTIONAL
from dinoscope.io.fingerprint import fingerprint, known_among

ONE_THING = "The models differ in one thing only"


def own_normalisation(models: Sequence[ModelResult]) -> LedgerEntry:
    """Statistics that nobody stated, or that the weights' own folder contradicts, are not a model's own."""
    listed = "; ".join(f"{m.label}: mean {_numbers(m.spec.mean)}, std {_numbers(m.spec.std)}" for m in models)
    known = True
    for verdict, told in (
        ("stated", "As the folder of the weights states them"),
        ("assumed", "Assumed, since a checkpoint does not say"),
        ("contradicted", "Contradicted by the folder of the weights, see the model's notes"),
    ):
        labels = [m.label for m in models if m.origin.statistics == verdict]
        if labels:
            listed += f". {told}: {', '.join(labels)}"
            known = known and verdict == "stated"
    return LedgerEntry("Each model gets its own published mean and std", known, f"{listed}.")


def final_norm(models: Sequence[ModelResult], features: Sequence[Sequence[PatchFeatures]]) -> LedgerEntry:
    """An earlier stage has none, and some networks have none at all."""
    states = {f.provenance.final_norm for row in features for f in row}
    none = [
        m.label for m in models if not m.spec.final_norm or (m.spec.staged and m.layer != m.spec.depth - 1)
    ]
    if none:
        states |= {False}
    words = {True: "applied", False: "not applied", None: "unknown"}
    told = f"; there is none at this layer of {', '.join(none)}" if none else ""
    return LedgerEntry(
        "The final normalisation is applied",
        states == {True},
        f"{' and '.join(sorted(words[s] for s in states))}{told}; features are not scaled to unit length "
        "for PCA.",
    )


def same_depth(models: Sequence[ModelResult]) -> LedgerEntry:
    """Whether it is the last layer of each."""
    last = all(m.layer == m.spec.depth - 1 for m in models)
    listed = "; ".join(f"{m.label}: layer {m.layer} of 0-{m.spec.depth - 1}" for m in models)
    return LedgerEntry("Each model's last layer is compared", last, f"{listed}.")


def same_arithmetic(models: Sequence[ModelResult]) -> LedgerEntry:
    """Products in 16 bits are not float32, even where weights are."""
    kinds = sorted({m.dtype for m in models})
    return LedgerEntry(
        "Forward passes in float32",
        all(kind in ("float32", "float32, compiled") for kind in kinds),
        f"computed in {' and in '.join(kinds)}.",
    )


def one_kind(models: Sequence[ModelResult]) -> LedgerEntry:
    """Whether all are vision transformers, or all convolutional."""
    judged = _trained(models)
    windows = [m.label for m in judged if m.spec.family in CONVOLUTIONAL]
    whole = [m.label for m in judged if m.spec.family not in CONVOLUTIONAL]
    if windows and whole:
        detail = (
            f"patches of {_listed(windows)} (ConvNeXt) see a window of the photograph around them, those of "
            f"{_listed(whole)} (transformers) see all of it: a difference in smoothness or coherence may be "
            "one of receptive fields."
        )
    else:
        detail = f"{'only ConvNeXt' if windows else 'only transformers' if whole else 'no trained model'}."
    met = not (windows and whole)
    return LedgerEntry(
        "The models are of one kind, ViT or ConvNeXt", met, detail + _controls(models, met=met)
    )


def same_registers(models: Sequence[ModelResult]) -> LedgerEntry:
    """Registers take up what patches would otherwise hold."""
    judged = _trained(models)
    met = len({m.spec.registers for m in judged}) <= 1
    listed = "; ".join(f"{m.label}: {m.spec.registers}" for m in judged) or "no trained model"
    more = "" if met else " Without them, some patches of larger models hold what registers would."
    return LedgerEntry(
        "The models have equally many registers", met, f"{listed}.{more}" + _controls(models, met=met)
    )


def unseen_photographs(models: Sequence[ModelResult], photographs: Sequence[Photograph]) -> LedgerEntry:
    """Whether what is shown was learned from, as far as that is known."""
    learned = {m.label: bundled.trained_on(m.origin) for m in _trained(models)}
    unknown = [label for label, known in learned.items() if known is None]
    asked = photographs if len(unknown) < len(learned) else ()
    shown = [fingerprint(photograph) for photograph in asked]
    seen: dict[str, list[str]] = {}
    for label, known in learned.items():
        if known is not None and (found := known_among(np.stack(shown), known)).any():
            names = [p.name for p, is_known in zip(photographs, found, strict=True) if is_known]
            seen.setdefault(_some(names), []).append(label)
    known_ones = [label for label in learned if label not in unknown]
    parts = [f"{_listed(labels)} learned from {names}" for names, labels in seen.items()]
    if not seen and known_ones:
        parts.append(
            f"none is among the photographs that {_listed(known_ones)} learned from (recognised at any size "
            "and usual compression; cropped, turned or mirrored copies are not)"
        )
    if unknown:
        parts.append(f"what {_listed(unknown)} learned from is not known to dinoscope")
    met = False if seen else None if unknown or not learned else True
    detail = "; ".join(parts) or "no trained model"
    return LedgerEntry("No photograph shown was learned from", met, f"{detail}.{_controls(models, met=met)}")


def one_difference(models: Sequence[ModelResult]) -> LedgerEntry:
    """What may be said of the cause of a difference."""
    trained = _trained(models)
    if len(trained) < 2:
        return LedgerEntry(
            "Two trained models are compared",
            False,
            "controls are not trained models: they show what colour, architecture or blur alone can do.",
        )
    met, detail = _difference(trained)
    return LedgerEntry(ONE_THING, met, detail + _controls(models, met=met))


def _difference(trained: Sequence[ModelResult]) -> tuple[bool, str]:
    families = {m.spec.family for m in trained}
    if families >= {"dinov2", "dinov3"}:
        return False, (
            "DINOv2 and DINOv3 differ in training data, teacher, patch size, position encoding, high-"
            "resolution training and, without dinov2-reg, registers. The released DINOv3 S, S+, B, L and "
            "H+ are distilled and were not trained with Gram anchoring: a difference cannot be put down to "
            "any one of these."
        )
    ways = _ways(trained)
    sources = {m.origin.source for m in trained}
    if sources == {bundled.source(name) for name in bundled.PAIR}:
        if ways:
            return False, (
                "mini and mini-gram are one training run up to its last steps, but here they differ in "
                f"{_listed(ways)}, too."
            )
        return True, (
            "mini and mini-gram are one training run up to its last steps, which saw the same photographs in "
            "the same order; only mini-gram's were held to an early Gram matrix. One pair: another seed "
            "would make another. They say nothing of DINOv2 and DINOv3."
        )
    digests = {m.origin.digest for m in trained}
    if len(digests) == 1 and "" not in digests:
        if len(ways) == 1:
            return True, f"the same weights; {ways[0]} differs."
        return False, f"the same weights; they differ in {_listed(ways) if ways else 'nothing'}."
    return False, "dinoscope cannot know how these models differ; a difference in the maps names no cause."


def _ways(models: Sequence[ModelResult]) -> list[str]:
    """What else than weights differs."""
    differing = []
    if len({m.layer for m in models}) > 1:
        differing.append("the layer")
    if len({m.dtype for m in models}) > 1:
        differing.append("the arithmetic")
    # Position's directions are each model's own: two models without them have lost different ones.
    if len({m.origin.projection for m in models}) > 1:
        differing.append("the directions taken out of their patches")
    if len({m.origin.register for m in models}) > 1:
        differing.append("a test-time register")
    if len({m.spec.finer for m in models}) > 1:
        differing.append("how fine their grid is")
    if len({m.spec.facet for m in models}) > 1:
        differing.append("what of the attention is looked at")
    return differing


def same_fineness(models: Sequence[ModelResult]) -> tuple[LedgerEntry, ...]:
    """What a finer grid is, where there is one."""
    finer = [m for m in models if m.spec.finer > 1]
    if not finer:
        return ()
    listed = "; ".join(
        f"{m.label}: {m.spec.finer} times as many places along each side, from {m.spec.finer**2} passes over "
        f"inputs moved by {m.spec.patch_size // m.spec.finer} px"
        for m in finer
    )
    detail = (
        f"{listed}. Every place is a whole patch that begins there, so neighbours overlap: more places, no "
        "finer detail, and smoother by itself than a plain grid."
    )
    return (
        LedgerEntry("Every model's grid is equally fine", len({m.spec.finer for m in models}) == 1, detail),
    )


def _trained(models: Sequence[ModelResult]) -> list[ModelResult]:
    return [m for m in models if not m.spec.control]


def _controls(models: Sequence[ModelResult], *, met: bool | None) -> str:
    """Which models a line of the ledger judges, where it does not judge all."""
    controls = [m.label for m in models if m.spec.control]
    trained = [m.label for m in models if not m.spec.control]
    if not controls or not trained:
        return ""
    verdict = {True: "Met", False: "Not met", None: "Not known"}[met]
    return (
        f" {verdict} for {_listed(trained)}; {_listed(controls)} "
        f"{'is a control' if len(controls) == 1 else 'are controls'}, not judged here."
    )


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _numbers(values: Sequence[float]) -> str:
    return "(" + ", ".join(f"{v:.3f}" for v in values) + ")"

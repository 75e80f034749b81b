"""Matches as files and as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dinoscope import __version__
from dinoscope.atomic import write_bytes
from dinoscope.backbones.bundled import kind_of
from dinoscope.data.results import Failure
from dinoscope.data.spec import kind_flags
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.verdicts import with_ends
from dinoscope.io.json_files import json_text, write_json
from dinoscope.matching.figures.lines import plot_matches
from dinoscope.matching.keypoint_pairs import KeypointScores
from dinoscope.matching.matched import MatchedModel, MatchedPair
from dinoscope.matching.matches import Matches

SCHEMA_VERSION = 1
FILE, PICTURE = "matches.json", "matches.png"
DIGITS = 6


def write_matches(pair: MatchedPair, folder: Path) -> None:
    """`FILE` and `PICTURE`, each whole or not at all."""
    write_json(folder / FILE, matches_content(pair))
    points, every = ({m.label: getattr(m, which) for m in pair.models} for which in ("points", "every"))
    write_bytes(folder / PICTURE, png_bytes(plot_matches(pair.first, pair.second, points, every)))


def matches_content(pair: MatchedPair) -> dict[str, object]:
    """What `FILE` holds: for each match ``[x, y, x2, y2, cosine, ratio, mutual, tied]``."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "photographs": [
            {"name": p.name, "digest": p.digest, "size": p.size} for p in (pair.first, pair.second)
        ],
        "settings": pair.settings,
        "columns": ["x", "y", "x2", "y2", "cosine", "ratio", "mutual", "tied"],
        "models": [_model(model) for model in pair.models],
    }


def _model(model: MatchedModel) -> dict[str, object]:
    score = model.score
    return {
        "label": model.label,
        **kind_flags(kind_of(model.label)),
        "weights": {"source": Path(model.origin.source).name, "digest": model.origin.digest},
        "layer": model.layer,
        "grids": [model.every.source_grid.shape, model.every.target_grid.shape],
        "n_patches": model.every.n_asked,
        "mutual_share": float(model.every.mutual.mean()),
        "mutual_share_of_independent_cosines": mutual_if_independent(model.every),
        "median_cosine": float(np.median(model.every.cosine)),
        "n_tied": int(model.every.tied.sum()),
        "digest": model.kept.digest,
        "matches": _rows(model.kept),
        "points": _rows(model.points),
        "keypoints": None
        if score is None
        else {
            "pck": score.pck,
            "chance": score.chance,
            "error": np.round(score.error, DIGITS),
            "matches": _rows(score.matches),
            "truth": np.round(score.truth, DIGITS),
        },
    }


def mutual_if_independent(matches: Matches) -> float:
    """The share that cosines drawn independently reach: m / (n + m - 1) for n patches matched against m.

    Features in which some patches are near to all others stay below it, trained or not.
    """
    n, m = matches.n_asked, matches.n_among
    return m / (n + m - 1)


def _rows(matches: Matches) -> list[list[object]]:
    numbers = np.column_stack([matches.source, matches.target, matches.cosine, matches.ratio])
    return [
        [*row, bool(mutual), bool(tied)]
        for row, mutual, tied in zip(
            np.round(numbers, DIGITS).tolist(), matches.mutual, matches.tied, strict=True
        )
    ]


def matches_json(pair: MatchedPair) -> str:
    """`matches_content` as text."""
    return json_text(matches_content(pair))


def matches_text(pair: MatchedPair) -> str:
    """One line for each model, and one for its keypoints."""
    lines = []
    for model in pair.models:
        every, kept = model.every, model.kept
        lines.append(
            f"{model.label}: {len(kept)} match{'es' if len(kept) != 1 else ''} of {every.n_asked} patches; "
            f"mutual {100 * every.mutual.mean():.0f}% (of independent cosines: "
            f"{100 * mutual_if_independent(every):.0f}%); "
            f"median cosine {np.median(every.cosine):.3f}; digest {kept.digest[:16]}"
        )
        if every.tied.any():
            lines.append(f"  {int(every.tied.sum())} have other patches exactly as near: they say nothing")
        if model.score is not None:
            shown = "; ".join(
                f"PCK@{alpha:g} {share:.3f} (by chance {model.score.chance[alpha]:.3f})"
                for alpha, share in model.score.pck.items()
            )
            lines.append(f"  {len(model.score.error)} keypoints: {shown}")
    return "\n".join(lines)


def write_scores(scores: KeypointScores, failures: Sequence[Failure], folder: Path) -> None:
    """`FILE` of many pairs."""
    write_json(folder / FILE, scores_content(scores, failures))


def scores_content(scores: KeypointScores, failures: Sequence[Failure]) -> dict[str, object]:
    """What `FILE` holds of many pairs."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "models": scores.models,
        "controls": [label for label in scores.models if kind_of(label) == "control"],
        "toys": [label for label in scores.models if kind_of(label) == "toy"],
        "pairs": scores.pairs,
        "pck": scores.values,
        "summaries": scores.summaries,
        "differences": scores.differences,
        "chance": scores.chance,
        "failures": failures,
    }


def scores_text(scores: KeypointScores) -> str:
    """One line for each model and tolerance."""
    pairs = f"{len(scores.pairs)} pair{'s' if len(scores.pairs) > 1 else ''}"
    lines = [f"{pairs}; share of keypoints found, mean over pairs with its 95% interval"]
    for alpha, row in scores.summaries.items():
        lines.append(f"PCK@{alpha:g} (by chance {scores.chance[alpha]:.3f})")
        for j, (label, interval) in enumerate(zip(scores.models, row, strict=True)):
            beside = ""
            if j:
                beside = (
                    f"; minus {scores.models[0]}: {with_ends(scores.differences[alpha][j - 1].interval, '+')}"
                )
            lines.append(f"  {label}: {with_ends(interval)}{beside}")
    return "\n".join(lines)

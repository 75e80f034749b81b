"""Retrieval scores as text for a terminal, as JSON, as CSV; and in plain language, by stated rules."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import asdict

from dinoscope.data.results import Interval
from dinoscope.data.retrieval import RetrievalRow, RetrievalScores
from dinoscope.evaluation.pictures_values import CASE_RULE, BackgroundAlone

TITLES = {
    "ap": "mAP",
    "r_precision": "R-precision",
    "ndcg": "nDCG",
}
FIRST = "ap"
CONTROL_TITLES = {
    "random": "as many random directions",
    "matched": "random directions of as much variance",
    "all_patches": "the strongest directions of all patches",
}
RULE = (
    "A suppression helps (hurts) where the whole interval of its paired gain over the plain mean lies above "
    "(below) 0, and the gain is put down to what it suppresses only where the whole interval of its margin "
    "over every control lies above 0."
)


CASES = {
    "independent": "as in a collection whose backgrounds are independent of class",
    "partly": "as in a collection whose backgrounds partly go with the class",
    "carried": "as in a collection whose backgrounds carry the class",
    "unclear": "between two cases: more photographs would tell",
}
"""What each case of `CASE_RULE` is like."""


def case_words(found: BackgroundAlone) -> str:
    """Which kind of collection this is, by `CASE_RULE`, in a sentence."""
    ahead = found.ahead
    lead = (
        "foregrounds find it better"
        if ahead.low > 0
        else "backgrounds find it better than foregrounds"
        if ahead.high < 0
        else "foregrounds and backgrounds are not told apart"
    )
    return (
        f"Searched by backgrounds alone: {CASES[found.case]} (excess {interval_words(found.excess)}); {lead} "
        f"({interval_words(ahead, sign='+')})."
    )


def scores_text(scores: RetrievalScores, backgrounds: BackgroundAlone | None = None) -> str:
    """The first score of every row with its gain, then the verdicts and what must be read beside them."""
    lines = [f"{'pooling':11}{'suppression':44}{'mAP':>22}  {'gain over the plain mean':>26}"]
    for row in scores.rows:
        name = (
            row.suppression
            if not row.control
            else f"  control: {CONTROL_TITLES.get(row.control, row.control)}"
        )
        gain = "" if is_baseline(row) else interval_words(row.gains[FIRST].interval, sign="+")
        pooling = "" if row.control else row.pooling
        lines.append(f"{pooling:11}{name:44}{interval_words(row.summaries[FIRST]):>22}  {gain:>26}")
    lines += ["", f"a random ranking: {scores.chance:.3f}; {_counted(scores)}"]
    lines += verdicts(scores)
    if backgrounds is not None:
        lines.append(case_words(backgrounds))
    lines += [f"note: {warning}" for warning in scores.warnings]
    return "\n".join(lines)


def verdicts(scores: RetrievalScores) -> tuple[str, ...]:
    """One sentence for each pooling, by `RULE`."""
    said = []
    for pooling in dict.fromkeys(row.pooling for row in scores.rows):
        rows = [r for r in scores.rows if r.pooling == pooling and not r.control and not is_baseline(r)]
        up = [r for r in rows if r.gains[FIRST].interval.low > 0]
        down = [r for r in rows if r.gains[FIRST].interval.high < 0]
        words = []
        if up:
            words.append("better than the plain mean: " + ", ".join(_named(scores, r) for r in up))
        if down:
            words.append("worse: " + ", ".join(_named(scores, r) for r in down))
        said.append(f"{pooling}: {'; '.join(words) or 'nothing is told apart from the plain mean'}.")
    return tuple(said)


def credited(scores: RetrievalScores, row: RetrievalRow) -> bool:
    """Whether a gain exceeds that of every control of the same row, whole intervals above 0."""
    own = [
        other
        for other in scores.rows
        if other.control and (other.pooling, other.suppression) == (row.pooling, row.suppression)
    ]
    return bool(own) and all(control.margins[FIRST].interval.low > 0 for control in own)


def is_baseline(row: RetrievalRow) -> bool:
    """What gains refer to."""
    return (row.pooling, row.suppression, row.control) == ("mean", "none", "")


def interval_words(interval: Interval, *, sign: str = "") -> str:
    """Mean and interval, three digits; a dash where undefined."""
    if not math.isfinite(interval.mean):
        return "–"
    mean, low, high = (f"{round(v, 3) + 0.0:{sign}.3f}" for v in (interval.mean, interval.low, interval.high))
    return f"{mean} [{low}, {high}]"


def scores_json(scores: RetrievalScores, backgrounds: BackgroundAlone | None = None) -> str:
    """Everything but the single queries' values; undefined numbers are null."""
    content = {
        "chance": scores.chance,
        "n_images": scores.n_images,
        "n_queries": len(scores.queries),
        "n_unlabelled": scores.n_unlabelled,
        "n_undefined": scores.n_undefined,
        "settings": dict(scores.settings),
        "warnings": list(scores.warnings),
        "verdicts": list(verdicts(scores)),
        "rows": [
            {
                "pooling": row.pooling,
                "suppression": row.suppression,
                "control": row.control,
                "chosen": list(row.chosen),
                "scores": {key: asdict(value) for key, value in row.summaries.items()},
                "gains": {key: asdict(value) for key, value in row.gains.items()},
                "margins": {key: asdict(value) for key, value in row.margins.items()},
                "overlap": row.overlap,
                "curve": None
                if row.curve is None
                else {
                    "ks": list(row.curve.ks),
                    "means": [asdict(i) for i in row.curve.means],
                    "gains": [asdict(i) for i in row.curve.gains],
                },
            }
            for row in scores.rows
        ],
    }
    if backgrounds is not None:
        content["backgrounds"] = {**asdict(backgrounds), "rule": CASE_RULE}
    return json.dumps(_plain(content), indent=2, allow_nan=False)


def scores_csv(scores: RetrievalScores) -> str:
    """One line for each row and score."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        [
            "pooling",
            "suppression",
            "control",
            "score",
            "mean",
            "low",
            "high",
            "gain",
            "gain_low",
            "gain_high",
            "queries",
        ]
    )
    for row in scores.rows:
        for key in scores.scores:
            mean, gain = row.summaries[key], row.gains[key].interval
            numbers = (mean.mean, mean.low, mean.high, gain.mean, gain.low, gain.high)
            shown = ["" if math.isnan(value) else f"{value:.6f}" for value in numbers]
            writer.writerow([row.pooling, row.suppression, row.control, key, *shown, mean.n])
    return out.getvalue()


def _named(scores: RetrievalScores, row: RetrievalRow) -> str:
    gain = interval_words(row.gains[FIRST].interval, sign="+")
    if row.suppression == "none":
        return f"without suppression ({gain})"
    has_controls = any(
        r.control and r.pooling == row.pooling and r.suppression == row.suppression for r in scores.rows
    )
    if not has_controls or row.gains[FIRST].interval.low <= 0:
        return f"{row.suppression} ({gain})"
    held = "more than every control" if credited(scores, row) else "not told apart from every control"
    return f"{row.suppression} ({gain}, {held})"


def _counted(scores: RetrievalScores) -> str:
    words = f"{len(scores.queries)} queries among {scores.n_images} labelled photographs"
    if scores.n_unlabelled:
        words += f", {scores.n_unlabelled} without a label left out of the ranking"
    if scores.n_undefined:
        words += f", {scores.n_undefined} queries without a relevant photograph in no mean"
    return words


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

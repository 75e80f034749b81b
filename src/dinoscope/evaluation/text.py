"""Retrieval scores as text for a terminal, as JSON, as CSV; and in plain language, by stated rules."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict, fields

from dinoscope.data.results import FEWEST_TO_JUDGE, Interval, PairedDifference
from dinoscope.data.retrieval import FIRST, RetrievalRow, RetrievalScores
from dinoscope.drawing.text_table import text_table, wrapped
from dinoscope.drawing.verdicts import direction
from dinoscope.evaluation.pictures_values import CASE_RULE, BackgroundAlone
from dinoscope.strict_json import strict_json

TITLES = {
    "ap": "mAP",
    "r_precision": "R-precision",
    "ndcg": "nDCG",
}
_UNDEFINED = Interval(math.nan, math.nan, math.nan, 0)
CONTROL_TITLES = {
    "random": "as many random directions",
    "matched": "random directions of as much variance",
    "all_patches": "the strongest directions of all patches",
}
CSV_COLUMNS = (
    *("pooling", "suppression", "control", "score", "mean", "low", "high", "gain", "gain_low", "gain_high"),
    *("pooling_gain", "pooling_gain_low", "pooling_gain_high", "queries"),
)
RULE = (
    "A suppression helps (hurts) where the whole interval of its paired gain over the same vectors without "
    "suppression lies above (below) 0, and the gain is put down to what it suppresses only where the whole "
    "interval of its margin over every control lies above 0. A pooling is compared with the plain mean, both "
    f"without suppression. With fewer than {FEWEST_TO_JUDGE} queries nothing is said."
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
    way = direction(ahead)
    lead = (
        f"with fewer than {FEWEST_TO_JUDGE} queries, foregrounds and backgrounds are not compared"
        if ahead.n < FEWEST_TO_JUDGE
        else "foregrounds find it better"
        if way > 0
        else "backgrounds find it better than foregrounds"
        if way < 0
        else "foregrounds and backgrounds are not told apart"
    )
    return (
        f"Searched by backgrounds alone: {CASES[found.case]} (excess {interval_words(found.excess)}); {lead} "
        f"({interval_words(ahead, sign='+')})."
    )


def scores_text(scores: RetrievalScores, backgrounds: BackgroundAlone | None = None) -> str:
    """The first score of every row with its gain, then the verdicts and what must be read beside them."""
    table = []
    for row in scores.rows:
        gain = "" if is_baseline(row) else interval_words(gain_of(row).interval, sign="+")
        control = "control", CONTROL_TITLES.get(row.control, row.control)
        name = control if row.control else (row.pooling, row.suppression)
        table.append([*name, interval_words(row.summaries[FIRST]), gain])
    lines = [text_table(table, ["pooling", "suppression", "mAP", "gain"], flexible=1, right=(2, 3))]
    gains = "gain: of a suppression over the same vectors without it, of a pooling over the plain mean"
    lines += ["", wrapped(gains), wrapped(f"a random ranking: {scores.chance:.3f}; {_counted(scores)}")]
    lines += map(wrapped, verdicts(scores))
    if backgrounds is not None:
        lines.append(wrapped(case_words(backgrounds)))
    lines += [wrapped(f"note: {warning}", " " * 6) for warning in scores.warnings]
    return "\n".join(lines)


def verdicts(scores: RetrievalScores) -> tuple[str, ...]:
    """For each pooling a sentence on its suppressions, and before it one on the pooling itself, by `RULE`."""
    said = []
    for pooling in dict.fromkeys(row.pooling for row in scores.rows):
        rows = [r for r in scores.rows if r.pooling == pooling and not r.control and r.suppression != "none"]
        plain = scores.row(pooling, "none")
        if plain.summaries[FIRST].n < FEWEST_TO_JUDGE:
            queries = f"{plain.summaries[FIRST].n} queries, fewer than {FEWEST_TO_JUDGE}"
            said.append(f"{pooling}: {queries}: no direction is named.")
            continue
        if plain.pooling_gains:
            gain = plain.pooling_gains[FIRST]
            than = ("not told apart from", "better than", "worse than")[direction(gain.interval)]
            shown = interval_words(gain.interval, sign="+")
            said.append(f"{pooling} without suppression: {than} the plain mean ({shown}).")
        up = [r for r in rows if direction(r.gains[FIRST].interval) > 0]
        down = [r for r in rows if direction(r.gains[FIRST].interval) < 0]
        words = []
        if up:
            words.append("helped by " + ", ".join(_named(scores, r) for r in up))
        if down:
            words.append("hurt by " + ", ".join(_named(scores, r) for r in down))
        if rows:
            said.append(f"{pooling}: {'; '.join(words) or 'no suppression is told apart from none'}.")
    return tuple(said)


def credited(scores: RetrievalScores, row: RetrievalRow) -> bool:
    """Whether a gain exceeds that of every control of the same row, whole intervals above 0."""
    own = _controls_of(scores, row)
    return bool(own) and all(control.margins[FIRST].interval.low > 0 for control in own)


def _controls_of(scores: RetrievalScores, row: RetrievalRow) -> list[RetrievalRow]:
    wanted = (row.pooling, row.suppression)
    return [r for r in scores.rows if r.control and (r.pooling, r.suppression) == wanted]


def gain_of(row: RetrievalRow) -> PairedDifference:
    """A suppression's or control's gain over the same vectors without it; a pooling's over the plain mean."""
    return row.pooling_gains[FIRST] if row.pooling_gains else row.gains[FIRST]


def is_baseline(row: RetrievalRow) -> bool:
    """The plain mean."""
    return (row.pooling, row.suppression, row.control) == ("mean", "none", "")


def interval_words(interval: Interval, *, sign: str = "", digits: int = 3) -> str:
    """Mean and interval; the mean alone without an interval, a dash where undefined."""
    if not math.isfinite(interval.mean):
        return "–"
    known = [interval.mean, interval.low, interval.high][: 3 if math.isfinite(interval.low) else 1]
    mean, *ends = (f"{round(value, digits) + 0.0:{sign}.{digits}f}" for value in known)
    return f"{mean} [{', '.join(ends)}]" if ends else mean


def scores_json(scores: RetrievalScores, backgrounds: BackgroundAlone | None = None) -> str:
    """Everything but the single queries' values; undefined numbers are null."""
    content = {
        "chance": scores.chance,
        "n_images": scores.n_images,
        "n_queries": len(scores.queries),
        "n_unlabelled": scores.n_unlabelled,
        "n_undefined": scores.n_undefined,
        "settings": scores.settings,
        "warnings": scores.warnings,
        "verdicts": verdicts(scores),
        "rows": [_row_facts(row) for row in scores.rows],
    }
    if backgrounds is not None:
        content["backgrounds"] = {**asdict(backgrounds), "rule": CASE_RULE}
    return strict_json(content)


def _row_facts(row: RetrievalRow) -> dict[str, object]:
    names = {f.name: f.name for f in fields(row) if f.name != "values"} | {"summaries": "scores"}
    return {names[name]: getattr(row, name) for name in names}


def scores_csv(scores: RetrievalScores) -> str:
    """One line for each row and score."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for row in scores.rows:
        for key in scores.scores:
            mean, gain = row.summaries[key], row.gains[key].interval
            own = row.pooling_gains[key].interval if row.pooling_gains else _UNDEFINED
            numbers = (v for i in (mean, gain, own) for v in (i.mean, i.low, i.high))
            shown = ["" if math.isnan(value) else f"{value:.6f}" for value in numbers]
            writer.writerow([row.pooling, row.suppression, row.control, key, *shown, mean.n])
    return out.getvalue()


def _named(scores: RetrievalScores, row: RetrievalRow) -> str:
    gain = interval_words(row.gains[FIRST].interval, sign="+")
    if not _controls_of(scores, row) or row.gains[FIRST].interval.low <= 0:
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

"""The laboratory's report: one HTML file, its numbers, its figures."""

from __future__ import annotations

import base64
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from dinoscope.anchoring.findings import METRICS, RANK, TRUNK, Control, Laboratory, Score, Strip
from dinoscope.anchoring.report.curves import plot_control, plot_losses, plot_scores
from dinoscope.anchoring.report.maps import animation, film, plot_grams, plot_strip
from dinoscope.atomic import work_folder
from dinoscope.drawing.html import STATIC_POLICY, definitions, name, table, text
from dinoscope.drawing.sheet import DPI
from dinoscope.drawing.view.bundle import view_text
from dinoscope.errors import InputError
from dinoscope.metrics.registry import EVERY

FILES = ("report.html", "metrics.json", "figures")

RULES = (
    "The gate fires if, at the last snapshot, patch kNN mIoU is at least 2 percentage points below its "
    "highest earlier value while class-token kNN is not lower than it was there. Of these rules this one was "
    "set before the first score was measured.",
    "An arm is above (below) another where every fork seed of it scores above (below) every fork seed of the "
    "other, with at least three seeds of both. Between arms that do not differ, three against three fall so "
    "once in ten, once in twenty in each direction.",
    "A Gram arm is credited only if its patch kNN mIoU is above continue, local-half and feature-mse, by 0.5 "
    "points or more each, if its class-token kNN, boundary AUC and effective rank are not below continue, "
    "and if every seed of it exceeds its own frozen teacher. Its Gram distance counts for nothing.",
)

NOT_SHOWN = (
    "Whether larger networks or longer training behave alike: published evidence places the loss of patch "
    "quality in models above 300 million parameters and in long runs.",
    "What any released model owes to the anchor: the released DINOv3 S, S+, B, L and H+ were distilled, not "
    "anchored.",
    "The spread between trunks, unless several are listed: fork seeds share one trunk and differ in the "
    "order and crops after the fork only.",
    "What another weight would do: feature-mse has the Gram arms' weight, under which its loss is the larger "
    "part of the sum (see Losses); a lighter one might cost less and hold less.",
    "Photographs: the scores are measured on procedural scenes, which the network was not trained for. They "
    "rank the same network's snapshots; they are no benchmark.",
)

NO_CONTROL = "Repair of known damage: no positive control is part of this run."
STYLE = """.film{border:0;display:flex;flex-wrap:wrap;gap:6px;margin:16px 0;padding:0}
.film{min-width:0;overflow-x:auto;position:relative}
.film legend{font-weight:600;padding:0 0 6px}
.film input{opacity:0;position:absolute}
.film label{border:1px solid currentColor;border-radius:4px;cursor:pointer;font-size:14px;padding:3px 8px}
.film input:checked+label{background:CanvasText;color:Canvas}
.film input:focus-visible+label{outline:3px solid Highlight;outline-offset:1px}
.film img{display:none;flex:none;image-rendering:pixelated;max-width:100%;order:1}
.film input:checked+label+img{display:block}
@media screen and (max-width:700px){
.plot{overflow-x:auto}
.plot img{max-width:none;width:720px}
.film img{max-width:none}
}
@media print{.film{display:none}}
"""
"""Beside the reports' style: frames are chosen without a script; on narrow screens pictures scroll."""

CONTROL_RULES = (
    "Rules of this part, written after the trunk had been measured and before any arm after the damage was: "
    "repair is judged only if the damage cost at least 2 points of patch kNN mIoU, between arms after the "
    "same damage, by the spread of their seeds. Strength and length of the pull are chosen so that it does "
    "damage; they are no finding."
)


def write_laboratory(laboratory: Laboratory, folder: str | Path) -> Path:
    """Write report.html, metrics.json and figures; other files of the folder stay.

    Returns:
        The report's path.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = Path(folder)
    try:
        with work_folder(folder) as work:
            pictures = _pictures(laboratory)
            (work / "figures").mkdir()
            for file, data in pictures.items():
                (work / "figures" / file).write_bytes(data)
            (work / "metrics.json").write_text(laboratory_json(laboratory) + "\n", encoding="utf-8")
            (work / "report.html").write_text(_page(laboratory, pictures), encoding="utf-8")
            for part in FILES:
                target = folder / part
                if target.is_dir():
                    shutil.rmtree(target)
                (work / part).replace(target)
    except OSError as error:
        raise InputError(f"cannot write to the folder {str(folder)!r}: {error.strerror}") from error
    return folder / "report.html"


def laboratory_html(laboratory: Laboratory) -> str:
    """The page as text: everything it shows is in it, no script, no outside request."""
    return _page(laboratory, _pictures(laboratory))


def laboratory_json(laboratory: Laboratory) -> str:
    """All numbers as JSON; undefined ones are null."""
    conclusion = laboratory.conclusion
    gate = conclusion.gate
    content = {
        "format": 1,
        "conclusion": list(conclusion.sentences),
        "gate": None
        if gate is None
        else {
            "fires": gate.fires,
            "trunks": len(conclusion.gates),
            "fall_points": gate.fall,
            "peak_step": gate.peak_step,
            "last_step": gate.last_step,
            "dense_peak": gate.dense_peak,
            "dense_last": gate.dense_last,
            "image_peak": gate.image_peak,
            "image_last": gate.image_last,
        },
        "credited": list(conclusion.credited),
        "effects": [
            {
                "arm": e.arm,
                "over": e.over,
                "metric": e.metric,
                "step": e.step,
                "mean": e.mean,
                "low": e.low,
                "high": e.high,
                "seeds": list(e.seeds),
                "verdict": e.verdict,
            }
            for e in conclusion.effects
        ],
        "scores": _score_values(laboratory.scores),
        "teacher_step": laboratory.teacher_step,
        "fork_step": laboratory.fork_step,
        "spent": [{"stage": s.stage, "steps": s.steps, "seconds": s.seconds} for s in laboratory.spent],
        "machine": laboratory.machine,
        "settings": dict(laboratory.settings),
        "positive_control": None if laboratory.control is None else _control_values(laboratory.control),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _control_values(control: Control) -> dict[str, object]:
    return {
        "planted": True,
        "sentences": list(control.sentences),
        "start_step": control.start_step,
        "release_step": control.release_step,
        "teacher_step": control.teacher_step,
        "scores": _score_values(control.scores),
    }


def _score_values(scores: Sequence[Score]) -> list[dict[str, object]]:
    return [{"run": s.run, "seed": s.seed, "step": s.step, "values": _json(s.values)} for s in scores]


def _page(laboratory: Laboratory, pictures: Mapping[str, bytes]) -> str:
    style = view_text("report.css")
    first, *others = laboratory.conclusion.sentences
    said = "".join(f"<p>{text(sentence)}</p>\n" for sentence in others)
    if laboratory.control is not None:
        said += (
            '<p>Nothing above rests on the <a href="#control">positive control</a>: damage planted on '
            "purpose, reported apart.</p>\n"
        )
    limits = (*NOT_SHOWN, NO_CONTROL) if laboratory.control is None else NOT_SHOWN
    parts = {
        "#scores": ("Scores", _scores(laboratory, pictures)),
        "#strip": ("Maps", _strip(laboratory, pictures)),
        "#grams": ("Gram matrices", _grams(laboratory, pictures)),
        "#control": ("Positive control", _control(laboratory.control, pictures)),
        "#losses": ("Losses", _losses(pictures)),
        "#rules": ("Rules", _listed("rules", "Rules", RULES)),
        "#limits": ("What is not shown", _listed("limits", "What is not shown", limits)),
        "#compute": ("Compute", _compute(laboratory)),
        "#settings": ("Settings", _settings(laboratory)),
    }
    links = [f'<a href="{place}">{title}</a>' for place, (title, part) in parts.items() if part]
    sections = "\n".join(part for _, part in parts.values() if part)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{STATIC_POLICY}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Gram laboratory – dinoscope</title>
<style>
{style}{STYLE}</style>
</head>
<body>
<header>
<h1>Gram laboratory</h1>
<p><strong>{text(first)}</strong></p>
{said}<nav aria-label="Contents">{" ".join(links)}</nav>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


def _pictures(laboratory: Laboratory) -> dict[str, bytes]:
    found = {"scores.png": _png(plot_scores(laboratory))}
    if laboratory.losses:
        found["losses.png"] = _png(plot_losses(laboratory))
    if laboratory.strip is not None:
        found["strip.png"] = _png(plot_strip(laboratory.strip))
        if moving := animation(laboratory.strip):
            found["strip.gif"] = moving
    if laboratory.control is not None:
        found["planted-scores.png"] = _png(plot_control(laboratory.control))
        if laboratory.control.strip is not None:
            strip = plot_strip(laboratory.control.strip, title="Positive control: planted damage")
            found["planted-strip.png"] = _png(strip)
    if laboratory.grams:
        found["grams.png"] = _png(plot_grams(laboratory))
    return found


def _scores(laboratory: Laboratory, pictures: Mapping[str, bytes]) -> str:
    heads = ("network", "seed", "step", *(EVERY[key].short for key in METRICS))
    last = [s for s in laboratory.scores if _is_shown(laboratory, s)]
    rows = [
        (
            name(_role(laboratory, s)),
            str(s.seed),
            f"{s.step:,}",
            *(_number(s.values.get(metric, math.nan), metric) for metric in METRICS),
        )
        for s in last
    ]
    what = definitions((text(EVERY[key].short), text(EVERY[key].sentence)) for key in METRICS)
    alternative = (
        "Every metric against training steps, trunk and arms; the last values are in the table below"
    )
    return _section(
        "scores",
        "Scores on held-out scenes",
        _image(pictures["scores.png"], "png", alternative)
        + table(
            [text(h) for h in heads],
            rows,
            css="variance",
            caption="First and last snapshots; percentages where the unit is %.",
            labels=heads,
        )
        + f"<details><summary>What each number is</summary>{what}</details>",
    )


def _is_shown(laboratory: Laboratory, score: Score) -> bool:
    steps = [s.step for s in laboratory.scores if (s.run, s.seed) == (score.run, score.seed)]
    return score.step in (max(steps), min(steps) if score.run == TRUNK else -1) or (
        score.run == TRUNK and score.step == laboratory.teacher_step
    )


def _role(laboratory: Laboratory, score: Score) -> str:
    teacher = score.run == TRUNK and score.step == laboratory.teacher_step
    return f"{score.run} (frozen teacher)" if teacher else score.run


def _strip(laboratory: Laboratory, pictures: Mapping[str, bytes]) -> str:
    if laboratory.strip is None:
        return ""
    still = _image(pictures["strip.png"], "png", "Maps of the same photographs by every network shown")
    moving = ""
    if "strip.gif" in pictures:
        frames = _image(pictures["strip.gif"], "gif", "The trunk's component maps, step after step")
        moving = f"<details><summary>As an animation (runs three times)</summary>{frames}</details>"
    note = (
        "<p>One basis for all rows: a colour is the same direction of feature space in every row. The "
        "photographs were not trained on. The reference patch and the cosine scale are the same throughout."
        "</p>"
    )
    return _section("strip", "Maps", note + _film(laboratory.strip) + still + moving)


def _film(strip: Strip) -> str:
    """The frames in one place, one at a time: nothing moves by itself, and no script is needed."""
    items = "".join(
        f'<input type="radio" name="film" id="film-{i}"{" checked" if i == 0 else ""}>'
        f'<label for="film-{i}">{text(label)}</label>'
        f'<img src="{_uri(data, "png")}" alt="{text(f"Component maps: {label}")}">\n'
        for i, (label, data) in enumerate(film(strip))
    )
    return f'<fieldset class="film"><legend>One network at a time</legend>\n{items}</fieldset>'


def _grams(laboratory: Laboratory, pictures: Mapping[str, bytes]) -> str:
    if not laboratory.grams:
        return ""
    note = "<p>A small difference only shows that the anchor's loss works. No conclusion rests on it.</p>"
    return _section(
        "grams",
        "Gram matrices",
        note + _image(pictures["grams.png"], "png", "Gram matrices of each arm, of the teacher, and apart"),
    )


def _control(control: Control | None, pictures: Mapping[str, bytes]) -> str:
    if control is None:
        return ""
    said = "".join(f"<p>{text(sentence)}</p>\n" for sentence in (*control.sentences, CONTROL_RULES))
    curves = _image(pictures["planted-scores.png"], "png", "Every metric during and after planted damage")
    maps = ""
    if "planted-strip.png" in pictures:
        maps = _image(pictures["planted-strip.png"], "png", "Maps before planted damage, damaged, and after")
    return _section("control", "Positive control: damage planted on purpose", said + curves + maps)


def _losses(pictures: Mapping[str, bytes]) -> str:
    if "losses.png" not in pictures:
        return ""
    return _section("losses", "Losses", _image(pictures["losses.png"], "png", "Losses against steps"))


def _compute(laboratory: Laboratory) -> str:
    rows = [
        (
            text(s.stage),
            f"{s.steps:,}" if s.steps else "",
            f"{s.seconds / 60:,.1f}",
            f"{s.seconds / s.steps:.2f}" if s.steps else "",
        )
        for s in laboratory.spent
    ]
    total = sum(s.seconds for s in laboratory.spent)
    rows.append(("all that was recorded", "", f"{total / 60:,.1f}", ""))
    heads = ("stage", "steps", "minutes on the wall", "seconds a step")
    note = f"<p>{text(laboratory.machine)}. Training that was done elsewhere is not in the table.</p>"
    return _section("compute", "Compute spent", note + table(heads, rows, css="variance", labels=heads))


def _settings(laboratory: Laboratory) -> str:
    shown = json.dumps(dict(laboratory.settings), indent=1)
    inside = f"<details><summary>All settings</summary><pre>{_lines(shown)}</pre></details>"
    return _section("settings", "Settings", inside)


def _lines(shown: str) -> str:
    return "\n".join(text(line) for line in shown.splitlines())


def _listed(id_: str, title: str, items: tuple[str, ...]) -> str:
    return _section(id_, title, "<ul>" + "".join(f"<li>{text(i)}</li>\n" for i in items) + "</ul>")


def _section(id_: str, title: str, inside: str) -> str:
    head = f'<section id="{id_}" aria-labelledby="{id_}-title">\n<h2 id="{id_}-title">{title}</h2>'
    return f"{head}\n{inside}\n</section>"


def _image(data: bytes, kind: str, alternative: str) -> str:
    return f'<div class="plot"><img src="{_uri(data, kind)}" alt="{text(alternative)}"></div>\n'


def _uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def _number(value: float, metric: str) -> str:
    if not math.isfinite(value):
        return "–"
    if EVERY[metric].unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if metric == RANK else f"{value:.3f}"


def _json(values: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in values.items()}

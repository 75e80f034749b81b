"""What is said of a refined model: on the terminal, in its card, and as JSON."""

from __future__ import annotations

from dinoscope.anchoring.refine.findings import AIM, Findings
from dinoscope.anchoring.refine.settings import ARMS, REFINED, Refinement
from dinoscope.comparison import words
from dinoscope.data.results import Interval
from dinoscope.data.spec import BackboneSpec
from dinoscope.drawing.verdicts import direction


def sentences(found: Findings) -> list[str]:
    """The verdict: what became worse first, then what became better and whether a control did as well."""
    told = []
    for way, said in ((-1, "Measures worse than the unchanged model"), (1, "Measures better")):
        axes = [key for key, found_way in found.ways.items() if found_way == way]
        if axes:
            told.append(f"{said}: {', '.join(_gain(found, key) for key in axes)}.")
        told += [line for key in axes if way > 0 for line in _beside(found, key)]
    if 1 in found.ways.values() and not found.models[2:]:
        told.append("No control was trained: what the gain is owed to is not known.")
    unclear = [_gain(found, key) for key, way in found.ways.items() if way == 0]
    if unclear:
        told.append(f"No difference that can be told: {', '.join(unclear)}.")
    aim = found.row(AIM)
    told.append(
        f"{aim.title}: {_number(aim.interval(0))} before, {_number(aim.interval(1))} after "
        f"({_number(aim.gain(1).interval, sign='+')})."
    )
    return told


def table(found: Findings) -> list[list[str]]:
    """A header and a row for each number: every model's, and the refined one's minus the unchanged one's."""
    first, second, *others = found.models
    rows = [["", first, second, f"{second} minus {first}", *others]]
    for row in found.rows:
        own = [_number(row.interval(j)) for j in range(len(found.models))]
        rows.append([row.title, *own[:2], _number(row.gain(1).interval, sign="+"), *own[2:]])
    return rows


def card(found: Findings, spec: BackboneSpec, settings: Refinement, facts: dict[str, object]) -> str:
    """The model's card, in Markdown.

    Args:
        found: what was measured.
        spec: of the unchanged model.
        settings: of the refinement.
        facts: what it learnt from and was measured on: ``photographs``, ``held_out`` (numbers) and ``masks``.
    """
    head, *rows = table(found)
    licence = spec.licence.lower()
    lines = [
        "---",
        f"license: {licence if licence in ('apache-2.0', 'mit') else 'other'}",
        "library_name: transformers",
        "---",
        f"# {spec.name}, refined",
        "",
    ]
    if found.worse:
        lines += [
            "**It measures worse than the model that it was made from. Do not use it in its place.**",
            "",
        ]
    learnt = (
        f"products of rank {settings.rank} beside the blocks' linear layers"
        if settings.rank
        else "every weight"
    )
    lines += [
        f"Made by `dinoscope anchor --from {spec.name}` from {spec.name} (licence: {spec.licence}), which is "
        "its own teacher: the Gram matrix of its patches is held to that of the unchanged model at twice the "
        "resolution, class token and patches by their cosine to the unchanged model's. Learnt: "
        f"{learnt}, {settings.steps:,} steps of {settings.batch} of {facts['photographs']:,} photographs, "
        f"two crops of {settings.grid}x{settings.grid} patches each, learning rate "
        f"{settings.learning_rate:g}, seed {settings.seed}.",
        "",
        *[f"- {line}" for line in sentences(found)],
        "",
        _row(head),
        _row([":--", *["--:"] * (len(head) - 1)]),
        *map(_row, rows),
        "",
        f"Means and 95% intervals over {found.n_images} held-out photographs ({facts['masks']}).",
    ]
    shown = [name for name in found.models[2:] if name in ARMS]
    lines += ["", *[f"- `{name}`: {ARMS[name].words}" for name in shown]]
    if spec.family == "dinov2":
        lines += [
            "",
            "Away from its table's own size `transformers` resizes DINOv2's positions otherwise than its "
            "authors; measured was the authors' way.",
        ]
    return "\n".join(lines) + "\n"


def as_json(found: Findings) -> dict[str, object]:
    """What a refinement found, as plain values."""
    return {
        "models": list(found.models),
        "worse": found.worse,
        "verdict": sentences(found),
        "n_images": found.n_images,
        "metrics": {
            row.key: {
                name: {"value": _triple(row.interval(j)), "minus_unchanged": _triple(row.gain(j).interval)}
                for j, name in enumerate(found.models)
            }
            for row in found.rows
        },
        "minus_controls": {
            key: {
                name: _triple(found.row(key).gain(1, 2 + j).interval)
                for j, name in enumerate(found.models[2:])
            }
            for key in (*found.axes, AIM)
        },
    }


def _beside(found: Findings, key: str) -> list[str]:
    """Whether the gain on an axis is more than each control's."""
    lines = []
    for j, name in enumerate(found.models[2:], 2):
        more = found.row(key).gain(1, j).interval
        said = {1: "more", 0: "not clearly more", -1: "less"}[direction(more)]
        lines.append(
            f"In {found.row(key).title} {REFINED} gains {said} than {name} ({_number(more, sign='+')})."
        )
    return lines


def _gain(found: Findings, key: str) -> str:
    row = found.row(key)
    return f"{row.title} {_number(row.gain(1).interval, sign='+')}"


def _number(interval: Interval, sign: str = "") -> str:
    return words.fitting(interval, sign=sign)


def _triple(interval: Interval) -> list[float | None]:
    return [value if value == value else None for value in (interval.mean, interval.low, interval.high)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"

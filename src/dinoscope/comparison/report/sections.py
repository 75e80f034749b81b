"""The parts of the report that are words and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dinoscope.comparison import words
from dinoscope.data.results import Comparison, ModelResult
from dinoscope.drawing import verdicts
from dinoscope.drawing.html import axis_limits, definitions, name, strip, table, text

_VERDICTS = {True: "✓ met", False: "✗ not met", None: "? not known"}
DINOV3_REMARK = (
    "DINOv3 weights are under the DINOv3 License "
    "(ai.meta.com/resources/models-and-libraries/dinov3-license): "
    "pass it on with the weights, acknowledge DINOv3 in publications, and mind its trade-control clauses."
)


def numbers_section(comparison: Comparison) -> str:
    """Every model's means with intervals, and the paired differences to the first."""
    measured = comparison.measurements
    metrics = words.smoothness(measured)
    limits = {metric: axis_limits(measured.values[metric]) for metric in metrics}
    rows = []
    for j, model in enumerate(comparison.models):
        label = name(model.label) + (f' <b class="control">{words.CONTROL}</b>' if model.spec.control else "")
        cells = [
            _figure_cell(
                words.interval(measured.summaries[m][j]),
                strip(measured.summaries[m][j], measured.values[m][:, j].tolist(), limits[m]),
            )
            for m in metrics
        ]
        rows.append([label, *cells, _counts([measured.summaries[m][j].n for m in metrics])])
    head = [_headed(m, limits[m]) for m in metrics]
    parts = [
        table(
            ["Model", *head, "Photographs"],
            rows,
            css="numbers",
            caption="Mean [95% interval]",
            labels=["Model", *(words.title(m) for m in metrics), "photographs"],
        ),
        _differences(comparison, metrics),
    ]
    said = "".join(f"<li>{text(_sentence(w))}</li>\n" for w in measured.warnings)
    meanings = definitions(
        (words.title(m).capitalize(), words.MEANINGS[m]) for m in metrics if m in words.MEANINGS
    )
    return f"""<section id="numbers" aria-labelledby="numbers-title">
<h2 id="numbers-title">Numbers</h2>
{"".join(parts)}<p class="quiet">Dot: mean over photographs. Bar: 95% interval (Student's t) over
photographs. Ticks: single photographs.</p>
<ul class="warnings">{said}</ul>
{meanings}</section>
"""


def _differences(comparison: Comparison, metrics: list[str]) -> str:
    measured = comparison.measurements
    if len(measured.models) < 2:
        return ""
    gaps = {m: measured.values[m][:, 1:] - measured.values[m][:, :1] for m in metrics}
    limits = {m: axis_limits(gaps[m], zero=True) for m in metrics}
    rows = []
    for j, model in enumerate(measured.models[1:]):
        cells = []
        for m in metrics:
            difference = measured.differences[m][j]
            shares = f"<small>{verdicts.SHARES}: {verdicts.shares(difference)}</small>"
            cells.append(
                _figure_cell(
                    words.interval(difference.interval, sign="+"),
                    strip(difference.interval, gaps[m][:, j].tolist(), limits[m], zero=True),
                    shares,
                )
            )
        counts = _counts([measured.differences[m][j].interval.n for m in metrics])
        rows.append([f"{name(model)} minus {name(measured.models[0])}", *cells, counts])
    head = [_headed(m, limits[m], sign="+") for m in metrics]
    return table(
        ["Paired difference", *head, "Photographs"],
        rows,
        css="numbers",
        caption="On the same photographs, mean [95% interval]",
        labels=["", *(words.title(m) for m in metrics), "photographs"],
    )


def fairness_section(comparison: Comparison) -> str:
    """The ledger: each condition of a fair comparison, met or not, in words."""
    unmet = sum(entry.met is False for entry in comparison.ledger)
    unknown = sum(entry.met is None for entry in comparison.ledger)
    total = words.count(len(comparison.ledger), "condition")
    summary = (
        f"All {total} are met."
        if not unmet + unknown
        else f"{unmet} of {total} {'is' if unmet == 1 else 'are'} not met."
    )
    if unknown:
        summary += f" Of {unknown} it cannot be known."
    rows = [
        [
            f'<span class="{"met" if entry.met else "unmet"}">{_VERDICTS[entry.met]}</span>',
            f"<strong>{text(entry.rule)}</strong>",
            text(entry.detail),
        ]
        for entry in comparison.ledger
    ]
    return _section(
        "fairness",
        "Fairness ledger",
        f"<p>What a fair comparison needs, and whether it was met. {summary}</p>\n"
        + table(["Verdict", "Condition", "Facts"], rows, css="ledger"),
    )


def variance_section(comparison: Comparison) -> str:
    """How much of each model's variance the first components hold."""
    held = max(len(m.pca.explained_variance_ratio) for m in comparison.models)
    rows = []
    for model in comparison.models:
        ratios = [float(r) for r in model.pca.explained_variance_ratio]
        cells = [_bar(ratios[k]) if k < len(ratios) else "" for k in range(held)]
        shown = words.percent(words.variance_shown(comparison, model))
        rows.append([name(model.label), f"<strong>{shown}</strong>", *cells])
    return _section(
        "variance",
        "Explained variance",
        f"<p>Share of the variance of all patches of all photographs. Colours show components "
        f"{words.component_list(comparison)}; aligned colours are rotations of all three, so the share is of "
        "the three together.</p>\n"
        + table(["Model", "Shown", *(f"PC {k + 1}" for k in range(held))], rows, css="variance"),
    )


def limits_section(comparison: Comparison) -> str:
    """What no picture on the page can show."""
    points = [
        words.colours_note(comparison),
        words.COSINES_NOTE,
        "The reference patches are a few places, the same in every photograph: neither the best nor the "
        "worst.",
        "Smoothness is no merit by itself: a blurred or collapsed map is perfectly smooth, and a finer grid "
        "is smoother than a coarse one. Part of it may come from a patch's position rather than from what it "
        "shows; this page does not separate the two.",
        "None of the numbers measures how well a model does at a task. Photographs chosen by hand are not a "
        "benchmark.",
        "A difference between two models names no cause: they usually differ in more than one thing at once.",
    ]
    return _section(
        "limits", "What is not shown", "<ul>" + "".join(f"<li>{text(p)}</li>\n" for p in points) + "</ul>"
    )


def models_section(comparison: Comparison) -> str:
    """Every model: what it is, where its weights came from, under which licence."""
    parts = [_model(model) for model in comparison.models]
    remark = (
        f"<p>{DINOV3_REMARK}</p>\n"
        if any("dinov3" in m.spec.licence.lower() for m in comparison.models)
        else ""
    )
    return _section(
        "models",
        "Models and weights",
        f'<div class="models">{"".join(parts)}</div>\n{remark}'
        "<p>The licence of a model's weights is its publisher's; photographs remain their owners'. This page "
        "holds previews of the photographs: mind their rights before you pass it on.</p>",
    )


def _model(model: ModelResult) -> str:
    spec, origin = model.spec, model.origin
    pairs = [
        (
            "Kind",
            f'<b class="control">{words.CONTROL}</b>'
            if spec.control
            else f"trained model, {text(spec.family)}",
        ),
        ("Weights", f"<code>{text(origin.source)}</code>"),
        ("SHA-256", f"<code>{text(origin.digest)}</code>" if origin.digest else "none"),
        ("Licence", text(spec.licence)),
        ("Layer", f"{model.layer} of 0 to {spec.depth - 1}, {text(model.dtype)}"),
        (
            "Features",
            f"{spec.dim:,} channels, patch {spec.patch_size} px, {words.count(spec.registers, 'register')}",
        ),
        ("Mean, std", f"{_triple(spec.mean)}, {_triple(spec.std)}"),
    ]
    if origin.notes:
        pairs.append(("Notes", "; ".join(text(note) for note in origin.notes)))
    about = f"<p>{text(spec.description)}</p>" if spec.description else ""
    return f"<div><h3>{name(model.label)}</h3>{about}{definitions(pairs)}</div>\n"


def failures_section(comparison: Comparison) -> str:
    """What could not be used, and why; nothing where all could."""
    if not comparison.failures:
        return ""
    rows = [[name(failure.source), text(failure.reason)] for failure in comparison.failures]
    return _section(
        "failures",
        "Failures",
        f"<p>{words.count(len(rows), 'input')} could not be used and {'is' if len(rows) == 1 else 'are'} "
        "left out of everything above.</p>\n" + table(["Input", "Reason"], rows, css="failures"),
    )


def settings_section(comparison: Comparison) -> str:
    """What was asked for, and what ran."""
    pairs = [
        (text(str(key).replace("_", " ").capitalize()), _value(value))
        for key, value in comparison.settings.items()
    ]
    pairs.append(("Reference places", "; ".join(f"({x:g}, {y:g})" for x, y in comparison.points)))
    pairs.append(("Components", words.component_list(comparison)))
    return _section("settings", "Settings and versions", definitions(pairs))


def _section(key: str, title: str, body: str) -> str:
    heading = f'<h2 id="{key}-title">{title}</h2>'
    return f'<section id="{key}" aria-labelledby="{key}-title">\n{heading}\n{body}</section>\n'


def _figure_cell(number: str, drawn: str, below: str = "") -> str:
    mean, _, rest = number.partition(" ")
    return f'<span class="mean">{mean}</span> <span class="interval">{rest}</span>{drawn}{below}'


def _headed(metric: str, limits: tuple[float, float], *, sign: str = "") -> str:
    low, high = (words.number(v, sign=sign, digits=2) for v in limits)
    title = text(words.title(metric).capitalize())
    return f'{title} <span class="ends"><span>{low}</span><span>{high}</span></span>'


def _bar(share: float) -> str:
    width = 100 * min(max(share, 0.0), 1.0) if math.isfinite(share) else 0.0
    drawn = f'<svg class="share" aria-hidden="true"><rect width="{width:.1f}%" height="100%"/></svg>'
    return f"{words.percent(share)}{drawn}"


def _counts(counts: list[int]) -> str:
    return str(counts[0]) if len(set(counts)) == 1 else ", ".join(map(str, counts))


def _triple(values: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{v:g}" for v in values) + ")"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{text(key)} {_value(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_value(inner) for inner in value)
    return text(value)


def _sentence(words_: str) -> str:
    return words_[:1].upper() + words_[1:] + ("" if words_.endswith(".") else ".")

"""Curves of the laboratory: the trunk on the left of the fork, the arms with their bands on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from dinoscope.anchoring.findings import (
    AFTER_DAMAGE,
    METRICS,
    PLANTED,
    RANDOM,
    RESTS,
    TRUNK,
    Control,
    Laboratory,
    Score,
)
from dinoscope.drawing.canvas import FACE, Canvas, lines
from dinoscope.drawing.style import CONTROL_COLOUR, INK, LINE, MODEL_COLOURS, QUIET
from dinoscope.metrics.registry import EVERY

ARM_COLOURS: Mapping[str, str] = {
    TRUNK: INK,
    PLANTED: MODEL_COLOURS[5],
    "continue": MODEL_COLOURS[0],
    "gram-x2": MODEL_COLOURS[1],
    "local-half": MODEL_COLOURS[2],
    "feature-mse": MODEL_COLOURS[3],
    "gram-x1": MODEL_COLOURS[4],
}
LOSSES: Mapping[str, str] = {
    "dino_global": "DINO, global crops",
    "dino_local": "DINO, local crops",
    "contrast_global": "contrast, global crops",
    "contrast_local": "contrast, local crops",
    "ibot": "iBOT",
    "koleo": "KoLeo",
    "gram": "Gram anchor",
    "feature_mse": "feature anchor",
}

_COLUMNS, _WIDTH, _MARGIN, _GUTTER = 2, 7.6, 0.5, 0.42
_HEIGHT, _ABOVE, _BELOW = 1.35, 0.36, 0.24
_LABELS = 0.72
"""Inches to the right of each panel, for the names of the arms."""

_TRUNK_SHARE, _GAP = 0.58, 0.06
_SIZE = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class _Line:
    """One run's values by step; several seeds of an arm are several lines."""

    run: str
    seed: int
    steps: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]


def plot_scores(laboratory: Laboratory) -> Figure:
    """Every metric against steps. Bands reach from the lowest to the highest seed, lines are means."""
    fork = TRUNK, laboratory.fork_step
    panels = {name: (*_facts(name), _score_lines(laboratory.scores, name, *fork)) for name in METRICS}
    levels = {name: _levels(laboratory.scores, name, laboratory.teacher_step) for name in METRICS}
    note = (
        "Left of the gap: the trunk. Right: the arms, on a wider axis; line = mean, band = lowest to "
        "highest fork seed, where there is more than one. Grey dashes: random weights. Dotted: the frozen "
        "teacher. A dot before a title: the conclusion may rest on it."
    )
    return _panels(panels, levels, laboratory.fork_step, note)


def _facts(name: str) -> tuple[str, str, bool]:
    return EVERY[name].short, EVERY[name].unit, name in RESTS


def plot_control(control: Control) -> Figure:
    """As `plot_scores`, of the positive control: before the release on the left, after it on the right."""
    begins = [replace(s, run=PLANTED) for s in control.scores if s.step == control.start_step]
    scores = [*begins, *(s for s in control.scores if s.run != TRUNK)]
    panels = {
        name: (
            *_facts(name),
            _score_lines(scores, name, PLANTED, control.release_step),
        )
        for name in METRICS
    }
    levels = {name: _levels(control.scores, name, control.teacher_step) for name in METRICS}
    note = (
        "Positive control: damage planted on purpose. Left of the gap: the pull towards the class token, "
        "from the trunk's last step on. Right: after its release, on a wider axis; line = mean, band = "
        "lowest to highest fork seed, where there is more than one. Dotted: the frozen teacher."
    )
    return _panels(panels, levels, control.release_step, note)


def plot_losses(laboratory: Laboratory) -> Figure:
    """Every loss before its weight, against steps; each point a mean over equal runs of steps."""
    panels = {}
    for name, title in LOSSES.items():
        found = [
            _Line(c.run, c.seed, c.steps, c.values[name])
            for c in laboratory.losses
            if name in c.values and np.isfinite(c.values[name]).any()
        ]
        if found:
            panels[name] = (title, "", False, found)
    note = (
        "Each point is a mean over equal numbers of steps, before the loss's weight; line = mean, band = "
        "lowest to highest fork seed. The anchors' losses exist in their arms only."
    )
    return _panels(panels, {}, laboratory.fork_step, note)


def colour_of(run: str) -> str:
    """The colour of a run's marks."""
    return ARM_COLOURS.get(run.removeprefix(AFTER_DAMAGE), CONTROL_COLOUR)


def _panels(
    panels: Mapping[str, tuple[str, str, bool, list[_Line]]],
    levels: Mapping[str, Mapping[str, float]],
    fork: int | None,
    note: str,
) -> Figure:
    panels = {name: panel for name, panel in panels.items() if panel[3]}
    rows = -(-len(panels) // _COLUMNS)
    said = lines(note, _WIDTH - 2 * _MARGIN, _SIZE)
    top = 0.14 + len(said) * _SIZE * 1.4 / 72
    canvas = Canvas(_WIDTH, top + rows * (_ABOVE + _HEIGHT + _BELOW))
    canvas.paragraph(_MARGIN, 0.16, note, width=_WIDTH - 2 * _MARGIN, size=_SIZE)
    width = (_WIDTH - 2 * _MARGIN - _GUTTER) / _COLUMNS - _LABELS
    for i, (name, (title, unit, rests, found)) in enumerate(panels.items()):
        row, column = divmod(i, _COLUMNS)
        x = _MARGIN + column * (width + _LABELS + _GUTTER)
        y = top + row * (_ABOVE + _HEIGHT + _BELOW) + _ABOVE
        canvas.words(
            x, y - 0.1, f"{'• ' if rests else ''}{title}{', %' if unit else ''}", size=7.5, weight="bold"
        )
        _panel(canvas, (x, y, width, _HEIGHT), found, levels.get(name, {}), fork, 100.0 if unit else 1.0)
    return canvas.figure


def _panel(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    found: Sequence[_Line],
    levels: Mapping[str, float],
    fork: int | None,
    scale: float,
) -> None:
    x, y, width, height = box
    trunk = [line for line in found if line.run in (TRUNK, PLANTED)]
    arms = [line for line in found if line.run not in (TRUNK, PLANTED)]
    parts: list[tuple[Axes, Sequence[_Line]]] = []
    if trunk and arms and fork is not None:
        left = _TRUNK_SHARE * (width - _GAP)
        parts = [
            (canvas.axes(x, y, left, height), trunk),
            (canvas.axes(x + left + _GAP, y, width - left - _GAP, height), arms),
        ]
    else:
        parts = [(canvas.axes(x, y, width, height), trunk or arms)]
    low, high = _limits([scale * line.values for line in found], [scale * v for v in levels.values()])
    ends: list[tuple[float, str, str]] = []
    for number, (axes, shown) in enumerate(parts):
        _frame(axes, low, high, first=number == 0)
        for run in dict.fromkeys(line.run for line in shown):
            end = _band(axes, [line for line in shown if line.run == run], scale)
            if end is not None and (number == len(parts) - 1):
                ends.append((end, run, colour_of(run)))
        stops = [float(line.steps[-1]) for line in shown]
        # A trunk begins at 0, whatever was measured first.
        begins = [float(line.steps[0]) if line.run == PLANTED else 0.0 for line in shown]
        first = float(fork) if fork is not None and shown is arms else min(begins, default=0.0)
        end = max([*stops, first + 1])
        axes.set_xlim(first, end)
        axes.set_xticks([first, end] if number == len(parts) - 1 and number else [first, (first + end) / 2])
        if len(parts) == 1:
            axes.set_xticks([first, (first + end) / 2, end])
        for what, value in levels.items():
            axes.axhline(
                scale * value,
                color=CONTROL_COLOUR,
                linewidth=0.8,
                linestyle=(0, (4, 2)) if what == RANDOM else (0, (1, 1.5)),
                zorder=1,
            )
    if arms:
        _name_ends(canvas, box, ends, low, high)


def _band(axes: Axes, of_run: Sequence[_Line], scale: float) -> float | None:
    """Mean and range over the seeds at the steps that all have; returns the mean's last value."""
    common = sorted(set.intersection(*({float(s) for s in line.steps} for line in of_run)))
    if not common:
        return None
    by_seed = np.array(
        [[scale * line.values[np.flatnonzero(line.steps == s)[0]] for s in common] for line in of_run]
    )
    mean = by_seed.mean(axis=0)
    colour = colour_of(of_run[0].run)
    marker = "o" if len(common) < 40 else ""
    axes.plot(
        common, mean, color=colour, linewidth=1.2, marker=marker, markersize=2.2, zorder=3, clip_on=False
    )
    if len(of_run) > 1:
        axes.fill_between(
            common, by_seed.min(axis=0), by_seed.max(axis=0), color=colour, alpha=0.2, linewidth=0, zorder=2
        )
    known = mean[np.isfinite(mean)]
    return float(known[-1]) if len(known) else None


def _name_ends(
    canvas: Canvas,
    box: tuple[float, float, float, float],
    ends: Sequence[tuple[float, str, str]],
    low: float,
    high: float,
) -> None:
    """Names beside the ends of the lines, moved apart where they would touch."""
    x, y, width, height = box
    wanted = sorted(
        (y + height * (1 - (value - low) / (high - low)), run, colour) for value, run, colour in ends
    )
    pitch = _SIZE * 1.25 / 72
    places: list[float] = []
    for place, _, _ in wanted:
        places.append(max(place, places[-1] + pitch) if places else place)
    over = places[-1] - (y + height) if places else 0.0
    if over > 0:
        places = [p - over for p in places]
    for place, (_, run, colour) in zip(places, wanted, strict=True):
        shown = run.removeprefix(AFTER_DAMAGE)
        canvas.words(x + width + 0.06, place + 0.03, shown, size=_SIZE, colour=colour, longest=_LABELS - 0.06)


def _frame(axes: Axes, low: float, high: float, *, first: bool) -> None:
    axes.set_ylim(low, high)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "bottom" or (side == "left" and first))
        spine.set_color(LINE)
        spine.set_linewidth(0.8)
    axes.tick_params(length=2, pad=2, color=LINE, labelcolor=QUIET)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    if not first:
        axes.tick_params(left=False, labelleft=False)
    axes.tick_params(labelfontfamily=FACE, labelsize=_SIZE)
    axes.grid(axis="y", color=LINE, linewidth=0.4)
    axes.set_axisbelow(True)


def _limits(values: Sequence[Float[np.ndarray, " _"]], levels: Sequence[float]) -> tuple[float, float]:
    known = np.concatenate([np.ravel(v) for v in [*values, np.array(levels)]]) if values else np.zeros(1)
    known = known[np.isfinite(known)]
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    room = 0.08 * (high - low) or 0.05 * abs(high) or 0.5
    return low - room, high + room


def _score_lines(scores: Sequence[Score], metric: str, base: str, fork: int | None) -> list[_Line]:
    """Lines by run and seed; those of arms begin at the fork, with the value of the base's network there."""
    found: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for score in scores:
        value = score.values.get(metric, float("nan"))
        if score.run != RANDOM and np.isfinite(value):
            found.setdefault((score.run, score.seed), []).append((score.step, value))
    of_base = [point for (run, _), points in found.items() if run == base for point in points]
    common = next((value for step, value in of_base if step == fork), None)
    for (run, _), points in found.items():
        if run != base and fork is not None and common is not None:
            points.append((fork, common))  # until here the arms are one network
    return [
        _Line(
            run,
            seed,
            np.array([step for step, _ in sorted(points)], dtype=np.float64),
            np.array([value for _, value in sorted(points)], dtype=np.float64),
        )
        for (run, seed), points in found.items()
    ]


def _levels(scores: Sequence[Score], metric: str, teacher_step: int | None) -> dict[str, float]:
    """Horizontal lines: random weights, and the frozen teacher."""
    found: dict[str, float] = {}
    for score in scores:
        value = score.values.get(metric, float("nan"))
        if not np.isfinite(value):
            continue
        if score.run == RANDOM:
            found[RANDOM] = value
        elif score.run == TRUNK and score.step == teacher_step:
            found["teacher"] = value
    return found

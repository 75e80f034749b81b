from __future__ import annotations

import dataclasses
import io
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.anchoring.findings import (
    AFTER_DAMAGE,
    METRICS,
    PLANTED,
    RANDOM,
    TRUNK,
    Conclusion,
    Control,
    Frame,
    Gate,
    GramPair,
    Laboratory,
    LossCurve,
    Score,
    Spent,
    Strip,
)
from dinoscope.anchoring.report.curves import colour_of, plot_control, plot_scores
from dinoscope.anchoring.report.maps import animation, film, plot_grams, plot_strip
from dinoscope.anchoring.report.numbers import laboratory_json
from dinoscope.anchoring.report.report import _page, _pictures, write_laboratory
from dinoscope.anchoring.report.words import NO_CONTROL, NOT_SHOWN
from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError

HOSTILE = "<script>alert(1)</script>.png"


def frame(run: str, step: int) -> Frame:
    random = np.random.default_rng(step)
    return Frame(run, 0, step, (random.random((4, 6, 3)),), (random.random((4, 6)),))


def scores() -> tuple[Score, ...]:
    def at(run: str, seed: int, step: int) -> Score:
        values = dict.fromkeys(METRICS, 0.1 + step / 1000 + 0.01 * seed)
        return Score(run, seed, step, values | {"gram_distance_teacher": math.nan if run == RANDOM else 0.1})

    trunk = [at(TRUNK, 0, step) for step in (100, 200, 300)]
    arms = [at(arm, seed, 400) for arm in ("continue", "gram-x2") for seed in (0, 1, 2)]
    return (at(RANDOM, 0, 0), *trunk, *arms)


def laboratory() -> Laboratory:
    gate = Gate(0, False, 200, 300, 0.4, 0.39, 0.3, 0.5)
    pixels = np.zeros((40, 60, 3), dtype=np.uint8)
    strip = Strip(
        (Photograph(HOSTILE, "0", (60, 40), pixels),),
        (0.5, 0.5),
        ((2, 3),),
        (frame(TRUNK, 100), frame(TRUNK, 300), frame("gram-x2", 400)),
        (0.5, 0.2, 0.1),
    )
    student = np.eye(6)
    return Laboratory(
        scores(),
        Conclusion((gate,), gate, (), (), ("No degradation was found & nothing <else>.", "More.")),
        (LossCurve(TRUNK, 0, np.array([10.0, 20.0]), {"ibot": np.array([2.0, 1.0])}),),
        strip,
        (GramPair("gram-x2", 0, 400, 100, student, np.ones((6, 6)), 0.8333),),
        (Spent(TRUNK, 300, 120.0), Spent("measurement", 0, 30.0)),
        100,
        300,
        {"trunk": {"seed": 0}},
        "cpu",
    )


def test_the_page_is_whole_says_the_conclusion_first_and_asks_nobody() -> None:
    page = _page(made := laboratory(), _pictures(made))
    assert page.index("No degradation was found &amp; nothing &lt;else&gt;.") < page.index('id="scores"')
    assert "<script" not in page
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'" in page
    assert all(source.startswith("data:image/") for source in re.findall(r'src="([^"]*)"', page))
    assert not re.search(r"https?://", page)
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))
    assert all(sentence.replace("'", "&#39;") in page for sentence in NOT_SHOWN)
    assert NO_CONTROL in page and 'id="control"' not in page
    assert "0.40" in page and "trunk (frozen teacher)" in page


def test_numbers_survive_as_json_and_undefined_ones_are_null(tmp_path: Path) -> None:
    content = json.loads(laboratory_json(laboratory()))
    random, first, *_ = content["scores"]
    assert random["run"] == RANDOM and random["values"]["gram_distance_teacher"] is None
    assert first["values"]["scene_knn_miou"] == scores()[1].values["scene_knn_miou"]
    assert content["gate"]["fires"] is False
    assert content["gate"]["fall_points"] == pytest.approx(1.0)
    assert content["spent"][0] == {"stage": "trunk", "steps": 300, "seconds": 120.0}


def test_everything_is_written_and_what_else_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "trunk").mkdir()
    (tmp_path / "figures").mkdir()
    for name in ("planted-scores.png", "chart of mine.png"):
        (tmp_path / "figures" / name).write_bytes(b"")
    report = write_laboratory(laboratory(), tmp_path)
    assert report == tmp_path / "report.html"
    assert {p.name for p in tmp_path.iterdir()} == {"trunk", "figures", "metrics.json", "report.html"}
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    drawn = {"scores.png", "losses.png", "strip.png", "strip.gif", "grams.png"}
    assert names == drawn | {"chart of mine.png"}
    with pytest.raises(InputError, match="cannot write"):
        write_laboratory(laboratory(), report)


def test_a_trunk_alone_has_a_report_too() -> None:
    bare = laboratory()
    alone = Laboratory(tuple(s for s in bare.scores if s.run in (TRUNK, RANDOM)), bare.conclusion)
    page = _page(alone, _pictures(alone))
    assert 'id="strip"' not in page and 'id="grams"' not in page
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))


def control() -> Control:
    def at(run: str, seed: int, step: int, value: float) -> Score:
        return Score(run, seed, step, dict.fromkeys(METRICS, value))

    before = [at(TRUNK, 0, 100, 0.1), at(TRUNK, 0, 300, 0.4), at(PLANTED, 0, 350, 0.2)]
    after = [at(f"{AFTER_DAMAGE}continue", seed, 400, 0.3 + 0.01 * seed) for seed in (0, 1, 2)]
    whole = laboratory().strip
    assert whole is not None
    strip = dataclasses.replace(whole, frames=(frame(PLANTED, 350), frame(f"{AFTER_DAMAGE}continue", 400)))
    return Control((*before, *after), 300, 350, 100, ("Planted & <released>.",), strip)


def test_a_positive_control_is_labelled_and_kept_apart(tmp_path: Path) -> None:
    controlled = dataclasses.replace(laboratory(), control=control())
    page = write_laboratory(controlled, tmp_path).read_text(encoding="utf-8")
    head, section = page.split('<section id="control"')
    assert "Positive control: damage planted on purpose" in section
    assert "Planted &amp; &lt;released&gt;." in section and "Planted &amp;" not in head
    assert NO_CONTROL not in page and 'href="#control"' in head
    content = json.loads(laboratory_json(controlled))
    assert content["positive_control"]["planted"] is True
    assert not any(AFTER_DAMAGE in s["run"] or s["run"] == PLANTED for s in content["scores"])
    drawn = {p.name for p in (tmp_path / "figures").iterdir()}
    assert {"planted-scores.png", "planted-strip.png"} <= drawn


def test_planted_damage_is_drawn_from_the_trunks_last_step_on() -> None:
    figure = plot_control(control())
    pull, after = figure.axes[:2]
    assert pull.get_xlim() == (300.0, 350.0) and after.get_xlim() == (350.0, 400.0)
    (line,) = [line for line in pull.lines if line.get_marker() == "o"]
    assert [float(v) for v in line.get_ydata()] == pytest.approx([40.0, 20.0])  # type: ignore[union-attr]
    (line,) = [line for line in after.lines if line.get_marker() == "o"]
    assert [float(v) for v in line.get_ydata()] == pytest.approx([20.0, 31.0])  # type: ignore[union-attr]


def test_bands_reach_from_the_lowest_to_the_highest_seed() -> None:
    figure = plot_scores(laboratory())
    arms = figure.axes[1]  # beside the first metric's trunk
    bands = [c.get_paths()[0].get_extents() for c in arms.collections]
    assert len(bands) == 2
    # At the fork all arms are the trunk's 40 %; at step 400 seeds lie at 50, 51 and 52 %.
    assert [(b.y0, b.y1) for b in bands] == [pytest.approx((40.0, 52.0))] * 2
    ends = [
        line.get_ydata() for line in arms.lines if len(line.get_xdata()) == 2 and line.get_marker() == "o"
    ]
    assert [tuple(float(v) for v in y) for y in ends] == [pytest.approx((40.0, 51.0))] * 2
    colours = {
        colour_of(run) for run in (TRUNK, "continue", "gram-x1", "gram-x2", "local-half", "feature-mse")
    }
    assert len(colours) == 6


def test_the_strip_shows_every_frame_and_the_animation_the_trunks() -> None:
    strip = laboratory().strip
    assert strip is not None
    figure = plot_strip(strip)
    assert len(figure.axes) == 1 + 2 * 3 + 1  # photograph, two maps for each network, the legend
    moving = Image.open(io.BytesIO(animation(strip)))
    assert moving.n_frames == 2  # type: ignore[attr-defined]
    assert (
        animation(Strip(strip.photographs, strip.at, strip.patches, strip.frames[:1], strip.explained)) == b""
    )


def test_frames_can_be_stepped_through_without_a_script() -> None:
    strip = laboratory().strip
    assert strip is not None
    labels, pictures = zip(*film(strip), strict=True)
    assert labels == ("trunk, step 100", "trunk, step 300", "gram-x2, seed 0, step 400")
    assert len({Image.open(io.BytesIO(p)).size for p in pictures}) == 1
    page = _page(made := laboratory(), _pictures(made))
    assert page.count('type="radio"') == 3 and page.count(" checked>") == 1
    assert "input:checked+label+img" in page


def test_gram_matrices_are_drawn_on_fixed_scales() -> None:
    figure = plot_grams(laboratory())
    student, teacher, difference = (axes.images[0] for axes in figure.axes[:3])
    assert student.get_clim() == teacher.get_clim() == (-1.0, 1.0)
    assert difference.get_clim() == (-0.5, 0.5)
    assert np.array_equal(np.asarray(difference.get_array()), np.eye(6) - 1)
    shown = " ".join(t.get_text() for t in figure.texts)
    assert "Gram distance 0.833" in shown

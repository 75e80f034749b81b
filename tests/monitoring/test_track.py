from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.errors import InputError
from dinoscope.monitoring.check import Check
from dinoscope.monitoring.figures import plot_checks, plot_strip
from dinoscope.monitoring.page import watch_html
from dinoscope.monitoring.run_files import RunFiles
from dinoscope.monitoring.track import is_checkpoint, step_of, summary
from dinoscope.scenes.generate import scenes
from tests.command_line import run
from tests.training.small_models import dinov3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints as folders of transformers, and photographs."""
    folder = tmp_path_factory.mktemp("series")
    for seed, step in ((1, 100), (2, 200), (3, 300)):
        dinov3(seed, dim=64).save_pretrained(folder / f"step-{step:06d}")
    for i, scene in enumerate(scenes(5, 3, size=(48, 40))):
        (folder / "photos").mkdir(exist_ok=True)
        Image.fromarray(scene.first.image.copy()).save(folder / "photos" / f"{i}.png")
    return folder


def test_a_series_is_looked_at_in_order_and_goes_on(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, out = place / "photos", tmp_path / "run"
    steps = [place / f"step-{step:06d}" for step in (200, 100)]
    assert run("track", *steps, photos, "--out", out, "--grid", 8) == 0
    told = capsys.readouterr()
    assert "dense quality is highest at step" in told.out and "rank of class tokens is highest" in told.out
    assert told.err.count("done") == 2
    page = (out / "watch.html").read_text()
    assert "Step 200" in page and "<script" not in page and 'http-equiv="refresh"' not in page
    assert run("track", *steps, place / "step-000300", photos, "--out", out, "--grid", 8) == 0
    assert capsys.readouterr().err.count("done") == 1  # the other two were there
    checks = RunFiles(out).checks()
    assert [c.step for c in checks] == [100, 200, 300]
    found = list(ds.extract(sorted(photos.iterdir()), ds.load_backbone(weights=steps[1]), grid=8))
    want = float(np.mean([ds.smoothness(f).locality for f in found]))
    assert checks[0].values["locality"] == pytest.approx(want, abs=1e-6)
    assert run("watch", out, "--out", tmp_path / "page.html") == 0
    assert "Step 300" in (tmp_path / "page.html").read_text()
    live = watch_html(checks, {}, title="a <run>", reload_s=5)
    assert 'content="5"' in live and "a &lt;run&gt;" in live
    assert summary(checks).startswith("dense quality is highest")


def test_the_strip_has_one_basis_for_all_steps(place: Path, tmp_path: Path) -> None:
    """The same features at two steps have the same colours, whatever stands between them."""
    maps = {
        step: list(ds.extract(sorted((place / "photos").iterdir())[:2], model, grid=8))
        for step, model in ((0, "mini"), (10, "mini-gram"), (20, "mini"))
    }
    panels = [a.get_images()[0].get_array() for a in plot_strip(maps).axes]
    assert len(panels) == 6
    np.testing.assert_array_equal(panels[0], panels[4])
    assert not np.allclose(panels[0], panels[2])


def test_all_panels_show_the_same_whole_steps() -> None:
    checks = [
        Check(step, {"neighbour": 0.9} | ({"gram_distance": 0.1} if step == 200 else {}), (0.5,), (3.0,))
        for step in (100, 200)
    ]
    figure = plot_checks(checks)
    assert len(figure.axes) >= 3
    assert {axes.get_xlim() for axes in figure.axes} == {(95.0, 205.0)}
    assert all(float(tick).is_integer() for axes in figure.axes for tick in axes.get_xticks())
    alone = plot_checks(checks[1:]).axes[0]
    assert [tick for tick in alone.get_xticks() if 199 <= tick <= 201] == [199, 200, 201]
    assert 'class="steps"' in watch_html(checks, {}, title="run")


def test_what_cannot_be_tracked(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, out = place / "photos", tmp_path / "run"
    first, second = place / "step-000100", place / "step-000200"
    for words, said in [
        ((first, first, photos, "--out", out), "both of step 100"),
        ((photos, "--out", out), "no checkpoint to look at"),
        ((first, "--out", out), "no photographs"),
    ]:
        assert run("track", *words) == 2
        assert said in capsys.readouterr().err
    assert run("track", second, photos, "--out", out, "--grid", 8) == 0
    assert run("track", first, second, photos, "--out", out, "--grid", 8) == 2
    assert "lies before step 200" in capsys.readouterr().err
    assert run("watch", tmp_path / "none") == 2
    with pytest.raises(InputError, match="no step in its name"):
        step_of("runs/last/model.pth")


def test_steps_and_checkpoints_are_read_off_names(place: Path) -> None:
    assert step_of("vit-b16/epoch=3-step=450.pth") == 450
    assert step_of("step-000200/model.safetensors") == 200
    assert step_of(place / "step-000100") == 100
    assert is_checkpoint(place / "step-000100") and is_checkpoint(Path("x.pth"))
    assert not is_checkpoint(place / "photos") and not is_checkpoint(Path("a.jpg"))

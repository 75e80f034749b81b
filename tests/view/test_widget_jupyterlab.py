"""The widget inside a real JupyterLab: a kernel makes it, a browser shows it."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import numpy as np
import pytest

from dinoscope.data.results import Comparison
from dinoscope.drawing.view.payload import comparison_payload
from tests.chromium import PATIENT_MS
from tests.view.view_samples import comparison, noise_features, photographs

ROOT = Path(__file__).resolve().parents[2]
CELL = """\
import dinoscope
from tests.view.test_widget_jupyterlab import two_by_two
dinoscope.widget(two_by_two())
"""
QUIET: dict[str, dict[str, object]] = {"LabApp": {"news_url": None, "extension_manager": "readonly"}}
QUIET["LabApp"]["check_for_updates_class"] = "jupyterlab.NeverCheckForUpdate"
QUIET["LabApp"]["expose_app_in_browser"] = True
LOOPBACK = "127.0.0.1"
LIMIT_S = PATIENT_MS / 1000  # a server's first page has taken more than a minute on a busy machine
YELLOW = np.array([253, 231, 37])  # where viridis ends: a cosine of 1

# A kernel is there before the cell is run: a menu's command given earlier is dropped without a word.
RUN = """async () => {
  const { commands, restored, shell } = window.jupyterapp;
  await restored;
  const { context, sessionContext } = shell.currentWidget;
  await Promise.all([context.ready, sessionContext.ready]);
  await commands.execute("notebook:run-all-cells");
}"""
FAILED = "[data-mime-type='application/vnd.jupyter.stderr'], [data-mime-type='application/vnd.jupyter.error']"

pytestmark = pytest.mark.browser


def two_by_two() -> Comparison:
    """Two photographs, two models with different grids; the kernel and the test each make their own."""
    first = noise_features(2, (9, 12), 40, seed=11)
    second = noise_features(2, (8, 10), 32, seed=12, mean=1.0)
    return comparison(photographs(2), [first, second], ["first", "second"])


@dataclass(frozen=True)
class Lab:
    """A JupyterLab at work."""

    url: str
    token: str
    log: Path


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A JupyterLab with one notebook and one kernel, this Python, that sees no settings of the user."""
    if importlib.util.find_spec("jupyterlab") is None or importlib.util.find_spec("ipykernel") is None:
        pytest.skip("JupyterLab not found: pip install jupyterlab ipykernel")
    folders = {
        name: tmp_path / name.lower()
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    }
    for folder in folders.values():
        folder.mkdir()
    kernel = folders["JUPYTER_DATA_DIR"] / "kernels" / "ours"
    kernel.mkdir(parents=True)
    write_json(kernel / "kernel.json", kernel_spec())
    write_json(folders["JUPYTER_CONFIG_DIR"] / "jupyter_lab_config.json", QUIET)
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    write_json(notebooks / "view.ipynb", notebook())

    token = secrets.token_hex(16)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("JUPYTER")}
    log = tmp_path / "jupyterlab.log"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [f"--ServerApp.ip={LOOPBACK}", "--ServerApp.port=0", f"--ServerApp.root_dir={notebooks}"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}"],
            env=inherited | {name: str(folder) for name, folder in folders.items()},
            cwd=notebooks,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        info = folders["JUPYTER_RUNTIME_DIR"] / f"jpserver-{server.pid}.json"
        yield Lab(address(info, server, log), token, log)
    finally:
        end(server)


def kernel_spec() -> dict[str, Any]:
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    return {
        "argv": argv,
        "display_name": "ours",
        "language": "python",
        "env": {"PYTHONPATH": str(ROOT)},
    }


def notebook() -> dict[str, Any]:
    cell = {"cell_type": "code", "execution_count": None, "id": "one", "metadata": {}, "outputs": []}
    return {
        "cells": [cell | {"source": CELL}],
        "metadata": {"kernelspec": {"display_name": "ours", "language": "python", "name": "ours"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value), encoding="utf-8")


def address(info: Path, server: subprocess.Popen[bytes], log: Path) -> str:
    """Where the server answers: it writes and logs its address before it listens there."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            url = str(json.loads(info.read_text(encoding="utf-8"))["url"])
            with urlopen(f"{url}api", timeout=LIMIT_S):
                return url
        except (FileNotFoundError, json.JSONDecodeError, URLError):
            time.sleep(0.05)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server and what it started; a kernel has a process group of its own, so by their names."""
    import psutil  # comes with ipykernel

    try:
        family = psutil.Process(server.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    server.terminate()  # the server then shuts its kernels down
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
    _, alive = psutil.wait_procs(family, timeout=5)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)


@dataclass
class Visit:
    """A browser in a JupyterLab, everything that its pages and workers asked for, and their complaints."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def outside(self) -> list[str]:
        """Requests that left this machine, or tried to."""
        return [url for url in self.requests if is_outside(url)]

    def ask(self, script: str, argument: object = None) -> Any:
        """The value of an expression about ``view``, once that is ready."""
        return self.page.evaluate(
            "async (argument) => { const view = document.querySelector('.jp-OutputArea dinoscope-view');"
            f" await view.ready; await view.session.engines.settled; return ({script}); }}",
            argument,
        )


def is_outside(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme not in ("data", "blob") and parts.hostname != LOOPBACK


@pytest.fixture
def visit(browser: Any) -> Iterator[Visit]:
    context = browser.new_context(viewport={"width": 1400, "height": 1200})
    context.route(is_outside, lambda route: route.abort())
    visit = Visit(context.new_page())
    context.on("request", lambda request: visit.requests.append(request.url))
    visit.page.on("websocket", lambda socket: visit.requests.append(socket.url))
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    yield visit
    context.close()


def run_the_cell(visit: Visit, lab: Lab) -> None:
    """Opens the notebook, runs it and waits for the view in its output."""
    from playwright.sync_api import Error as BrowserError

    page = visit.page
    page.set_default_timeout(PATIENT_MS)
    try:
        page.goto(f"{lab.url}lab/tree/view.ipynb?token={lab.token}")
        page.wait_for_function("() => window.jupyterapp?.shell.currentWidget?.sessionContext")
        page.evaluate(RUN)
        page.locator(f".jp-OutputArea :is(dinoscope-view, {FAILED})").first.wait_for(state="attached")
        assert page.locator(f".jp-OutputArea {FAILED}").count() == 0
    except (AssertionError, BrowserError) as error:
        try:
            shown = page.locator(".jp-OutputArea").all_inner_texts()
        except BrowserError as unread:  # the page is still on its way
            shown = [str(unread)]
        raise AssertionError(f"{error}\n{shown}\n{lab.log.read_text(errors='replace')[-3000:]}") from error


def cosines(made: Comparison, image: int, model: int, patch: tuple[int, int], target: int) -> np.ndarray:
    """Float64, from the original features."""
    query = made.features[image][model].values[patch].astype(np.float64)
    other = made.features[target][model].values.astype(np.float64)
    return (other @ query) / (np.linalg.norm(other, axis=2) * np.linalg.norm(query))


def pixels(visit: Visit, image: int, model: int) -> np.ndarray:
    """One map as it is painted, a pixel for each patch."""
    painted = visit.ask(
        "((canvas) => ({h: canvas.height, rgba: [...canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data]}))"
        "(view.shadowRoot.querySelector(`.stage.map[data-image='${argument[0]}']"
        "[data-model='${argument[1]}'] canvas`))",
        [image, model],
    )
    return np.array(painted["rgba"]).reshape(painted["h"], -1, 4)[..., :3]


def hover(visit: Visit, image: int, x: float, y: float) -> dict[str, Any]:
    """Moves the pointer over a photograph; the place that the view then follows."""
    stage = visit.page.locator(f"dinoscope-view .stage.photo[data-image='{image}']").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    visit.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    return dict(visit.ask("view.session.state.at"))


def test_a_notebook_cell_shows_the_comparison(lab: Lab, visit: Visit) -> None:
    run_the_cell(visit, lab)
    made = two_by_two()
    check_similarity(visit, made)
    check_hovering(visit, made)
    assert visit.complaints == []
    check_requests(visit)


def check_similarity(visit: Visit, made: Comparison) -> None:
    """What the element answers is what Python computes."""
    header = json.loads(comparison_payload(made).header)
    largest = 0.0
    for image, model, x, y, target in ((0, 0, 0.1, 0.9, 0), (1, 0, 0.6, 0.3, 0), (0, 1, 0.77, 0.5, 1)):
        shown = visit.ask(
            "((values) => ({h: values.h, w: values.w, values: [...values]}))"
            "(await view.similarity(...argument))",
            [image, model, {"x": x, "y": y}, target],
        )
        grid = made.features[image][model].grid
        wanted = cosines(made, image, model, grid.patch_at(x, y), target)
        assert (shown["h"], shown["w"]) == wanted.shape
        error = np.abs(np.reshape(shown["values"], wanted.shape) - wanted).max()
        assert error <= header["models"][model]["tokens"]["largest_error"] <= 0.01
        largest = max(largest, error)
    assert largest > 1e-6  # tokens are coded: exactness here would mean that nothing was compared


def check_hovering(visit: Visit, made: Comparison) -> None:
    """The pointer turns the patch under it, and what is like it, yellow."""
    visit.ask("view.session.set({ mode: 'cosine' })")
    for image, x, y in ((1, 0.31, 0.77), (0, 0.9, 0.12)):
        patches = [features.grid.patch_at(x, y) for features in made.features[image]]
        assert not any((pixels(visit, image, m)[patch] == YELLOW).all() for m, patch in enumerate(patches))
        at = hover(visit, image, x, y)
        assert (at["image"], at["x"], at["y"]) == (
            image,
            pytest.approx(x, abs=0.01),
            pytest.approx(y, abs=0.01),
        )
        for m, patch in enumerate(patches):
            yellow = np.abs(pixels(visit, image, m) - YELLOW).max(axis=-1) <= 4
            assert yellow[patch]
            assert (cosines(made, image, m, patch, image)[yellow] > 0.95).all()


def check_requests(visit: Visit) -> None:
    """Nothing was asked for outside this machine, by a log that sees what is asked for."""
    assert visit.outside() == []
    assert any("/lab/extensions/anywidget/" in url for url in visit.requests)
    assert any(url.startswith("ws:") and "/channels" in url for url in visit.requests)
    assert not any("/lab/api/news" in url or "/lab/api/update" in url for url in visit.requests)
    visit.page.evaluate("fetch('https://cdn.invalid/widget.js').catch(() => null)")
    assert visit.outside() == ["https://cdn.invalid/widget.js"]

"""What every test stands on: shapes checked at run time, the same numbers every time, no hub, no screen."""

from __future__ import annotations

import os
import random
import signal
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from jaxtyping import config, install_import_hook

from tests.chromium import FLAGS, NOT_FOUND, browser_path

os.environ["MPLBACKEND"] = "Agg"
os.environ["HF_HUB_OFFLINE"] = "1"  # before the hub is imported; tests with a stand-in hub lift it
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
# Tests that a shell started in the background ignore Ctrl-C, and so would all that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Before torch and numpy's libraries start their threads: together the workers use the cores once.
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // _workers)))

# As for mypy, an int will do where a float is asked for.
install_import_hook("dinoscope", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))")

# The same examples on every machine; a busy one may be slow without failing.
hypothesis.settings.register_profile("dinoscope", derandomize=True, deadline=None)
hypothesis.settings.load_profile("dinoscope")


def pytest_addoption(parser: pytest.Parser) -> None:
    """What `python3 dev.py test --hostile` runs."""
    parser.addoption("--hostile", action="store_true", help="run the long part of tests/hostile, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long part of the hostile tests is not part of the ordinary ones."""
    if not config.getoption("--hostile"):
        long = [item for item in items if item.get_closest_marker("long")]
        items[:] = [item for item in items if not item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not run, and why."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section(f"{len(skipped)} NOT RUN", sep="!")
        for report in skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            terminalreporter.line(f"{report.nodeid}: {reason}")
    if terminalreporter.config.getoption("--hostile"):
        passed, *bad = (len(terminalreporter.stats.get(how, [])) for how in ("passed", "failed", "error"))
        terminalreporter.line(f"hostile inputs and faults: tried {passed + sum(bad)}, failed {sum(bad)}")


@pytest.fixture(autouse=True)
def own_hub_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees weights that happen to lie on this machine."""
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.getbasetemp() / "hf-home"))


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """A test that draws from a global generator draws the same in any order, on any worker."""
    import numpy as np  # here, and not above: its threads are counted when it is first imported

    random.seed(0)
    np.random.seed(0)
    if torch := sys.modules.get("torch"):  # not imported yet: it starts from its own fixed seed
        torch.manual_seed(0)


@pytest.fixture
def unchecked_shapes() -> Iterator[None]:
    """Annotations are not checked, as for everybody outside the tests: what is checked by hand must hold."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """One for all tests: two of them in one process stand in each other's way."""
    path = browser_path()
    if path is None:
        pytest.skip(NOT_FOUND)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()

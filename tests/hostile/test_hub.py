"""A hub that refuses, stalls, breaks off or crawls: our own error in a while, and nothing half cached."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dinoscope.backbones import hub, pace
from dinoscope.backbones.catalog import HubSource
from dinoscope.errors import WeightsError
from tests.backbones.stand_in_hub import StandInHub, closed_port, point_at

FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 500}
SOURCE = HubSource("timm/open-one")


@pytest.fixture(autouse=True)
def own_session(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from huggingface_hub import constants, utils

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)
    yield
    utils.close_session()


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 502, 503, 504])
def test_refusals(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int) -> None:
    with StandInHub({SOURCE.repo: FILES}, status=status) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError) as caught:
            hub.locate("model", (SOURCE,), ("do this",))
    assert SOURCE.repo in str(caught.value) and "do this" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "file"),
    [
        *((fault, file) for fault in ("close", "empty", "stall") for file in sorted(FILES)),
        ("drip", "model.safetensors"),
    ],
)
def test_bodies_that_never_come_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: str, file: str
) -> None:
    monkeypatch.setattr(pace, "WINDOW_S", 0.5)
    with StandInHub({SOURCE.repo: FILES}, faults={file: fault}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match=f"downloading {file} from {SOURCE.repo} failed"):
            hub.locate("model", (SOURCE,), ("do this",))
    assert hub.cached(SOURCE.repo) is None


def test_a_whole_one_is_as_ever_and_no_watch_is_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub.utils import get_session

    with StandInHub({SOURCE.repo: FILES}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        before = get_session().event_hooks
        found = hub.locate("model", (SOURCE,), ())
        assert get_session().event_hooks == before
    assert (found.folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_the_address_of_a_hub_tells_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    address = closed_port().replace("http://", "http://me:hunter2@")
    point_at(monkeypatch, address, tmp_path)
    with pytest.raises(WeightsError) as caught:
        hub.locate("model", (SOURCE,), ())
    assert "hunter2" not in str(caught.value) and "127.0.0.1" in str(caught.value)

"""Where weights come from: how many requests are made, and what is said when there are none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dinoscope.backbones import advice, catalog, hub
from dinoscope.backbones.catalog import HubSource
from dinoscope.errors import WeightsError
from tests.backbones.stand_in_hub import COMMIT, StandInHub, closed_port, point_at

FILES = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"never fetched"}
GATED = HubSource("facebook/gated-one", gated=True)
OPEN = HubSource("timm/open-one")
STEPS = ("do this", "or that")


@pytest.fixture(autouse=True)
def _own_session() -> Iterator[None]:
    yield
    from huggingface_hub import utils

    utils.close_session()


def test_a_download_fetches_only_what_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({OPEN.repo: FILES}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        snapshot = hub.locate("model", (OPEN,), STEPS)
        assert stand_in.downloaded == ["config.json", "model.safetensors"]
        assert stand_in.requests[0] == ("HEAD", f"/{OPEN.repo}/resolve/main/config.json"), (
            "the probe comes first"
        )
        assert len(stand_in.file_requests) == 5, "one probe, then HEAD and GET of two files"
    assert (snapshot.folder / "model.safetensors").read_bytes() == b"weights"
    assert snapshot.source == f"hub:{OPEN.repo}@{COMMIT}"


def test_what_is_cached_costs_no_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({OPEN.repo: FILES}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        first = hub.locate("model", (OPEN,), STEPS)
        before = len(stand_in.requests)
        assert hub.locate("model", (GATED, OPEN), STEPS) == first, (
            "a cached second source beats asking for the first"
        )
        assert len(stand_in.requests) == before
    point_at(monkeypatch, stand_in.url, tmp_path, offline=True)
    assert hub.locate("model", (OPEN,), STEPS) == first


def test_a_gated_source_costs_one_request_and_the_next_is_tried(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with StandInHub({GATED.repo: FILES, OPEN.repo: FILES}, gated={GATED.repo}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        assert hub.locate("model", (GATED, OPEN), STEPS).repo == OPEN.repo
        assert len([path for _, path in stand_in.requests if GATED.repo in path]) == 1


def test_a_token_opens_the_gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({GATED.repo: FILES}, gated={GATED.repo}, token="hf_secret") as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path, token="hf_secret")
        assert hub.locate("model", (GATED, OPEN), STEPS).repo == GATED.repo


def test_gated_and_missing_sources_are_all_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({GATED.repo: FILES}, gated={GATED.repo}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError) as caught:
            hub.locate("model", (GATED, OPEN), STEPS)
        assert len(stand_in.requests) == 2
    assert "gated" in caught.value.reason
    assert OPEN.repo in caught.value.reason
    assert caught.value.steps == STEPS


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_ailing_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int) -> None:
    with StandInHub(status=status) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match=str(status)):
            hub.locate("model", (GATED, OPEN), STEPS)
        assert len(stand_in.requests) == 1


def test_a_silent_hub_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(hub, "PROBE_TIMEOUT_S", 0.3)
    with StandInHub(hangs=True) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match="cannot be reached"):
            hub.locate("model", (GATED, OPEN), STEPS)
        assert len(stand_in.requests) == 1


@pytest.mark.parametrize("endpoint", ["closed", "http://no-such-host.invalid"])
def test_a_dead_network_is_one_attempt(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint: str
) -> None:
    from huggingface_hub.utils import get_session

    point_at(monkeypatch, closed_port() if endpoint == "closed" else endpoint, tmp_path)
    timeouts: list[object] = []
    head = get_session().head

    def counted(url: str, **options: object) -> object:
        timeouts.append(options["timeout"])
        return head(url, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(get_session(), "head", counted)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("nothing may be retried"))
    with pytest.raises(WeightsError, match="cannot be reached") as caught:
        hub.locate("model", (GATED, OPEN), STEPS)
    assert timeouts == [3.0], "one attempt, and no long one"
    assert caught.value.steps == STEPS


def test_offline_means_no_request(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({OPEN.repo: FILES}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path, offline=True)
        with pytest.raises(WeightsError, match="HF_HUB_OFFLINE") as caught:
            hub.locate("model", (OPEN,), STEPS)
        assert stand_in.requests == []
    assert caught.value.steps[0].startswith("unset HF_HUB_OFFLINE")


def _sharded(**files: bytes) -> dict[str, bytes]:
    weight_map = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    index = json.dumps({"weight_map": weight_map}).encode()
    return {"config.json": b"{}", "model.safetensors.index.json": index, **files}


def test_shards_are_fetched_and_all_of_them_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shards = {f"model-0000{i}-of-00002.safetensors": bytes([i]) for i in (1, 2)}
    with StandInHub({OPEN.repo: _sharded(**shards)}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        snapshot = hub.locate("model", (OPEN,), STEPS)
    assert hub.cached(OPEN.repo) == snapshot
    (snapshot.folder / "model-00002-of-00002.safetensors").unlink()
    assert hub.cached(OPEN.repo) is None, "an incomplete snapshot does not count"


def test_a_missing_shard_is_a_missing_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({OPEN.repo: _sharded(**{"model-00001-of-00002.safetensors": b"1"})}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match="lacks model-00002"):
            hub.locate("model", (OPEN,), STEPS)
    assert hub.cached(OPEN.repo) is None


def test_a_repository_without_safetensors_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub({OPEN.repo: {"config.json": b"{}", "pytorch_model.bin": b"pickle"}}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match="neither"):
            hub.locate("model", (OPEN,), STEPS)
        assert stand_in.downloaded == ["config.json"]


def test_an_extra_file_is_fetched_or_known_to_be_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with StandInHub({OPEN.repo: FILES}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        hub.locate("model", (OPEN,), STEPS)
        assert hub.cached(OPEN.repo, (hub.PREPROCESSOR,)) is None, "nobody has asked for it yet"
        hub.locate("model", (OPEN,), STEPS, extra_files=(hub.PREPROCESSOR,))
        assert hub.cached(OPEN.repo, (hub.PREPROCESSOR,)) is not None, "known to be absent"


def test_the_environment_decides_in_a_fresh_process(tmp_path: Path) -> None:
    code = (
        "from dinoscope.backbones import hub; from dinoscope.backbones.catalog import HubSource; "
        f"print(hub.locate('model', (HubSource({OPEN.repo!r}),), ()).folder)"
    )
    with StandInHub({OPEN.repo: FILES}, gated={OPEN.repo}, token="hf_x") as stand_in:
        fresh = {
            **os.environ,
            "HF_ENDPOINT": stand_in.url,
            "HF_HOME": str(tmp_path),
            "HF_TOKEN": "hf_x",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        for stale in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_OFFLINE"):
            fresh.pop(stale, None)
        done = subprocess.run(
            [sys.executable, "-c", code], env=fresh, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_steps_of_a_gated_model_in_order() -> None:
    steps = advice.steps_for(catalog.find("dinov3-vitb16"))
    assert "https://huggingface.co/facebook/dinov3-vitb16-pretrain-lvd1689m" in steps[0]
    assert "hf auth login" in steps[0]
    assert "https://huggingface.co/timm/vit_base_patch16_dinov3.lvd1689m" in steps[1]
    assert "DINOv3-License" in steps[1]
    assert "dinov3-vitb16=PATH/dinov3_vitb16_pretrain_lvd1689m-73cec8be.pth" in steps[2]
    assert "HF_HUB_OFFLINE" in steps[3]
    assert "HTTPS_PROXY" in steps[3]
    assert "pixels" in steps[4]


def test_steps_of_an_open_model_ask_for_no_licence() -> None:
    steps = advice.steps_for(catalog.find("dinov2-base"))
    assert not [step for step in steps if "accept" in step]
    assert any(
        "https://dl.fbaipublicfiles.com/dinov2/dinov2_vitb14/dinov2_vitb14_pretrain.pth" in s for s in steps
    )

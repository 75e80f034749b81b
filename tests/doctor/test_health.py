"""The examination: each finding turns bad when what it looks at is bad."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from dinoscope.backbones import bundled, catalog
from dinoscope.backbones.load import load_backbone
from dinoscope.doctor import health
from dinoscope.doctor import models as health_models
from dinoscope.doctor import numbers as health_numbers
from dinoscope.doctor.diagnosis import Finding, Health
from dinoscope.doctor.health import (
    examine,
    machine_findings,
    package_findings,
    python_findings,
    tool_findings,
)
from dinoscope.doctor.models import hub_findings
from dinoscope.pipeline import fast
from dinoscope.pipeline.certificate import check_arithmetic
from dinoscope.pipeline.run import Arithmetic, Run
from tests.backbones.stand_in_hub import StandInHub, closed_port, point_at


def named(findings: Any, name: str) -> Finding:
    (found,) = [finding for finding in findings if finding.name == name]
    return found


def test_a_fresh_installation_is_usable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point_at(monkeypatch, closed_port(), tmp_path, offline=True)
    found = examine()
    assert found.usable, [f for f in found.findings if f.state == "problem"]
    topics = list(dict.fromkeys(f.topic for f in found.findings))
    assert topics == [
        "python",
        "packages",
        "extras",
        "devices",
        "numbers",
        "models",
        "hub",
        "machine",
        "tools",
    ]
    assert all(f.advice for f in found.findings if f.state != "ok")
    assert not Health((*found.findings, Finding("x", "y", "problem", "z", "w"))).usable


def test_packages_are_held_against_what_is_required() -> None:
    required = [
        "torch>=2.10",
        "numpy>=2.0",
        "transformers<6,>=5.10",
        "typer",
        "uvicorn>=0.40; extra == 'view'",
    ]
    required += [
        "anywidget>=0.9; extra == 'widget'",
        "anywidget>=0.9; extra == 'all'",
        "old>=1; python_version < '3'",
    ]
    there = {"torch": "2.9.1", "numpy": "2.0", "typer": "1", "anywidget": "0.9.13"}
    found = {(f.topic, f.name): f for f in package_findings(required, there.get)}
    assert (
        found["packages", "torch"].state == "problem"
        and found["packages", "torch"].found == "2.9.1, not >=2.10"
    )
    assert found["packages", "torch"].advice == "pip install 'torch>=2.10'"
    assert found["packages", "transformers"].found == "missing"
    assert found["packages", "numpy"].state == found["packages", "typer"].state == "ok"
    assert found["extras", "[view]"].state == "note"
    assert found["extras", "[view]"].advice == "pip install 'dinoscope[view]'"
    assert found["extras", "[widget]"].state == "ok"
    assert ("extras", "[all]") not in found and ("packages", "old") not in found
    assert next(iter(package_findings([], there.get))).state == "note"


def test_a_local_build_of_torch_fits() -> None:
    (found,) = package_findings(["torch>=2.10"], lambda _: "2.13.0+cpu")
    assert found.state == "ok"


def test_python_is_held_against_the_stated_range(monkeypatch: pytest.MonkeyPatch) -> None:
    assert named(python_findings(), "version").state == "ok"
    monkeypatch.setattr(health.platform, "python_version", lambda: "3.9.1")
    old = named(python_findings(), "version")
    assert old.state == "problem" and "3.9.1" in old.found and old.advice


def test_disk_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage:
        free = 10**8

    monkeypatch.setattr(health.shutil, "disk_usage", lambda _: Usage)
    monkeypatch.setattr(health, "available_bytes", lambda: 10**9)
    assert {f.name: f.state for f in machine_findings()} == {
        "disk for weights": "problem",
        "disk for this folder": "problem",
        "memory": "note",
    }
    Usage.free = 10**9
    monkeypatch.setattr(health, "available_bytes", lambda: None)
    assert [f.state for f in machine_findings()] == ["note", "note", "unknown"]
    Usage.free = 10**10
    assert [f.state for f in machine_findings()] == ["ok", "ok", "unknown"]


def test_tools_that_are_missing_are_no_problem() -> None:
    bare = list(tool_findings({}, lambda _: None))
    assert {f.name for f in bare if f.state == "note"} >= {"browser", "C++ compiler", "node", "tsc"}
    assert all(f.state != "problem" for f in bare)
    full = list(tool_findings({"BROWSER_PATH": "/x/mine", "CXX": "mycc"}, lambda name: f"at {name}"))
    assert named(full, "browser").found == "at /x/mine"
    assert named(full, "C++ compiler").found == "at mycc"


def test_the_hub_is_not_asked_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub() as hub:
        point_at(monkeypatch, hub.url, tmp_path, offline=True)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        found = list(hub_findings())
        assert hub.requests == []
    assert (
        named(found, "offline").state == "note" and "unset HF_HUB_OFFLINE" in named(found, "offline").advice
    )
    assert named(found, "bundled").found == "mini, mini-gram (toy models)"


def all_repos() -> dict[str, dict[str, bytes]]:
    return {s.repo: {"config.json": b"{}"} for entry in catalog.ENTRIES.values() for s in entry.sources}


def test_gates_are_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shut = {s.repo for s in catalog.ENTRIES["dinov3-vitb16"].sources}
    repos = all_repos()
    gone = {s.repo for s in catalog.ENTRIES["dinov2-giant"].sources}
    with StandInHub({r: files for r, files in repos.items() if r not in gone}, gated=shut) as hub:
        point_at(monkeypatch, hub.url, tmp_path)
        found = list(hub_findings())
        assert {method for method, _ in hub.file_requests} == {"HEAD"}
        assert len(hub.file_requests) == len(repos)
    assert named(found, "token").found.startswith("none")
    assert hub.url in named(found, "access").found
    closed = named(found, "closed to you")
    assert closed.state == "note" and set(closed.found.split(", ")) == {"dinov3-vitb16", "dinov2-giant"}
    names = {entry.name for entry in catalog.ENTRIES.values() if not entry.bundled}
    assert set(named(found, "open to you").found.split(", ")) == names - set(closed.found.split(", "))


def test_a_token_opens_the_gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub(all_repos(), gated=set(all_repos()), token="hf_open") as hub:
        point_at(monkeypatch, hub.url, tmp_path, token="hf_open")
        found = list(hub_findings())
    assert named(found, "token").found == "there is one"
    assert not [f for f in found if f.name == "closed to you"]


def test_a_gate_says_where_to_knock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    entry = catalog.ENTRIES["dinov3-vits16"]
    monkeypatch.setattr(catalog, "ENTRIES", {entry.name: entry})
    monkeypatch.setattr(health_models, "models", lambda: [r for r in MODELS if r.name == entry.name])
    with StandInHub(all_repos(), gated={s.repo for s in entry.sources}) as hub:
        point_at(monkeypatch, hub.url, tmp_path)
        closed = named(hub_findings(), "closed to you")
    assert entry.sources[0].page in closed.advice and "hf auth login" in closed.advice


MODELS = health_models.models()


def test_a_hub_that_is_not_there_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with StandInHub(status=503) as hub:
        point_at(monkeypatch, hub.url, tmp_path)
        found = list(hub_findings())
        assert len(hub.file_requests) == 1
    assert named(found, "access").state == "note" and "503" in named(found, "access").found
    point_at(monkeypatch, closed_port(), tmp_path)
    assert "cannot be reached" in named(hub_findings(), "access").found


def test_a_driver_that_is_too_old_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def old() -> bool:
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old", stacklevel=1)
        return False

    monkeypatch.setattr(torch.cuda, "is_available", old)
    assert "driver on your system is too old" in named(health_numbers.device_findings(), "cuda").found


def test_an_inexact_product_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health_numbers.matmul_finding("cpu").state == "ok"
    exact = torch.Tensor.__matmul__

    def rough(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        if left.dtype == torch.float64:
            return exact(left, right)
        return exact(left.bfloat16(), right.bfloat16()).float()

    monkeypatch.setattr(torch.Tensor, "__matmul__", rough)
    assert health_numbers.matmul_finding("cpu").state == "note"


def test_another_network_is_a_problem() -> None:
    mini = load_backbone("mini")
    assert health_numbers.model_finding(mini).state == "ok"

    def nudge(model: torch.nn.Module) -> None:
        for name, parameter in model.named_parameters():
            if name.endswith("q_proj.weight"):
                parameter.mul_(1.01)

    found = health_numbers.model_finding(mini.altered(nudge))  # type: ignore[attr-defined]
    assert found.state == "problem" and found.advice


def test_fast_paths_are_measured_on_photographs() -> None:
    mini = load_backbone("mini")
    photographs = health_numbers.demo_photographs()[:1]
    same = health_numbers.path_finding("same", mini, mini, photographs)
    assert same.state == "ok" and "1.000000 mean, 1.000000 worst" in same.found
    half = mini.to("cpu", torch.bfloat16)
    proof = check_arithmetic(mini, photographs, Arithmetic(torch.bfloat16), Run(health_numbers.GRID))
    found = health_numbers.path_finding("bfloat16", half, mini, photographs)
    assert found.found == proof.words and proof.mean < 1 - 1e-6
    assert found.state == ("ok" if proof.exact_enough else "note")

    def fail(*_: object) -> None:
        raise RuntimeError("no kernel\nfor this")

    without = mini.altered(lambda model: setattr(model, "forward", fail))  # type: ignore[attr-defined]
    broken = health_numbers.path_finding("broken", without, mini, photographs)
    assert broken.state == "note" and "no kernel" in broken.found and "for this" not in broken.found

    rough = health_numbers.path_finding("rough", _noisy(mini), mini, photographs)
    assert rough.state == "note" and "--allow-inexact" in rough.advice and "rough: cosine" in rough.found


def _noisy(mini: Any) -> Any:
    def nudge(model: torch.nn.Module) -> None:
        generator = torch.Generator().manual_seed(0)
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.add_(0.5 * parameter.std() * torch.randn(parameter.shape, generator=generator))

    return mini.altered(nudge)


def test_every_way_of_this_machine_has_a_certificate() -> None:
    found = {finding.name: finding for finding in health_numbers.number_findings()}
    ways = ["float32 on cpu", "bfloat16 on cpu", "bfloat16 autocast on cpu", "float16 on cpu"]
    for way in [*ways, "float16 autocast on cpu", "tiles"]:
        assert "cosine to float32 eager 0." in found[way].found or "1.000000 mean" in found[way].found, way
    assert "3 photographs" in found["float32 on cpu"].found
    assert found["float32 on cpu"].state == "ok"
    assert found["tiles"].state == "note" and "tiles of" in found["tiles"].found


def test_a_compiler_that_fails_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no C++ compiler here")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    fast._said.clear()
    mini = load_backbone("mini")
    photographs = health_numbers.demo_photographs()[:1]
    found = health_numbers.path_finding("compiled on cpu", fast.compiled_backbone(mini), mini, photographs)
    assert found.state == "note" and "no C++ compiler here" in found.found


def test_the_stored_features_are_those_of_an_independent_network() -> None:
    """The bundled model in NumPy and float64, straight from its file: neither torch nor transformers."""
    found = numpy_mini(health_numbers.pattern()[0].numpy().astype(np.float64))
    stored = np.array(health_numbers.REFERENCE)
    ours = np.array([found[row, col, : health_numbers.CHANNELS] for row, col in health_numbers.PLACES])
    assert np.abs(ours - stored).max() < 2e-6
    assert np.abs(stored).max() > 1  # of the order of 1, as MODEL_ERROR supposes


def numpy_mini(image: np.ndarray) -> np.ndarray:
    """DINOv3 ViT: 8 px patches, 128 channels, 4 heads, 4 registers; the last block after the final norm."""
    p = {k: v.astype(np.float64) for k, v in load_file(bundled.folder("mini") / "model.safetensors").items()}
    heads, side = 4, 8
    h, w = image.shape[1] // side, image.shape[2] // side
    cut = image.reshape(3, h, side, w, side).transpose(1, 3, 0, 2, 4).reshape(h * w, -1)
    weight = p["embeddings.patch_embeddings.weight"]
    x = cut @ weight.reshape(len(weight), -1).T + p["embeddings.patch_embeddings.bias"]
    x = np.vstack([p["embeddings.cls_token"][0], p["embeddings.register_tokens"][0], x])
    dim = x.shape[1] // heads
    y_x = np.stack(np.meshgrid((np.arange(h) + 0.5) / h, (np.arange(w) + 0.5) / w, indexing="ij"), -1) * 2 - 1
    periods = 100.0 ** (np.arange(dim // 4) * 4 / dim)
    angles = np.tile((2 * math.pi * y_x.reshape(-1, 2)[:, :, None] / periods).reshape(h * w, -1), 2)

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
        return centred / deviation * p[f"{name}.weight"] + p[f"{name}.bias"]

    def linear(values: np.ndarray, name: str) -> np.ndarray:
        return values @ p[f"{name}.weight"].T + p.get(f"{name}.bias", 0.0)

    def turned(values: np.ndarray) -> np.ndarray:
        prefix, rest = values[:5], values[5:]
        half = np.hstack([-rest[:, dim // 2 :], rest[:, : dim // 2]])
        return np.vstack([prefix, rest * np.cos(angles) + half * np.sin(angles)])

    erf = np.vectorize(math.erf)
    for i in range(6):
        block = next(f"{root}layer.{i}" for root in ("", "model.") if f"{root}layer.{i}.norm1.weight" in p)
        y = norm(x, f"{block}.norm1")
        q, k, v = (linear(y, f"{block}.attention.{name}_proj").reshape(-1, heads, dim) for name in "qkv")
        mixed = []
        for head in range(heads):
            scores = turned(q[:, head]) @ turned(k[:, head]).T / math.sqrt(dim)
            scores = np.exp(scores - scores.max(1, keepdims=True))
            mixed.append(scores / scores.sum(1, keepdims=True) @ v[:, head])
        x = x + linear(np.hstack(mixed), f"{block}.attention.o_proj") * p[f"{block}.layer_scale1.lambda1"]
        hidden = linear(norm(x, f"{block}.norm2"), f"{block}.mlp.up_proj")
        hidden = hidden * (1 + erf(hidden / math.sqrt(2))) / 2
        x = x + linear(hidden, f"{block}.mlp.down_proj") * p[f"{block}.layer_scale2.lambda1"]
    return norm(x, "norm")[5:].reshape(h, w, -1)

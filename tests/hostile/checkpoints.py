"""Files and folders, made by code, that somebody may give as a model and that are none, by kind."""

from __future__ import annotations

import functools
import json
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from dinoscope.backbones.checkpoints.checkpoint import recognise
from tests.backbones.tiny_families import tiny

PARITY = Path(__file__).parent.parent / "data" / "parity"
COLOURS = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}

Make = Callable[[Path], Path | str]
"""Writes into a folder and gives what is to be typed."""


@functools.cache
def network() -> dict[str, torch.Tensor]:
    """A whole DINOv3 of 2 blocks."""
    return dict(torch.load(PARITY / "dinov3.pth", weights_only=True))


def cases() -> Iterator[tuple[str, str, Make]]:
    """Kind, a part of the message that it must have, and the maker."""
    for kind, message, makers in (
        ("cut off", "damaged|not a whole|empty", [*_cut(".pth"), *_cut(".safetensors")]),
        ("something else", "LFS|HTML|XML|JSON|no PyTorch file", [_bytes(content) for content in _OTHERS]),
        ("code", "Python objects or code|no PyTorch file", [_code(what) for what in _CODE]),
        ("endless", "without end|damaged|dictionary of tensors|recursion", [_endless(n) for n in range(5)]),
        ("in parts", "dcp_to_torch|FULL_STATE_DICT|merge_and_unload", [_part(name) for name in _PARTS]),
        ("several", "choose one: PATH#", [_several(*pair) for pair in _PAIRS]),
        ("not there", "no such|not an ordinary|cannot be read|none of", list(_PLACES)),
        ("a liar's header", "not a whole|damaged", [_header(size) for size in _SIZES]),
        ("absurd settings", "config.json", [_settings(change) for change in _SETTINGS]),
        ("settings beside a DINO", "config.json", [_beside(change) for change in _BESIDE]),
        ("absurd colours", "image_mean and image_std|scale colours", [_colours(c) for c in _COLOURS]),
    ):
        yield from ((f"{kind} {i}", message, make) for i, make in enumerate(makers))


def _cut(ending: str) -> list[Make]:
    def make(share: float) -> Make:
        def written(folder: Path) -> Path:
            path = folder / f"cut{ending}"
            (torch.save if ending == ".pth" else save_file)(
                {k: v.clone() for k, v in network().items()}, path
            )
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
            return path

        return written

    return [make(share) for share in (0, 0.0005, 0.1, 0.5, 0.999)]


_OTHERS = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
    b"<!doctype html><html>sign in</html>",
    b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code></Error>",
    b'{"error":"gated"}',
    b"PK\x03\x04 not a zip at all",
    b"\x80\x02}q\x00.junk",
    bytes(range(256)) * 8,
)


def _bytes(content: bytes) -> Make:
    def written(folder: Path) -> Path:
        (folder / "x.pth").write_bytes(content)
        return folder / "x.pth"

    return written


class _Reduced:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.told = function, arguments

    def __reduce__(self) -> Any:
        return self.told


_CODE: tuple[Callable[[str], Any], ...] = (
    lambda mark: _Reduced(os.mkdir, mark),
    lambda mark: _Reduced(eval, f"open({mark!r}, 'w')"),
    lambda mark: _Reduced(exec, f"open({mark!r}, 'w')"),
    lambda mark: _Reduced(Path.touch, Path(mark)),
    lambda mark: _Reduced(functools.partial, open, mark, "w"),
    lambda mark: _Reduced(getattr, mark, "upper"),
)


def _code(what: Callable[[str], Any]) -> Make:
    def written(folder: Path) -> Path:
        torch.save({"model": network(), "x": what(str(folder / "mark"))}, folder / "x.pth")
        return folder / "x.pth"

    return written


def _endless(n: int) -> Make:
    def written(folder: Path) -> Path:
        ring: Any = dict(network())
        if n == 0:
            ring["self"] = ring
        elif n == 1:
            ring |= {"a": ring, "b": ring, "c": ring}
        elif n == 2:
            ring["inner"] = {"outer": ring}
        elif n == 3:
            for _ in range(200):
                ring = {"deeper": ring}
        else:
            ring = [ring]
            ring.append(ring)
        torch.save(ring, folder / "ring.pth")
        return folder / "ring.pth"

    return written


_PARTS = ("__0_0.distcp", "_flat_param", "lora_A.weight", "lora_B.default.weight", "lora_magnitude_vector.w")


def _part(name: str) -> Make:
    def written(folder: Path) -> Path:
        path = folder / (name if name.endswith("distcp") else "part.pth")
        torch.save({f"model.blocks.0.attn.qkv.{name}": torch.zeros(2)}, path)
        return path

    return written


_PAIRS = (("a", "b"), ("encoder", "decoder"), ("student", "gram_teacher"), ("left", "right"), ("x.y", "x.z"))


def _several(first: str, second: str) -> Make:
    def written(folder: Path) -> Path:
        state = {f"{prefix}.{key}": value for prefix in (first, second) for key, value in network().items()}
        torch.save(state, folder / "two.pth")
        return folder / "two.pth"

    return written


def _pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.pth")
    return folder / "pipe.pth"


def _dangling(folder: Path) -> Path:
    (folder / "dangling.pth").symlink_to(folder / "gone.pth")
    return folder / "dangling.pth"


def _looped(folder: Path) -> Path:
    (folder / "loop.pth").symlink_to("loop.pth")
    return folder / "loop.pth"


_PLACES: tuple[Make, ...] = (
    lambda folder: folder / "absent.pth",
    lambda folder: folder / ("n" * 300 + ".pth"),
    lambda folder: folder,
    lambda folder: f"hf:{folder / 'absent'}",
    _pipe,
    _dangling,
    _looped,
)

_SIZES = (2**40, 2**63 - 1, 2**64 - 1, 10**9, 3)


def _header(size: int) -> Make:
    def written(folder: Path) -> Path:
        path = folder / "x.safetensors"
        path.write_bytes(
            struct.pack("<Q", size) + b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4]}}'
        )
        return path

    return written


_SETTINGS: tuple[dict[str, Any] | str, ...] = (
    {"num_hidden_layers": 10**9},
    {"hidden_size": 10**9},
    {"num_attention_heads": 10**7},
    {"nested": {"depth": 10**8}},
    {"model_type": 5},
    "{",
    "[]",
    "[" * 50_000,
)


def _settings(change: dict[str, Any] | str) -> Make:
    def written(folder: Path) -> str:
        model: Any = tiny("vit")
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(COLOURS))
        path = folder / "config.json"
        path.write_text(
            change if isinstance(change, str) else json.dumps(json.loads(path.read_text()) | change)
        )
        return f"hf:{folder}"

    return written


_BESIDE: tuple[dict[str, Any], ...] = (
    {"hidden_act": "nope"},
    {"hidden_act": 5},
    {"num_attention_heads": 2.5},
    {"num_register_tokens": 9},
    {"rope_theta": 0},
)


def _beside(change: dict[str, Any]) -> Make:
    def written(folder: Path) -> Path:
        state = recognise(network()).state
        save_file(
            {k.removeprefix("model."): v.contiguous() for k, v in state.items()}, folder / "model.safetensors"
        )
        facts = {"model_type": "dinov3_vit", "num_attention_heads": 2}
        (folder / "config.json").write_text(json.dumps(facts | change))
        return folder

    return written


_COLOURS: tuple[dict[str, Any], ...] = (
    {"image_std": [0, 0, 0]},
    {"image_std": [float("nan")] * 3},
    {"image_mean": "grey"},
    {"image_mean": [0.5] * 4},
    {"image_mean": [1e300] * 3},
    {"rescale_factor": 2},
    {"do_rescale": False},
)


def _colours(change: dict[str, Any]) -> Make:
    def written(folder: Path) -> str:
        model: Any = tiny("vit")
        model.save_pretrained(folder)
        (folder / "preprocessor_config.json").write_text(json.dumps(COLOURS | change))
        return f"hf:{folder}"

    return written

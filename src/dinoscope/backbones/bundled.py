"""Where do the weights lie that come with this package, and what did they learn from?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from dinoscope.data.spec import KIND_WORDS, Kind, WeightsOrigin
from dinoscope.errors import WeightsError

PAIR = ("mini", "mini-gram")
"""The two models that were made to differ in one thing, and share their training photographs."""

TRAINED_ON = "trained-on.npy"

_TOY = "to show how things work, not how well; neither DINOv2 nor DINOv3"


def folder(name: str) -> Path:
    """The folder of a bundled model: a Hugging Face folder with a model card.

    Raises:
        WeightsError: the package was unpacked without it.
    """
    path = _weights() / name
    if not (path / "model.safetensors").is_file():
        raise WeightsError(name, f"its weights are not in {path}", ("install dinoscope again from a wheel",))
    return path


def toys_told(names: Iterable[str]) -> str:
    """What is to be said beside results of bundled models; empty where none is among the names.

    >>> toys_told(["dinov3-vits16", "key:mini"])
    'toy model (key:mini): to show how things work, not how well; neither DINOv2 nor DINOv3'
    """
    toys = [name for name in dict.fromkeys(names) if kind_of(name) == "toy"]
    if not toys:
        return ""
    several = "s" if len(toys) > 1 else ""
    return f"toy model{several} ({', '.join(toys)}): {_TOY}"


def kind_of(name: str) -> Kind:
    """As `BackboneSpec.kind`, of the name or label alone of a model that is not loaded.

    >>> kind_of("key:mini"), kind_of("blur:mini"), kind_of("pixels (2)"), kind_of("mini model")
    ('toy', 'control', 'control', '')
    """
    *ways, last = name.split(":")
    last = re.sub(r" (\(\d+\)|minus .*)$", "", last)  # its number where it repeats, what was taken out
    if last == "pixels" or {"random", "blur"} & set(ways):
        return "control"
    return "toy" if last in PAIR else ""


def kind_told(name: str) -> str:
    """What is to be said beside results of one model, a toy or a control; empty for others.

    >>> kind_told("key:mini")
    'toy model (key:mini): to show how things work, not how well; neither DINOv2 nor DINOv3'
    >>> kind_told("pixels"), kind_told("dinov2-small")
    ('pixels: control, not a trained model', '')
    """
    kind = kind_of(name)
    if kind == "toy":
        return f"{KIND_WORDS[kind]} ({name}): {_TOY}"
    return f"{name}: {KIND_WORDS[kind]}" if kind else ""


def source(name: str) -> str:
    """As the origin of a bundled model's weights names it."""
    return f"bundled with dinoscope: {name}"


def trained_on(origin: WeightsOrigin) -> UInt8[np.ndarray, "n bytes"] | None:
    """Fingerprints of all photographs that the weights learned from; None where they are not known.

    A bundled model is known by its weights, wherever they lie.

    Raises:
        WeightsError: the package was unpacked without them.
    """
    if origin.digest not in {_digest(name) for name in PAIR}:
        return None
    return np.load(_weights() / TRAINED_ON, allow_pickle=False)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((folder(name) / "model.safetensors").read_bytes()).hexdigest()


def _weights() -> Path:
    return Path(str(files("dinoscope"))) / "weights"

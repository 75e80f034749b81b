"""Where do the weights lie that come with this package?"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from dinoscope.errors import WeightsError


def folder(name: str) -> Path:
    """The folder of a bundled model: a Hugging Face folder with a model card.

    Raises:
        WeightsError: the package was unpacked without it.
    """
    path = Path(str(files("dinoscope"))) / "weights" / name
    if not (path / "model.safetensors").is_file():
        raise WeightsError(name, f"its weights are not in {path}", ("install dinoscope again from a wheel",))
    return path

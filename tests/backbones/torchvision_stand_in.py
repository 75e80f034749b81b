"""A `torchvision` without a function in it: enough to import `timm`, whose ViTs use nothing of it.

The real one has to be built for the torch beside it, which PyPI's is not for a CPU build.
"""

from __future__ import annotations

import contextlib
import enum
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from torch import nn

ALONE = Path(sys.prefix) / "timm-alone"
"""Where `python3 dev.py test` installs timm, so that nothing else in the environment takes it for usable."""

_OURS = ("timm", "torchvision")


class _Interpolation(enum.Enum):
    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


class _Hollow(ModuleType):
    """Has every name, and a class that does nothing behind it."""

    __path__: Sequence[str] = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Interpolation if name == "InterpolationMode" else type(name, (nn.Module,), {})


class _Finder(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return (
            ModuleSpec(fullname, self, is_package=True) if fullname.split(".")[0] == "torchvision" else None
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Hollow(spec.name)

    def exec_module(self, module: ModuleType) -> None: ...


@contextlib.contextmanager
def timm_alone() -> Iterator[ModuleType]:
    """The real timm; afterwards nobody sees it, nor the stand-in."""
    assert ALONE.is_dir(), f"{ALONE} is missing: `python3 dev.py test` installs timm there"
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    sys.path.insert(0, str(ALONE))
    try:
        import timm

        yield timm
    finally:
        sys.path.remove(str(ALONE))
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] in _OURS]:
            del sys.modules[name]

"""What works on this machine, and what to do about what does not."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dinoscope.backbones.memory import available_bytes
from dinoscope.doctor.diagnosis import Finding, Health, State
from dinoscope.doctor.models import hub_findings
from dinoscope.doctor.numbers import device_findings, number_findings

VersionOf = Callable[[str], str | None]

LITTLE_DISK_BYTES = 5 * 10**9
"""Less than this and a large model does not fit: the largest checkpoints but one are below it."""

NO_DISK_BYTES = 2 * 10**8
"""Less than this and not even a small model fits."""

LITTLE_MEMORY_BYTES = 2 * 10**9

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "firefox", "open")


def examine(*, compiled: bool = False) -> Health:
    """Everything that `dinoscope doctor` looks at; a few seconds, and at most 6 s of waiting for the hub.

    Args:
        compiled: check torch.compile too, which takes about a minute.
    """
    return Health(
        (
            *python_findings(),
            *package_findings(_stated("dinoscope"), installed_version),
            *device_findings(),
            *number_findings(compiled=compiled),
            *hub_findings(),
            *machine_findings(),
            *tool_findings(os.environ, shutil.which),
        )
    )


def python_findings() -> Iterator[Finding]:
    """The interpreter against the range that the installed dinoscope states, and the platform."""
    version = platform.python_version()
    try:
        wanted = importlib.metadata.metadata("dinoscope").json.get("requires_python", "")
    except importlib.metadata.PackageNotFoundError:
        wanted = ""
    wanted = str(wanted)
    if wanted and not SpecifierSet(wanted).contains(version, prereleases=True):
        advice = f"install a Python {wanted}, and dinoscope into it"
        yield Finding("python", "version", "problem", f"{version}, not {wanted}", advice)
    else:
        yield Finding("python", "version", "ok", f"{version}" + (f" ({wanted})" if wanted else ""))
    yield Finding("python", "platform", "ok", f"{platform.platform()}, {sys.prefix}")


def package_findings(requirements: Sequence[str], version_of: VersionOf) -> Iterator[Finding]:
    """Each package that dinoscope needs, then each extra.

    Args:
        requirements: as the package's metadata states them, with ``extra ==`` markers.
        version_of: the installed version of a package; None where it is not there.
    """
    if not requirements:
        yield Finding(
            "packages",
            "dinoscope",
            "note",
            "not installed as a package, so that its requirements are not known",
            "pip install -e . in its folder",
        )
    extras: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, requirements):
        names = [extra for extra in _extras(requirements) if _asked_by(requirement, extra)]
        if _asked_by(requirement, ""):
            yield _package(requirement, version_of(requirement.name))
            continue
        for name in names:
            if name != "all":
                extras.setdefault(name, []).append(requirement)
    for name, needed in sorted(extras.items()):
        lacking = [r for r in needed if not _fits(r, version_of(r.name))]
        words = ", ".join(f"{r.name}{r.specifier}" for r in needed)
        if lacking:
            short = ", ".join(f"{r.name} {version_of(r.name) or 'missing'}" for r in lacking)
            found = f"not installed ({short})"
            yield Finding("extras", f"[{name}]", "note", found, f"pip install 'dinoscope[{name}]'")
        else:
            yield Finding("extras", f"[{name}]", "ok", words)


def machine_findings() -> Iterator[Finding]:
    """Disk where weights and temporary files go, and memory."""
    from huggingface_hub import constants

    for name, path in (("weights", Path(constants.HF_HUB_CACHE)), ("this folder", Path.cwd())):
        place = next(p for p in (path, *path.parents) if p.exists())
        free = shutil.disk_usage(place).free
        state: State = "ok" if free >= LITTLE_DISK_BYTES else "note" if free >= NO_DISK_BYTES else "problem"
        advice = "" if state == "ok" else "free some, or set HF_HOME to a folder on a larger disk"
        yield Finding("machine", f"disk for {name}", state, f"{free / 1e9:,.1f} GB free at {path}", advice)
    memory = available_bytes()
    if memory is None:
        yield Finding("machine", "memory", "unknown", "the system does not say")
    else:
        little = memory < LITTLE_MEMORY_BYTES
        advice = "close other programs, or use small models and grids" if little else ""
        yield Finding("machine", "memory", "note" if little else "ok", f"{memory / 1e9:,.1f} GB", advice)


def tool_findings(environment: Mapping[str, str], which: Callable[[str], str | None]) -> Iterator[Finding]:
    """Fonts, browser, compiler, and what only those need who work on dinoscope's pages.

    Args:
        environment: of the process.
        which: the path of a program; None where it is not there.
    """
    yield _font()
    named = environment.get("BROWSER_PATH", "")
    browser = next((found for name in (named, *BROWSERS) if name and (found := which(name))), None)
    yield _tool("browser", browser, "reports open in any browser, on another machine too")
    compilers = (environment.get("CXX", ""), "c++", "g++", "clang++", "cl")
    compiler = next((found for name in compilers if name and (found := which(name))), None)
    yield _tool("C++ compiler", compiler, "only torch.compile needs one; install g++ or clang to use it")
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    yield _tool("Python.h", str(header) if header.is_file() else None, "only torch.compile needs it")
    for name in ("node", "tsc"):
        yield _tool(name, which(name), "only needed to test changes to dinoscope's own pages")


def installed_version(name: str) -> str | None:
    """The version of a package; None where it is not there."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _stated(package: str) -> Sequence[str]:
    try:
        return importlib.metadata.requires(package) or ()
    except importlib.metadata.PackageNotFoundError:
        return ()


def _extras(requirements: Sequence[str]) -> tuple[str, ...]:
    """Names of extras, as the markers spell them."""
    found: list[str] = []
    for words in requirements:
        _, _, marker = words.partition("extra ==")
        name = marker.strip().strip("'\" )")
        if marker and name not in found:
            found.append(name)
    return tuple(found)


def _asked_by(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _fits(requirement: Requirement, version: str | None) -> bool:
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _package(requirement: Requirement, version: str | None) -> Finding:
    wanted = f"{requirement.name}{requirement.specifier}"
    if _fits(requirement, version):
        found = f"{version} ({requirement.specifier})" if str(requirement.specifier) else f"{version}"
        return Finding("packages", requirement.name, "ok", found)
    found = "missing" if version is None else f"{version}, not {requirement.specifier}"
    return Finding("packages", requirement.name, "problem", found, f"pip install '{wanted}'")


def _tool(name: str, path: str | None, why: str) -> Finding:
    if path is None:
        return Finding("tools", name, "note", "not found", why)
    return Finding("tools", name, "ok", path)


def _font() -> Finding:
    from matplotlib.font_manager import findfont

    try:
        path = findfont("DejaVu Sans", fallback_to_default=False)
    except ValueError:
        advice = "pip install --force-reinstall matplotlib, which brings it"
        return Finding("tools", "font of figures", "note", "DejaVu Sans not found", advice)
    return Finding("tools", "font of figures", "ok", str(path))

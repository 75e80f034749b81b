"""The three commands of this repository.

    python3 dev.py demo [OPTIONS]   compare backbones on six photographs; OPTIONS go to `dinoscope compare`
    python3 dev.py install          what the store, the live page and the notebook widget need, too
    python3 dev.py test [OPTIONS]   lint, types, import contract, doctests, tests; OPTIONS go to pytest
    python3 dev.py test --hostile   every hostile input and fault, the long ones too, and nothing else

They need Python 3.11 or newer with pip, nothing else. Each makes .venv, installs the pinned versions it
needs and does its job; a second call installs nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "dinoscope-installed"
CONSTRAINTS = ROOT / "constraints.txt"
VIEW = ROOT / "src" / "dinoscope" / "drawing" / "view" / "static"
COVERED_BY = {  # what is there after which command is enough for which
    "demo": ("demo", "install", "test"),
    "install": ("install", "test"),
    "test": ("test",),
}
GROUPS = {"demo": "demo", "install": "demo", "test": "test"}
EXTRAS = {
    "demo": "",
    "install": "[fast,heif,store,view,widget]",
    "test": "",
}  # the test group lists them

NEWEST_PIP = "pip>=25.1"  # the first to know --group
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CPU_INDEX_LIMIT_S = 3.0
SIZE_BESIDE_TORCH = {"demo": "about 140 MB", "install": "about 290 MB", "test": "about 600 MB"}
CPU_SIZE = "about 200 MB"
CUDA_SIZE = "several GB, most of it CUDA"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def main(words: Sequence[str]) -> int:
    """Run one command; the exit code is that of its first step that fails."""
    parser = argparse.ArgumentParser(
        usage="python3 dev.py {demo,install,test} [OPTIONS ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=tuple(COVERED_BY))
    wants_help = {"-h", "--help"} & set(words)
    command = parser.parse_args(["--help"] if wants_help else words[:1]).command
    if command == "install" and words[1:]:
        parser.error("install takes no options")
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python does run this file)
        print(f"dinoscope needs Python 3.11 or newer; this is {platform.python_version()}", file=sys.stderr)
        return 2
    prepare(command)
    if command == "install":
        print(f"ready: {BIN / 'dinoscope'} --help", flush=True)
        return 0
    return demo(words[1:]) if command == "demo" else test(words[1:])


def demo(options: Sequence[str]) -> int:
    """The comparison of the six photographs."""
    return run([PYTHON, ROOT / "examples" / "demo.py", *options])


def test(options: Sequence[str]) -> int:
    """Every check, stopping at the first that fails; what could not be run is counted at the end."""
    if "--hostile" in options:
        return run([PYTHON, "-m", "pytest", "-n", "auto", "tests/hostile", *options])
    steps: list[tuple[str, list[object]]] = [
        ("lint", [PYTHON, "-m", "ruff", "check", "."]),
        ("format", [PYTHON, "-m", "ruff", "format", "--check", "."]),
        ("types", [PYTHON, "-m", "mypy", "src"]),
        ("import contract", [BIN / "lint-imports"]),
    ]
    not_run = []
    tsc = typescript()
    if tsc:
        steps.append(("JavaScript types", [*tsc, "--checkJs", "--project", VIEW]))
    else:
        not_run.append("JavaScript types: no tsc found (npm install --global typescript@7.0.2)")
    if not browser():
        not_run.append(
            "browser tests: no chromium or google-chrome on PATH (apt install chromium), and no $BROWSER_PATH"
        )
    steps.append(("doctests and tests", [PYTHON, "-m", "pytest", "-n", "auto", *options]))

    code = 0
    for number, (name, command) in enumerate(steps, start=1):
        print(f"\n== {number}/{len(steps)} {name}", flush=True)
        start = time.monotonic()
        code = run(command)
        print(f"== {name}: {'FAILED' if code else 'passed'} in {time.monotonic() - start:.1f} s", flush=True)
        if code:
            print(f"\nSTOPPED at {name}; after it, not tried: {named(steps[number:])}")
            break
    for line in not_run:
        print(f"NOT RUN: {line}")
    if not code:
        print(f"\n{len(steps)} steps passed; {len(not_run)} kinds of check not run")
    return code


def named(steps: Sequence[tuple[str, list[object]]]) -> str:
    """The names of steps in a row of words."""
    return ", ".join(name for name, _ in steps) or "nothing"


def typescript() -> list[object]:
    """The command that runs the TypeScript checker; empty where there is none. Nothing is downloaded."""
    local = ROOT / "node_modules" / ".bin"
    found = shutil.which("tsc") or shutil.which("tsc", path=str(local))
    if found:
        return [found]
    npx = shutil.which("npx")
    if npx and quiet([npx, "--no-install", "tsc", "--version"]).returncode == 0:
        return [npx, "--no-install", "tsc"]
    return []


def browser() -> str | None:
    """The browser that the browser tests drive."""
    names = (os.environ.get("BROWSER_PATH", ""), *BROWSERS)
    return next((found for name in names if name and (found := shutil.which(name))), None)


def prepare(command: str) -> None:
    """Make .venv and install what a command needs, unless that was done before.

    The stamp goes before anything changes and comes back when everything is there, so an interrupted
    installation is done again.
    """
    if STAMP.exists() and STAMP.read_text() in map(fingerprint, COVERED_BY[command]):
        return
    STAMP.unlink(missing_ok=True)
    make_environment()
    install_torch()
    print(f"dinoscope and the other packages for {command}: {SIZE_BESIDE_TORCH[command]}", flush=True)
    group = f"{ROOT / 'pyproject.toml'}:{GROUPS[command]}"
    project = f"{ROOT}{EXTRAS[command]}"
    pip("install", "-qq", "--constraint", CONSTRAINTS, "--group", group, "--editable", project)
    if command == "test":
        # Without the torchvision that it asks for, and in a folder of its own, where nothing else finds it.
        alone = ("--no-deps", "--upgrade", "--target", VENV / "timm-alone")
        pip("install", "-qq", *alone, f"timm=={pinned('timm', CONSTRAINTS.read_text())}")
    STAMP.write_text(fingerprint(command))
    print(f"installed in {VENV}\n", flush=True)


def fingerprint(command: str) -> str:
    """What an installation depends on; everything else may change without installing again."""
    parts = [(ROOT / name).read_bytes() for name in ("pyproject.toml", "constraints.txt")]
    parts += [command.encode(), sys.version.encode(), str(VENV).encode()]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def make_environment() -> None:
    """A virtual environment with an up-to-date pip, also where ensurepip is missing (as on Debian)."""
    settings = VENV / "pyvenv.cfg"
    if not PYTHON.exists() or not fits(settings.read_text() if settings.exists() else "", VENV):
        print(f"making {VENV}", flush=True)
        check([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV])
    if quiet([PYTHON, "-m", "pip", "--version"]).returncode:
        outer_pip = [sys.executable, "-m", "pip", "--python", PYTHON, "install", "-qq", NEWEST_PIP]
        if quiet([sys.executable, "-m", "pip", "--version"]).returncode == 0 and run(outer_pip) == 0:
            return
        if quiet([PYTHON, "-m", "ensurepip"]).returncode:
            raise SystemExit(
                "this Python has neither a pip of version 22.3 or newer nor ensurepip: "
                "install pip first (Debian, Ubuntu: apt install python3-pip)"
            )
    pip("install", "-qq", "--upgrade", NEWEST_PIP)


def fits(settings: str, venv: Path) -> bool:
    """Whether a virtual environment was made for this Python version, and where it now lies.

    Args:
        settings: the text of its pyvenv.cfg; scripts inside a moved environment point to the old place.
        venv: its folder.
    """
    said = dict(line.split(" = ", 1) for line in settings.splitlines() if " = " in line)
    version = said.get("version", said.get("version_info", "")).split(".")[:2]
    made = re.search(r' -m venv (?:--[\w-]+(?:="[^"]*")? )*(.+)$', said.get("command", ""))
    if made and Path(made[1]).resolve() != venv.resolve():
        return False
    return version == [str(number) for number in sys.version_info[:2]]


@dataclass(frozen=True)
class TorchSource:
    """What pip is asked for, where else it may look, and what is said before."""

    requirement: str
    options: tuple[str, ...]
    says: str


def install_torch() -> None:
    """Torch comes first, so that a CPU build is already there when the rest asks for torch."""
    version = pinned("torch", CONSTRAINTS.read_text())
    there = quiet([PYTHON, "-c", "from importlib.metadata import version; print(version('torch'))"])
    if there.returncode == 0 and there.stdout.strip().split("+")[0] == version:
        return
    source = torch_source(
        version,
        machine=f"{platform.system()} {platform.machine()}",
        nvidia=has_nvidia_driver(),
        offered=offered_versions,
        reachable=lambda: answers(f"{CPU_INDEX}/torch/", CPU_INDEX_LIMIT_S),
    )
    print(f"torch {version}: {source.says}", flush=True)
    pip("install", "-qq", "--constraint", CONSTRAINTS, source.requirement, *source.options)


def torch_source(
    version: str,
    *,
    machine: str,
    nvidia: bool,
    offered: Callable[[Sequence[str]], set[str]],
    reachable: Callable[[], bool],
) -> TorchSource:
    """Where torch comes from: on Linux without an NVIDIA driver a CPU build, where one can be found.

    Args:
        version: the pinned version, without a local suffix.
        machine: operating system and processor.
        nvidia: whether there is a driver to use CUDA with.
        offered: the versions of torch that pip finds for this Python, given further options.
        reachable: whether PyTorch's own CPU index answers.
    """
    plain, cpu = f"torch=={version}", f"torch=={version}+cpu"
    if machine != "Linux x86_64":
        return TorchSource(plain, (), "from PyPI, about 100 to 200 MB")
    if nvidia:
        return TorchSource(plain, (), f"there is an NVIDIA driver; from PyPI, {CUDA_SIZE}")
    if f"{version}+cpu" in offered(()):
        return TorchSource(cpu, (), f"CPU build from where pip is configured to look, {CPU_SIZE}")
    if not reachable():
        why = f"{CPU_INDEX} gave no answer in {CPU_INDEX_LIMIT_S:.0f} s"
    else:
        further = ("--extra-index-url", CPU_INDEX)
        if f"{version}+cpu" in offered(further):
            return TorchSource(cpu, further, f"CPU build from {CPU_INDEX}, {CPU_SIZE}")
        why = f"{CPU_INDEX} has none for Python {platform.python_version()}"
    return TorchSource(plain, (), f"no CPU build ({why}); from PyPI, {CUDA_SIZE}, works without a GPU too")


def has_nvidia_driver() -> bool:
    """Whether an NVIDIA driver is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None


def offered_versions(options: Sequence[str]) -> set[str]:
    """The versions of torch that pip finds for this Python; reads index pages, downloads no package."""
    answer = quiet([PYTHON, "-m", "pip", "--retries", "1", "index", "versions", "torch", *options])
    return read_versions(answer.stdout)


def read_versions(answer: str) -> set[str]:
    """The versions in what ``pip index versions`` prints; empty where it found nothing."""
    for line in answer.splitlines():
        title, _, versions = line.partition(":")
        if title == "Available versions":
            return {version.strip() for version in versions.split(",")}
    return set()


def answers(url: str, limit_s: float) -> bool:
    """Whether a web page is there within a limit, name look-up included."""
    statuses: list[int] = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        try:
            with urllib.request.urlopen(request, timeout=limit_s) as answer:
                statuses.append(answer.status)
        except (OSError, http.client.HTTPException):
            pass  # no answer is an answer

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(limit_s)
    return statuses == [200]


def pinned(package: str, constraints: str) -> str:
    """The version that a constraints file gives a package."""
    for line in constraints.splitlines():
        name, _, version = line.partition("==")
        if name.strip().lower() == package:
            return version.strip()
    raise SystemExit(f"constraints.txt does not pin {package}")


def pip(*words: object) -> None:
    """Pip of .venv; it must succeed."""
    check([PYTHON, "-m", "pip", "--disable-pip-version-check", *words])


def check(command: Sequence[object]) -> None:
    """Run a command that must succeed."""
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT)


def run(command: Sequence[object]) -> int:
    """Run a command and return its exit code."""
    return subprocess.run([str(word) for word in command], cwd=ROOT).returncode


def quiet(command: Sequence[object]) -> subprocess.CompletedProcess[str]:
    """Run a command for its answer."""
    return subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except subprocess.CalledProcessError as error:
        sys.exit(f"failed (exit code {error.returncode}): {' '.join(error.cmd)}")
    except KeyboardInterrupt:
        sys.exit(130)

"""Does this machine compute features right, and how far off are its faster ways of doing it?"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope.backbones.alternatives import with_attention
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.data.photograph import Photograph
from dinoscope.doctor.diagnosis import Finding
from dinoscope.errors import BackboneError, InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline.certificate import checked_way
from dinoscope.pipeline.fast import (
    CompilationWarning,
    autocast_backbone,
    capability,
    check_dtype,
    compiled_backbone,
    runs_compiled,
)
from dinoscope.pipeline.run import Run

GRID = 12
"""Patches on the short side of the photographs that fast paths are checked on."""

MATMUL_ERROR = 1e-5
"""Relative error of a float32 product of 512 terms: about 1e-7; with TF32 or bfloat16 above 1e-4."""

MODEL_ERROR = 1e-3
"""Largest error of the bundled model in float32 against `REFERENCE`, whose entries are about 1."""

PLACES = ((0, 0), (2, 5), (5, 7))
CHANNELS = 6
REFERENCE = (
    (0.160646, 1.073638, -0.175145, 0.303318, 0.686497, 0.562063),
    (0.347384, -0.681476, -0.748814, 1.463545, 0.39226, -0.277841),
    (0.549753, -0.342809, -0.378287, 0.245884, -0.084132, -1.975492),
)
"""First channels of these patches: ``mini`` on `pattern`, last layer after the final norm, in float64.

The tests compute them again in NumPy, without torch and transformers.
"""


def pattern() -> Float[Tensor, "1 3 48 64"]:
    """An input that is the same everywhere: sines, no random numbers, no photograph."""
    c, y, x = np.meshgrid(np.arange(3.0), np.arange(48.0), np.arange(64.0), indexing="ij")
    return torch.from_numpy(np.sin((c + 1) * (y + 1) / 7) + np.cos((c + 2) * (x + 1) / 11))[None].float()


def device_findings() -> Iterator[Finding]:
    """CPU threads and what they can do, CUDA, MPS, 16-bit arithmetic."""
    capability = torch.backends.cpu.get_cpu_capability()
    found = f"{torch.get_num_threads()} threads of {os.cpu_count()} cores, {capability}"
    yield Finding("devices", "cpu", "ok", found)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        cuda = torch.cuda.is_available()  # says in a warning that the driver is too old
    if cuda:
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory
            bf16 = "bfloat16" if torch.cuda.is_bf16_supported() else "no bfloat16"
            found = f"{torch.cuda.get_device_name(i)}, {memory / 1e9:.0f} GB, {bf16}"
            yield Finding("devices", f"cuda:{i}", "ok", found)
    else:
        version = torch.version.cuda
        built = f"torch was built for CUDA {version}" if version else "this torch has no CUDA"
        built += "".join(f"; {str(warning.message).splitlines()[0]}" for warning in said[:1])
        advice = "https://pytorch.org/get-started/locally/ has the command, where there is an NVIDIA GPU"
        yield Finding("devices", "cuda", "ok", f"none ({built})", "" if version else advice)
    yield Finding("devices", "mps", "ok", "there" if torch.backends.mps.is_available() else "none")


def number_findings(*, compiled: bool = False) -> Iterator[Finding]:
    """Float32 products, the bundled model against stored numbers, and each faster way of running it."""
    for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
        yield matmul_finding(device)
    precision = torch.get_float32_matmul_precision()
    if precision != "highest":
        yield Finding(
            "numbers",
            "float32 precision",
            "note",
            f"set to {precision!r}: products may be rounded to TF32 or bfloat16",
            "torch.set_float32_matmul_precision('highest')",
        )
    try:
        mini = load_backbone("mini")
    except BackboneError as error:
        yield Finding("numbers", "model", "problem", str(error), "do what it says, then ask the doctor again")
        return
    yield model_finding(mini)
    photographs = demo_photographs()
    exact = with_attention(mini, "eager")
    for way, fast in _paths(mini, compiled=compiled):
        yield path_finding(way, fast, exact, photographs)
    yield tiles_finding(mini, photographs)
    if not compiled:
        advice = "dinoscope doctor --compiled (about a minute)"
        yield Finding("numbers", "compiled", "unknown", "not checked", advice)


def matmul_finding(device: str) -> Finding:
    """Relative error of a float32 matrix product against float64."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(256, 512, generator=generator, dtype=torch.float64) for _ in range(2))
    exact = left.float().double() @ right.float().double().T
    product = (left.float().to(device) @ right.float().to(device).T).cpu().double()
    error = float((product - exact).norm() / exact.norm())
    found = f"relative error {error:.1e}"
    if error <= MATMUL_ERROR:
        return Finding("numbers", f"float32 product on {device}", "ok", found)
    advice = "torch.set_float32_matmul_precision('highest'); unset NVIDIA_TF32_OVERRIDE"
    return Finding("numbers", f"float32 product on {device}", "note", f"{found}: not float32", advice)


def model_finding(backbone: Backbone) -> Finding:
    """The bundled model on `pattern` against `REFERENCE`."""
    features = backbone.forward(pattern()).patches[backbone.spec.depth - 1][0]
    found = torch.stack([features[row, col, :CHANNELS] for row, col in PLACES]).double()
    error = float((found - torch.tensor(REFERENCE, dtype=torch.float64)).abs().max())
    said = f"bundled mini differs from its stored features by {error:.1e} at most"
    if error <= MODEL_ERROR:
        return Finding("numbers", "model", "ok", said)
    advice = (
        "torch or transformers compute something else here: reinstall both, in the versions that dinoscope's "
        "constraints.txt names"
    )
    return Finding("numbers", "model", "problem", said, advice)


def path_finding(way: str, fast: Backbone, exact: Backbone, photographs: Sequence[Photograph]) -> Finding:
    """The certificate of one way of running the model; a note where it measures only if asked for by name."""
    asked = runs_compiled(fast)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", CompilationWarning)
        try:
            proof = checked_way(fast, exact, photographs, Run(GRID), way=way)
        except InputError as error:  # no kernel, or NaN
            return Finding("numbers", way, "note", str(error), "use float32")
    if asked and not runs_compiled(fast):
        reason = str(said[-1].message) if said else "torch.compile failed"
        advice = "it needs a C++ compiler and Python.h; without them models run uncompiled"
        return Finding("numbers", way, "note", reason, advice)
    if proof.exact_enough:
        return Finding("numbers", way, "ok", proof.words)
    advice = "use float32; measure and compare take this way with --allow-inexact alone"
    return Finding("numbers", way, "note", proof.words, advice)


def tiles_finding(backbone: Backbone, photographs: Sequence[Photograph]) -> Finding:
    """What tiles change: never the features of the whole."""
    side = (GRID - GRID // 3) * backbone.spec.patch_size
    proof = checked_way(backbone, backbone, photographs, Run(GRID, tile=side))
    advice = "extract alone takes tiles, and prints a seam score with each photograph"
    return Finding("numbers", "tiles", "note", proof.words, advice)


def demo_photographs() -> tuple[Photograph, ...]:
    """Real photographs that come with scikit-learn, and with scikit-image where it is installed."""
    from sklearn.datasets import load_sample_image

    arrays = {name: load_sample_image(name) for name in ("china.jpg", "flower.jpg")}
    try:
        from skimage import data
    except ImportError:
        pass
    else:
        astronaut: np.ndarray = data.astronaut()  # type: ignore[no-untyped-call]
        arrays["astronaut"] = astronaut
    return tuple(photograph_from_array(array, name=name) for name, array in arrays.items())


def _paths(mini: Backbone, *, compiled: bool) -> Iterator[tuple[str, Backbone]]:
    """Each way that this machine has, by name."""
    yield "float32 on cpu", mini
    if compiled:
        yield "compiled on cpu", compiled_backbone(mini)
    yield from _sixteen_bits(mini)
    if torch.cuda.is_available():
        on_gpu = load_backbone("mini", device="cuda")
        yield "float32 on cuda", on_gpu
        if compiled:
            yield "compiled on cuda", compiled_backbone(on_gpu)
        yield from _sixteen_bits(on_gpu)


def _sixteen_bits(backbone: Backbone) -> Iterator[tuple[str, Backbone]]:
    where = backbone.device.type
    for dtype in (torch.bfloat16, torch.float16):
        try:
            check_dtype(dtype, where, capability(backbone.device))
        except InputError:
            continue  # the devices say so
        name = str(dtype).removeprefix("torch.")
        yield f"{name} on {where}", backbone.to(backbone.device, dtype)
        yield f"{name} autocast on {where}", autocast_backbone(backbone, dtype)

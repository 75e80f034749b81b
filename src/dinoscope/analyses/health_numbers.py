"""Does this machine compute features right, and how far off are its faster ways of doing it?"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones.alternatives import with_attention
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.dino import DinoBackbone
from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.networks import blocks
from dinoscope.data.diagnosis import Finding
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.errors import BackboneError
from dinoscope.io.images import photograph_from_array
from dinoscope.io.resize import resize_pixels
from dinoscope.maths.same_places import patch_agreement

GRID = 12
"""Patches on the short side of the photographs that fast paths are checked on."""

MATMUL_ERROR = 1e-5
"""Relative error of a float32 product of 512 terms: about 1e-7; with TF32 or bfloat16 above 1e-4."""

MODEL_ERROR = 1e-3
"""Of the bundled model in float32 against `REFERENCE`, whose entries are of the order of 1."""

PLACES = ((0, 0), (2, 5), (5, 7))
CHANNELS = 6
REFERENCE = (
    (0.353827, 0.367951, 0.33742, 0.377866, -1.558022, 0.249914),
    (-0.210265, -0.094586, 0.500805, -0.995772, 1.519319, 1.007274),
    (0.51801, 0.189676, 0.918245, -0.723248, -0.012303, 0.274717),
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
    if torch.cuda.is_available():
        for i in range(torch.cuda.device_count()):
            memory = torch.cuda.get_device_properties(i).total_memory
            bf16 = "bfloat16" if torch.cuda.is_bf16_supported() else "no bfloat16"
            found = f"{torch.cuda.get_device_name(i)}, {memory / 1e9:.0f} GB, {bf16}"
            yield Finding("devices", f"cuda:{i}", "ok", found)
    else:
        version = torch.version.cuda
        built = f"torch was built for CUDA {version}" if version else "this torch has no CUDA"
        advice = "https://pytorch.org/get-started/locally/ has the command, where there is an NVIDIA GPU"
        yield Finding("devices", "cuda", "ok", f"none ({built})", "" if version else advice)
    yield Finding("devices", "mps", "ok", "there" if torch.backends.mps.is_available() else "none")


def number_findings(*, compiled: bool = False) -> Iterator[Finding]:
    """Float32 products, the bundled model against stored numbers, and each faster way of running it."""
    for device in _devices():
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
    exact = patches(with_attention(mini, "eager"), photographs)
    for name, path in _paths(mini, compiled=compiled):
        yield path_finding(name, path, photographs, exact)
    if not compiled:
        advice = "dinoscope doctor --compiled (about a minute)"
        yield Finding("numbers", "compiled", "ok", "not checked", advice)


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


def path_finding(
    name: str,
    backbone: Backbone,
    photographs: Sequence[Photograph],
    exact: Sequence[Float[np.ndarray, "_n _dim"]],
) -> Finding:
    """How alike the patches of one way of running the model are to float32 eager on the CPU."""
    try:
        found = patches(backbone, photographs)
    except RuntimeError as error:  # no kernel, or no compiler
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        return Finding("numbers", name, "note", f"cannot be run here: {reason}", "use float32")
    if not all(np.isfinite(rows).all() for rows in found):
        return Finding("numbers", name, "note", "gives NaN or infinite features", "use float32")
    agreements = [patch_agreement(f, None, e, None) for f, e in zip(found, exact, strict=True)]
    mean = sum(a.mean for a in agreements) / len(agreements)
    lowest = min(a.lowest for a in agreements)
    said = f"cosine to float32 eager: mean {mean:.6f}, lowest {lowest:.6f} (mini, {len(found)} photographs)"
    return Finding("numbers", name, "ok", said)


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


def patches(backbone: Backbone, photographs: Sequence[Photograph]) -> list[Float[np.ndarray, "_n _dim"]]:
    """Last-layer patches of each photograph, on a grid of `GRID`."""
    spec = backbone.spec
    mean, std = (torch.tensor(stat).view(3, 1, 1) for stat in (spec.mean, spec.std))
    found = []
    for photograph in photographs:
        grid = PatchGrid.fit(photograph.size, spec.patch_size, grid=GRID)
        pixels = (resize_pixels(photograph, grid.input_size, "bilinear") - mean) / std
        values = backbone.forward(pixels[None]).patches[spec.depth - 1][0]
        found.append(values.reshape(grid.n, -1).cpu().numpy())
    return found


def _devices() -> tuple[str, ...]:
    return ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)


def _paths(mini: Backbone, *, compiled: bool) -> Iterator[tuple[str, Backbone]]:
    yield "float32 on cpu", mini
    if compiled and isinstance(mini, DinoBackbone):
        yield "compiled on cpu", mini.altered(_compile)
    for dtype in (torch.bfloat16, torch.float16):
        yield f"{str(dtype).removeprefix('torch.')} on cpu", mini.to("cpu", dtype)
    if torch.cuda.is_available():
        on_gpu = mini.to("cuda")
        yield "float32 on cuda", on_gpu
        for dtype in (torch.bfloat16, torch.float16):
            yield f"{str(dtype).removeprefix('torch.')} on cuda", on_gpu.to("cuda", dtype)


def _compile(model: nn.Module) -> None:
    for block in blocks(model):
        block.compile()

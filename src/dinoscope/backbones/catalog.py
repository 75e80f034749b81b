"""The catalog: every model dinoscope knows by name, as plain facts. Imports neither torch nor transformers.

Sources of the facts: facebookresearch/dinov3 dinov3/hub/backbones.py@071435e and
dinov3/models/convnext.py (sizes, file names, hashes, which models have query and value biases);
facebookresearch/dinov2 dinov2/hub/backbones.py (sizes, file names; 518 px position grid);
DINOv3 README, "Image transforms" (the satellite models' mean and std);
timm 1.0.31 timm/models/vision_transformer.py, eva.py and convnext.py (names of timm's repositories).
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from dinoscope.backbones import licences
from dinoscope.backbones.architecture import Architecture
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.errors import UnknownBackboneError

SATELLITE_MEAN = (0.430, 0.411, 0.296)
SATELLITE_STD = (0.213, 0.156, 0.143)

CONTROLS: Mapping[str, str] = MappingProxyType(
    {"pixels": "colour and local contrast of each patch: no network, no weights"}
)
PREFIXES: Mapping[str, str] = MappingProxyType(
    {
        "random:NAME": "the architecture of a catalog model with seeded random weights",
        "blur:NAME": "a model's features, blurred over the patch grid",
        "key:NAME": "keys of a model's attention; likewise query:, value:, rotated-key:, rotated-query:",
        "finer2:NAME": "a model on a grid twice as fine, by passes over shifted inputs; finer4: likewise",
        "timm:NAME": "any ViT of timm (needs the extra [timm])",
        "hf:ORG/NAME": "a network of another family on the Hugging Face hub, or in a local folder",
        "dinotxt:FOLDER": "DINOv3 that reads words, from Meta's gated files; dinotxt: in torch.hub's folder",
        "py:MODULE:FUNCTION": "what a function of your own returns (it runs your code)",
    }
)


@dataclass(frozen=True, slots=True)
class HubSource:
    """A repository on the Hugging Face hub that holds the weights.

    Attributes:
        repo: ``ORG/NAME``.
        gated: whether its licence must be accepted on its page before it can be downloaded.
    """

    repo: str
    gated: bool = False

    @property
    def page(self) -> str:
        """The page a person opens; always the public site, whatever endpoint downloads go to."""
        return f"https://huggingface.co/{self.repo}"


@dataclass(frozen=True, slots=True)
class Entry:
    """One published model.

    Attributes:
        name: as in the catalog.
        architecture: exact.
        licence: of the weights (SPDX where there is one).
        sources: on the hub, in the order they are tried; the same weights in each.
        official_file: what the authors call the checkpoint.
        official_page: where the authors hand it out (for DINOv2, the file itself).
        hash_prefix: first 8 hexadecimal digits of that file's sha256; empty where none is published.
        mean, std: on inputs in [0, 1].
        spellings: other names that mean this model: hub ids, torch.hub names.
        description: one sentence for people.
        bundled: whether the weights lie in this package; nothing is downloaded then.
    """

    name: str
    architecture: Architecture
    licence: str
    sources: tuple[HubSource, ...] = ()
    official_file: str = ""
    official_page: str = ""
    hash_prefix: str = ""
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    spellings: tuple[str, ...] = ()
    description: str = ""
    bundled: bool = False

    @property
    def gated(self) -> bool:
        """Whether the authors' own repository is gated."""
        return any(source.gated for source in self.sources)

    @property
    def parameters(self) -> int:
        """How many numbers the model holds, the unused mask token included."""
        return n_parameters(self.architecture)

    @property
    def size_bytes(self) -> int:
        """Size of its weights, in float32 as they are published or in float16 as they lie in this package."""
        return (2 if self.bundled else 4) * self.parameters


def find(name: str) -> Entry:
    """The entry of a name or of another spelling of it; a hub id also moves that source to the front.

    Raises:
        UnknownBackboneError: no such name; with the nearest names.
    """
    key = _SPELLINGS.get(name.strip().lower())
    if key is None:
        raise UnknownBackboneError(name, nearest(name))
    entry = ENTRIES[key]
    first = tuple(source for source in entry.sources if source.repo.lower() == name.strip().lower())
    rest = tuple(source for source in entry.sources if source not in first)
    return replace(entry, sources=first + rest) if first else entry


def is_known(name: str) -> bool:
    """Whether ``find`` would find it."""
    return name.strip().lower() in _SPELLINGS


def nearest(name: str, n: int = 3) -> tuple[str, ...]:
    """Catalog names that look like ``name``, best first; controls among them, at most ``n``."""
    candidates = {**_SPELLINGS, **{control: control for control in CONTROLS}}
    close = difflib.get_close_matches(name.strip().lower(), candidates, n=4 * n, cutoff=0.6)
    return tuple(dict.fromkeys(candidates[spelling] for spelling in close))[:n]


def official(file_name: str, digest: str) -> Entry | None:
    """The entry that a checkpoint file is, by the authors' file name or by its sha256; else None."""
    for entry in ENTRIES.values():
        by_name = bool(entry.official_file) and file_name.lower() == entry.official_file
        by_hash = bool(entry.hash_prefix) and digest.startswith(entry.hash_prefix)
        if by_name or by_hash:
            return entry
    return None


def n_parameters(architecture: Architecture) -> int:
    """Parameters of a network of this shape, by arithmetic alone."""
    if architecture.family == "dinov3-convnext":
        return _convnext_parameters(architecture)
    dim, hidden = architecture.dim, architecture.hidden
    biases = (2 * architecture.query_value_bias + architecture.key_bias) * dim
    attention = 4 * dim * dim + dim + biases
    branches = 2 if architecture.mlp == "swiglu" else 1
    mlp = branches * (dim * hidden + hidden) + hidden * dim + dim
    norms_and_scales = 6 * dim
    positions = (architecture.position_grid**2 + 1) * dim if architecture.position_grid else 0
    tokens = (2 + architecture.registers) * dim
    patches = 3 * architecture.patch_size**2 * dim + dim
    return patches + tokens + positions + architecture.depth * (attention + mlp + norms_and_scales) + 2 * dim


def _convnext_parameters(architecture: Architecture) -> int:
    total, before = 0, 3
    for stage, (depth, dim) in enumerate(
        zip(architecture.stage_depths, architecture.stage_dims, strict=True)
    ):
        side = 4 if stage == 0 else 2
        total += side * side * before * dim + dim + 2 * (dim if stage == 0 else before)
        block = (49 * dim + dim) + 2 * dim + (4 * dim * dim + 4 * dim) + (4 * dim * dim + dim) + dim
        total += depth * block
        before = dim
    return total + 2 * before


_VIT_SIZES = {"small": "s", "base": "b", "large": "l", "giant": "g"}
_DINOV3_PAGE = "https://ai.meta.com/resources/models-and-libraries/dinov3-downloads/"


def _dinov2(size: str, dim: int, depth: int, heads: int, *, registers: bool) -> Entry:
    letter = _VIT_SIZES[size]
    torch_hub = f"dinov2_vit{letter}14"
    folder, file = torch_hub, f"{torch_hub}_{'reg4_' if registers else ''}pretrain.pth"
    giant = size == "giant"
    architecture = Architecture(
        family="dinov2",
        dim=dim,
        depth=depth,
        heads=heads,
        patch_size=14,
        registers=4 if registers else 0,
        mlp="swiglu" if giant else "gelu",
        hidden=4096 if giant else 4 * dim,
        position_grid=37,
        key_bias=True,
    )
    return Entry(
        name=f"dinov2-{'reg-' if registers else ''}{size}",
        architecture=architecture,
        licence=licences.APACHE,
        sources=(
            HubSource(f"facebook/dinov2-{'with-registers-' if registers else ''}{size}"),
            HubSource(f"timm/vit_{size}_patch14_{'reg4_' if registers else ''}dinov2.lvd142m"),
        ),
        official_file=file,
        official_page=f"https://dl.fbaipublicfiles.com/dinov2/{folder}/{file}",
        spellings=(f"{torch_hub}_reg" if registers else torch_hub,),
        description=f"DINOv2 ViT-{letter.upper()}/14"
        + (" with 4 registers" if registers else " without registers")
        + ", trained on LVD-142M",
    )


def _dinov3(
    arch: str,
    timm: str,
    dim: int,
    depth: int,
    heads: int,
    hidden: int,
    hash_prefix: str,
    *,
    satellite: bool = False,
) -> Entry:
    data = "sat493m" if satellite else "lvd1689m"
    largest = arch == "vit7b16"
    architecture = Architecture(
        family="dinov3",
        dim=dim,
        depth=depth,
        heads=heads,
        patch_size=16,
        registers=4,
        mlp="swiglu" if largest or arch.endswith("plus") else "gelu",
        hidden=hidden,
        query_value_bias=not largest,
    )
    trained = "trained" if largest or satellite else "distilled from the 7B model"
    return Entry(
        name=f"dinov3-{arch}{'-sat' if satellite else ''}",
        architecture=architecture,
        licence=licences.DINOV3,
        sources=(
            HubSource(f"facebook/dinov3-{arch}-pretrain-{data}", gated=True),
            HubSource(f"timm/vit_{timm}_patch16_dinov3.{data}"),
        ),
        official_file=f"dinov3_{arch}_pretrain_{data}-{hash_prefix}.pth",
        official_page=_DINOV3_PAGE,
        hash_prefix=hash_prefix,
        mean=SATELLITE_MEAN if satellite else IMAGENET_MEAN,
        std=SATELLITE_STD if satellite else IMAGENET_STD,
        spellings=(f"dinov3_{arch}{'_sat' if satellite else ''}",),
        description=f"DINOv3 {arch}, {trained} on {'SAT-493M (satellite)' if satellite else 'LVD-1689M'}",
    )


def _convnext(size: str, depths: tuple[int, ...], dims: tuple[int, ...], hash_prefix: str) -> Entry:
    return Entry(
        name=f"dinov3-convnext-{size}",
        architecture=Architecture(
            family="dinov3-convnext",
            dim=dims[-1],
            depth=len(dims),
            heads=0,
            patch_size=32,
            registers=0,
            stage_depths=depths,
            stage_dims=dims,
        ),
        licence=licences.DINOV3,
        sources=(
            HubSource(f"facebook/dinov3-convnext-{size}-pretrain-lvd1689m", gated=True),
            HubSource(f"timm/convnext_{size}.dinov3_lvd1689m"),
        ),
        official_file=f"dinov3_convnext_{size}_pretrain_lvd1689m-{hash_prefix}.pth",
        official_page=_DINOV3_PAGE,
        hash_prefix=hash_prefix,
        spellings=(f"dinov3_convnext_{size}",),
        description=f"DINOv3 ConvNeXt {size}, distilled from the 7B on LVD-1689M; its layers are its stages",
    )


def _mini(name: str, arm: str) -> Entry:
    return Entry(
        name=name,
        architecture=Architecture(
            family="dinov3", dim=128, depth=6, heads=4, patch_size=8, registers=4, hidden=512
        ),
        licence=licences.APACHE,
        description="1.2 million parameters, a DINOv3 architecture trained here on 40,000 thumbnails for "
        f"demonstrations and tests, {arm}; says nothing of DINOv3",
        bundled=True,
    )


_ALL = (
    _mini("mini", "its last steps without an anchor"),
    _mini("mini-gram", "its last steps anchored to an early Gram matrix"),
    *(
        _dinov2(size, dim, depth, heads, registers=registers)
        for registers in (False, True)
        for size, dim, depth, heads in (
            ("small", 384, 12, 6),
            ("base", 768, 12, 12),
            ("large", 1024, 24, 16),
            ("giant", 1536, 40, 24),
        )
    ),
    _dinov3("vits16", "small", 384, 12, 6, 1536, "08c60483"),
    _dinov3("vits16plus", "small_plus", 384, 12, 6, 1536, "4057cbaa"),
    _dinov3("vitb16", "base", 768, 12, 12, 3072, "73cec8be"),
    _dinov3("vitl16", "large", 1024, 24, 16, 4096, "8aa4cbdd"),
    _dinov3("vith16plus", "huge_plus", 1280, 32, 20, 5120, "7c1da9a5"),
    _dinov3("vit7b16", "7b", 4096, 40, 32, 8192, "a955f4ea"),
    _dinov3("vitl16", "large", 1024, 24, 16, 4096, "eadcf0ff", satellite=True),
    _dinov3("vit7b16", "7b", 4096, 40, 32, 8192, "a6675841", satellite=True),
    _convnext("tiny", (3, 3, 9, 3), (96, 192, 384, 768), "21b726bb"),
    _convnext("small", (3, 3, 27, 3), (96, 192, 384, 768), "296db49d"),
    _convnext("base", (3, 3, 27, 3), (128, 256, 512, 1024), "801f2ba9"),
    _convnext("large", (3, 3, 27, 3), (192, 384, 768, 1536), "61fa432d"),
)

ENTRIES: Mapping[str, Entry] = MappingProxyType({entry.name: entry for entry in _ALL})
"""By name, in the order they are listed."""

_SPELLINGS: Mapping[str, str] = MappingProxyType(
    {
        spelling.lower(): entry.name
        for entry in _ALL
        for spelling in (entry.name, *entry.spellings, *(source.repo for source in entry.sources))
    }
)

"""The text towers of models that were trained with captions: words as vectors, patches in the same space."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families import dinotxt_files, dinotxt_words
from dinoscope.backbones.families.hub_folder import find_place
from dinoscope.backbones.projections import VALUE, attention_blocks, projections
from dinoscope.backbones.quiet import quietly
from dinoscope.backbones.wrapped import Wrapped
from dinoscope.errors import BackboneError, InputError, WeightsError

TOKEN = "token"
PREFIX = "hf:"


@dataclass(frozen=True, slots=True)
class Route:
    """How a family's patches come into the space of its words.

    Attributes:
        facet: of the last block that is taken: its tokens or its attention's values.
        padding: what the tokenizer is told; as the family was trained.
        words: what is done, for people to read.
        align: patches of that facet in the words' space, given the vision trunk and the whole model.
        pooled: which pooled vector of a stored photograph is compared with words.
        align_pooled: that vector in the words' space, as ``align``.
        pooled_words: what is done with it, for people to read.
    """

    facet: str
    padding: str
    words: str
    align: Callable[[Tensor, Any, Any], Tensor]
    pooled: str
    align_pooled: Callable[[Tensor, Any, Any], Tensor]
    pooled_words: str


def _as_they_are(patches: Tensor, trunk: Any, whole: Any) -> Tensor:
    return patches


def _projected(values: Tensor, trunk: Any, whole: Any) -> Tensor:
    """Source: MaskCLIP, Zhou et al. (arXiv 2112.01071), section 3.3: the last attention's values alone."""
    block = next(m for m in trunk.modules() if isinstance(m, nn.ModuleList))[-1]
    mixed = projections(block, type(trunk).__name__).output(values)
    return torch.as_tensor(whole.visual_projection(trunk.post_layernorm(mixed)))


def _class_projected(tokens: Tensor, trunk: Any, whole: Any) -> Tensor:
    """The class token after its norm, as the model's own image vector."""
    return torch.as_tensor(whole.visual_projection(tokens))


def _pooled_alone(patches: Tensor, trunk: Any, whole: Any) -> Tensor:
    """Each patch as the pooling head would see it if it were the only one it looked at."""
    head = trunk.head
    width = patches.shape[-1]
    weight, bias = head.attention.in_proj_weight[2 * width :], head.attention.in_proj_bias[2 * width :]
    mixed = head.attention.out_proj(F.linear(patches, weight, bias))
    return torch.as_tensor(mixed + head.mlp(head.layernorm(mixed)))


_CLIP = (
    VALUE,
    "longest",
    "the last attention's values, projected (MaskCLIP)",
    _projected,
    "cls",
    _class_projected,
    "the class token, projected: the model's own image vector",
)
ROUTES: Mapping[str, Route] = {
    "tipsv2": Route(
        TOKEN,
        "max_length",
        "patch tokens, which were trained against words",
        _as_they_are,
        "mean",
        _as_they_are,
        "the mean patch token as it is",
    ),
    "clip": Route(*_CLIP),
    "metaclip_2": Route(*_CLIP),
    "siglip": Route(
        TOKEN,
        "max_length",
        "the value path of the pooling head",
        _pooled_alone,
        "mean",
        _pooled_alone,
        "the mean patch token by the pooling head's value path: not the model's own image vector",
    ),
}
"""By ``model_type``. SigLIP 2 of a fixed size is a ``siglip``."""

DINOTXT = Route(
    TOKEN,
    "max_length",
    "patch tokens behind the vision head, with the half of a text's vector that was trained against them",
    _as_they_are,
    "mean",
    _as_they_are,
    "the mean patch token behind the vision head: the second half of the model's own image vector",
)
READERS = f"as hf:ORG/NAME: {', '.join(ROUTES)}; and {dinotxt_files.NAME}"
"""Who reads words, for people."""


@dataclass(frozen=True, slots=True, eq=False)
class TextTower:
    """The part of a model that reads words, and how its patches come to them.

    Attributes:
        name: of the model.
        route: of its family.
        whole: the model; its own vision trunk is not used.
        tokenizer: its.
        longest: tokens it reads at most.
    """

    name: str
    route: Route
    whole: Any
    tokenizer: Any
    longest: int

    def encode(self, words: Sequence[str]) -> Float[Tensor, "t dim"]:
        """A unit vector for each text.

        Raises:
            InputError: an empty text, or one longer than the model reads.
        """
        for text in words:
            if not text.strip():
                raise InputError("an empty text has no meaning to look for")
            n = len(self.tokenizer(text)["input_ids"])
            if n > self.longest:
                raise InputError(f"{text[:40]!r}… has {n} tokens, {self.name} reads {self.longest} at most")
        fed = self.tokenizer(
            list(words), padding=self.route.padding, max_length=self.longest, return_tensors="pt"
        )
        with torch.no_grad():
            found = self.whole.get_text_features(**{k: v for k, v in fed.items() if k != "token_type_ids"})
        vectors = getattr(found, "pooler_output", found)
        return F.normalize(vectors.float(), dim=-1)

    def align(self, patches: Float[Tensor, "n dim"], backbone: Backbone) -> Float[Tensor, "n dim_text"]:
        """Patches of the route's facet in the space of the words."""
        with torch.no_grad():
            return self.route.align(patches, _trunk(backbone), self.whole).float()

    def align_pooled(
        self, vectors: Float[Tensor, "n dim"], backbone: Backbone
    ) -> Float[Tensor, "n dim_text"]:
        """Vectors of the route's pooling in the space of the words."""
        with torch.no_grad():
            return self.route.align_pooled(vectors, _trunk(backbone), self.whole).float()


def _trunk(backbone: Backbone) -> Any:
    inner: Any = backbone
    while isinstance(inner, Wrapped):
        inner = inner.inner
    return inner.model


def check_reads_words(name: str) -> None:
    """Refuse a model that cannot have a text tower, by its name.

    Raises:
        BackboneError: it has none; names the families that have.
    """
    if not name.startswith(PREFIX) and name.partition(":")[0] != dinotxt_files.NAME:
        raise BackboneError(f"{name} reads no words; these families do, {READERS}")


def text_tower(backbone: Backbone) -> TextTower:
    """The text tower of a backbone that has one, from where its weights came.

    Raises:
        BackboneError: it has none; names the families that have.
        WeightsError: its tokenizer or its text weights are not beside the others.
    """
    name = backbone.spec.name
    check_reads_words(name)
    attention_blocks(backbone)
    return _loaded(name)


@lru_cache(maxsize=2)
def _loaded(name: str) -> TextTower:
    if not name.startswith(PREFIX):
        return TextTower(name, DINOTXT, *dinotxt_words.load_words(name.partition(":")[2]))
    import transformers

    folder = find_place(name.removeprefix(PREFIX), name).folder
    try:
        config: Any = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        route = ROUTES.get(config.model_type)
        if route is None or not hasattr(config, "text_config"):
            raise BackboneError(
                f"{name} is a {config.model_type} model, which reads no words; these families do, {READERS}"
            )
        with quietly():
            whole: Any = transformers.AutoModel.from_pretrained(
                folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
            )
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        advise = ("the tokenizer's files must lie beside the weights",)
        raise WeightsError(name, f"its text tower cannot be loaded: {first[:200]}", advise) from error
    longest = int(config.text_config.max_position_embeddings)
    return TextTower(name, route, whole.eval().requires_grad_(False), tokenizer, longest)

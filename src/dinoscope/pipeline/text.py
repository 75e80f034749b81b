"""Where in a photograph are these words? Cosines of every patch with each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float64

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import as_backbone
from dinoscope.backbones.text import text_tower
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.photographs import ImageLike

PLAIN = ("{}",)
PHOTOGRAPHS = ("a photo of a {}.", "a photo of the {}.", "a blurry photo of a {}.", "a photo of many {}.")
"""Templates to choose from; each text is put into every one, and the mean direction is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class TextMap:
    """Cosines of patches with texts.

    Attributes:
        values: in [-1, 1].
        words: one for each map.
        route: how the model's patches come into the space of its words.
        grid: of the photograph.
    """

    values: Float64[np.ndarray, "t h w"]
    words: tuple[str, ...]
    route: str
    grid: PatchGrid

    def __repr__(self) -> str:
        return f"TextMap({', '.join(map(repr, self.words))}: {self.grid.h}x{self.grid.w} patches)"

    def best(self, text: int = 0) -> tuple[float, float]:
        """The place ``(x, y)`` of the patch that is most like a text."""
        row, col = np.unravel_index(int(self.values[text].argmax()), self.grid.shape)
        return self.grid.centre(int(row), int(col))

    def shares(self, temperature: float = 0.01) -> Float64[np.ndarray, "t h w"]:
        """Softmax over the texts, which sums to 1 at every patch: which of these words, not whether any.

        Raises:
            InputError: a temperature that is not above 0.
        """
        if not temperature > 0:
            raise InputError(f"the temperature must be above 0, got {temperature}")
        scaled = (self.values - self.values.max(axis=0)) / temperature
        powers = np.exp(scaled)
        return np.asarray(powers / powers.sum(axis=0))


def text_map(
    image: ImageLike,
    backbone: Backbone | str,
    words: Sequence[str],
    *,
    grid: int | tuple[int, int] = 32,
    templates: Sequence[str] = PLAIN,
) -> TextMap:
    """Cosine of every patch with each text.

    Only models trained with captions can: TIPSv2, SigLIP, CLIP and MetaCLIP 2, as ``hf:ORG/NAME`` or a
    folder, and ``dinotxt``. How their patches come into the space of words differs by family, and stands
    in the result.

    Args:
        image: one photograph.
        backbone: such a model, or its name.
        words: texts.
        grid: patches on the short side, or the exact ``(h, w)``.
        templates: sentences with ``{}`` for the text; `PHOTOGRAPHS` are some.

    Raises:
        BackboneError: a model that reads no words; names the families that do.
        WeightsError: its tokenizer or text weights are missing.
        InputError: no text, an empty one, one too long for the model, or a template without ``{}``.
        ImageError: the photograph cannot be used.
    """
    if isinstance(words, str) or not words:
        raise InputError('words are a list of texts: ["a cat", "grass"]')
    for template in templates:
        if "{}" not in template:
            raise InputError(f"the template {template!r} has no {{}} for the text")
    model = as_backbone(backbone)
    tower = text_tower(model)
    (features,) = extract(image, model, grid=grid, facet=tower.route.facet)
    patches = torch.from_numpy(np.array(features.values)).flatten(0, 1)
    aligned = torch.nn.functional.normalize(tower.align(patches, model).double(), dim=-1)
    rows = [tower.encode([template.format(text) for template in templates]).double() for text in words]
    texts = torch.nn.functional.normalize(torch.stack([row.mean(dim=0) for row in rows]), dim=-1)
    values = (texts @ aligned.T).reshape(len(words), *features.grid.shape)
    return TextMap(values.numpy(), tuple(words), tower.route.words, features.grid)

"""Features of one photograph by many recipes, with as few forward passes as they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from dinoscope.backbones.alternatives import varies, with_attention, with_positions
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import torch_dtype
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import BackboneSpec, check_layers
from dinoscope.doctor.diagnosis import Recipe
from dinoscope.doctor.explain.pixels import stored_photograph, wrong_pixels
from dinoscope.doctor.explain.variants import n_prefix
from dinoscope.errors import InputError

Load = Callable[[str], Backbone]


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The map of a recipe.

    Attributes:
        rows: its patches, row by row.
        shape: ``(h, w)``.
    """

    rows: Float32[np.ndarray, "n dim"]
    shape: tuple[int, int]


class Renderer:
    """Renders recipes of one photograph; keeps each model it has loaded.

    Args:
        photograph: upright, at full size.
        load: a backbone in float32 from its name.
    """

    def __init__(self, photograph: Photograph, load: Load) -> None:
        self._photograph = photograph
        self._stored = stored_photograph(photograph)
        self._load = load
        self._models: dict[str, Backbone] = {}

    @property
    def turned(self) -> bool:
        """Whether the photograph's file has an EXIF orientation."""
        return self._stored is not None

    def backbone(self, model: str) -> Backbone:
        """The model in float32."""
        if model not in self._models:
            self._models[model] = self._load(model)
        return self._models[model]

    def spec(self, model: str) -> BackboneSpec:
        """Facts of the model."""
        return self.backbone(model).spec

    def varies(self, model: str) -> bool:
        """Whether its attention and positions can be varied."""
        return varies(self.backbone(model))

    def one(self, recipe: Recipe) -> Rendered:
        """The map of one recipe.

        Raises:
            InputError: the recipe is impossible for this model or photograph, or gives NaN.
        """
        ((_, found),) = self.each([recipe])
        if isinstance(found, InputError):
            raise found
        return found

    def each(self, recipes: Sequence[Recipe]) -> Iterator[tuple[int, Rendered | InputError]]:
        """Position and map of each recipe, those of one forward pass together; or what is wrong."""
        groups: dict[Recipe, list[int]] = {}
        for i, recipe in enumerate(recipes):
            groups.setdefault(replace(recipe, layer=None, skip=None, layout="rows"), []).append(i)
        for shared, members in groups.items():
            try:
                depth = self.spec(shared.model).depth
                layers = {i: check_layers(_asked(recipes[i]), depth)[0] for i in members}
                outputs, shape = self._outputs(shared, tuple(sorted(set(layers.values()))))
            except InputError as error:
                yield from ((i, error) for i in members)
                continue
            except RuntimeError as error:  # torch has no kernel for some dtypes on some devices
                yield from ((i, InputError(str(error))) for i in members)
                continue
            for i in members:
                try:
                    yield i, self._cut(recipes[i], outputs, layers[i], shape)
                except InputError as error:
                    yield i, error

    def _outputs(self, recipe: Recipe, layers: tuple[int, ...]) -> tuple[LayerOutputs, tuple[int, int]]:
        backbone = self.backbone(recipe.model)
        photograph = self._photograph
        if recipe.orientation == "stored":
            photograph = self._stored or photograph
        pixels, shape = wrong_pixels(photograph, recipe, backbone.spec)
        deviating = with_positions(with_attention(backbone, recipe.attention), recipe.positions)
        dtype = torch_dtype(recipe.dtype)
        running = deviating if dtype == deviating.dtype else deviating.to(deviating.device, dtype)
        with torch.inference_mode():
            return running.forward(pixels, layers, final_norm=recipe.norm), shape

    def _cut(self, recipe: Recipe, outputs: LayerOutputs, layer: int, shape: tuple[int, int]) -> Rendered:
        patches: Tensor = outputs.patches[layer][0]
        h, w = patches.shape[:2]
        rows = patches.reshape(h * w, -1)
        if recipe.skip is not None:
            rows = self._sliced(recipe, outputs, layer, rows)
        values = rows.float().cpu().numpy()
        if not np.isfinite(values).all():
            raise InputError(f"{recipe.model} gives NaN or infinite features")
        if recipe.layout in ("transposed", "columns"):
            values = values.reshape(h, w, -1).transpose(1, 0, 2).reshape(h * w, -1)
        return Rendered(values, (h, w) if recipe.layout in ("rows", "columns") else (w, h))

    def _sliced(self, recipe: Recipe, outputs: LayerOutputs, layer: int, rows: Tensor) -> Tensor:
        spec = self.spec(recipe.model)
        registers = outputs.registers[layer][0] if layer in outputs.registers else rows[:0]
        before = [outputs.cls[layer], registers] if layer in outputs.cls else [registers]
        n_before = sum(len(part) for part in before)
        if spec.staged or not spec.heads:
            raise InputError(f"skip={recipe.skip}: {spec.name} has no token sequence")
        if recipe.skip is None or recipe.skip > n_before:
            raise InputError(
                f"skip={recipe.skip}: {spec.name} has {n_before} tokens before its patches; "
                f"leave out at most {n_prefix(spec)}"
            )
        return torch.cat([*before, rows])[recipe.skip : recipe.skip + len(rows)]


def _asked(recipe: Recipe) -> tuple[int, ...] | None:
    return None if recipe.layer is None else (recipe.layer,)

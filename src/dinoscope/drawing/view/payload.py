"""The payload: everything the interactive view is fed, and the whole contract with its JavaScript.

A payload is a header (JSON) and one run of bytes. The header names every field in `FIELDS`, no more
and no fewer; ``static/payload.mjs`` holds the same table, and refuses another `PAYLOAD_VERSION`.
Bytes are cut into the header's ``blobs`` in order; fields that end in ``_blob`` are their indices.

Patches of one model are numbered through all photographs, each photograph row-major.
"""

from __future__ import annotations

import io
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from dinoscope.data.features import PatchFeatures
from dinoscope.data.kinds import check_kind
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison, Maps, ModelResult
from dinoscope.drawing.disagreement import disagreements
from dinoscope.drawing.view.codec import TOLERANCE, encode_tokens
from dinoscope.errors import InputError

PAYLOAD_VERSION = 4

FIELDS: Mapping[str, tuple[str, ...]] = {
    "header": (
        "version",
        "photographs",
        "models",
        "grids",
        "points",
        "components",
        "colours",
        "made_by",
        "blobs",
    ),
    "photograph": ("name", "size", "notes", "disagreement", "image_blob"),
    "model": (
        "label",
        "name",
        "digest",
        "layer",
        "layer_of",
        "dtype",
        "dim",
        "patch_size",
        "kind",
        "aligned_to",
        "residual",
        "coloured_by",
        "explained_variance_ratio",
        "tokens",
        "n_scores",
        "scores_blob",
        "colours_blob",
    ),
    "tokens": (
        "n",
        "n_planes",
        "axis",
        "step_blob",
        "mean_blob",
        "planes_blob",
        "norms_blob",
        "tolerance",
        "largest_error",
        "pairs",
        "all_pairs",
    ),
    "grid": ("h", "w"),
    "blob": ("length", "type", "deflated"),
}
"""Every field of the header, by kind of record.

photograph: ``size`` is (W, H) of the upright original, in pixels; ``disagreement`` as in
`dinoscope.drawing.disagreement`, null where it is not known; the image blob is a JPEG preview.
model: ``digest`` is of its weights, empty without any; ``layer_of`` is the place of the model that this is
another layer of, null for the layer that was asked for; ``kind`` as in `BackboneSpec.kind`;
``scores_blob`` has one row of bytes for each
component, 0 and 255 at the basis's limits; ``colours_blob`` has three bytes for each patch. tokens: see
`codec.CodedTokens`; ``axis`` is a list, ``largest_error`` the measured difference of a cosine from the
float64 cosine of the original features over ``pairs`` pairs. grids: by photograph, then by model. points:
(x, y) in [0, 1]². components: 0-based, those that the colours show. colours, coloured_by: as in
`dinoscope.data.results`. made_by: the program and its version.
"""

_PREVIEW_SIDE_PX = 1_024
_JPEG_QUALITY = 82
_PACKINGS = ((6, zlib.Z_DEFAULT_STRATEGY), (9, zlib.Z_HUFFMAN_ONLY))
_TRIED_BYTES = 2**16


@dataclass(frozen=True, slots=True)
class Payload:
    """What the view is fed.

    Attributes:
        header: JSON text; ASCII, and safe inside a script element.
        data: the blobs, one after the other.
    """

    header: str
    data: bytes


def comparison_payload(comparison: Comparison, *, tolerance: float = TOLERANCE) -> Payload:
    """The payload of a comparison.

    Args:
        comparison: photographs of it are shrunk to at most 1,024 px on the long side.
        tolerance: largest difference of a cosine from that of the original features.

    Raises:
        InputError: there is no photograph or no model, or the tolerance cannot be met.
    """
    check_kind(comparison, Comparison, "ds.compare returns one")
    if not comparison.photographs or not comparison.models:
        raise InputError("a view needs at least one photograph and one model")
    blobs = _Blobs()
    columns = _columns(comparison)
    header = {
        "version": PAYLOAD_VERSION,
        "photographs": [
            _photograph(photo, float(disagreement), blobs)
            for photo, disagreement in zip(comparison.photographs, disagreements(comparison), strict=True)
        ],
        "models": [_model(column, tolerance, blobs) for column in columns],
        "grids": [
            [{"h": f.grid.h, "w": f.grid.w} for f in row]
            for row in zip(*(column.features for column in columns), strict=True)
        ],
        "points": [[float(x), float(y)] for x, y in comparison.points],
        "components": [int(k) for k in comparison.components],
        "colours": comparison.colours,
        "made_by": _made_by(comparison),
        "blobs": blobs.records,
    }
    return Payload(_script_safe(header), b"".join(blobs.parts))


class _Column(NamedTuple):
    """A model, or another layer of one, through all photographs."""

    model: ModelResult
    features: tuple[PatchFeatures, ...]
    maps: tuple[Maps, ...]
    layer_of: int | None


def _columns(comparison: Comparison) -> list[_Column]:
    features, maps = (list(zip(*rows, strict=True)) for rows in (comparison.features, comparison.maps))
    models = [_Column(*column, None) for column in zip(comparison.models, features, maps, strict=True)]
    return [*models, *(_Column(f.model, f.features, f.maps, f.of) for f in comparison.further)]


def _made_by(comparison: Comparison) -> str:
    versions = comparison.settings.get("versions")
    version = versions.get("dinoscope", "") if isinstance(versions, Mapping) else ""
    return f"dinoscope {version}".strip()


class _Blobs:
    """Collects bytes and their records."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.records: list[dict[str, object]] = []

    def add(self, data: bytes, kind: str, *, deflate: bool = True) -> int:
        """Appends one blob and returns its index."""
        if deflate:
            data = _deflate(data)
        self.parts.append(data)
        self.records.append({"length": len(data), "type": kind, "deflated": deflate})
        return len(self.parts) - 1


def _photograph(photo: Photograph, disagreement: float, blobs: _Blobs) -> dict[str, object]:
    return {
        "name": photo.name,
        "size": [int(photo.size[0]), int(photo.size[1])],
        "notes": list(photo.notes),
        "disagreement": _number(disagreement),
        "image_blob": blobs.add(_jpeg(photo.pixels), "jpeg", deflate=False),
    }


def _model(column: _Column, tolerance: float, blobs: _Blobs) -> dict[str, object]:
    model, maps = column.model, column.maps
    flat = np.concatenate([f.values.reshape(-1, f.dim) for f in column.features])
    tokens = encode_tokens(flat, tolerance=tolerance)
    scores = np.concatenate([m.scores.reshape(-1, m.scores.shape[2]) for m in maps])
    colours = np.concatenate([m.colours.reshape(-1, 3) for m in maps])
    low, high = model.pca.limits[: scores.shape[1]].T
    spread = np.where(high > low, high - low, 1.0)
    ratios = model.pca.explained_variance_ratio[: scores.shape[1]]
    return {
        "label": model.label,
        "name": model.spec.name,
        "digest": model.origin.digest,
        "layer": model.layer,
        "layer_of": column.layer_of,
        "dtype": model.dtype,
        "dim": model.spec.dim,
        "patch_size": model.spec.patch_size,
        "kind": model.spec.kind,
        "aligned_to": model.alignment.reference if model.alignment else None,
        "residual": _number(model.alignment.residual) if model.alignment else None,
        "coloured_by": model.coloured_by,
        "explained_variance_ratio": [_number(ratio) for ratio in ratios],
        "tokens": {
            "n": len(tokens.norms),
            "n_planes": len(tokens.planes),
            "axis": tokens.axis.tolist(),
            "step_blob": blobs.add(tokens.step.astype("<f4").tobytes(), "float32"),
            "mean_blob": blobs.add(tokens.mean.astype("<f4").tobytes(), "float32"),
            "planes_blob": blobs.add(tokens.planes.tobytes(), "int8"),
            "norms_blob": blobs.add(tokens.norms.astype("<f4").tobytes(), "float32"),
            "tolerance": tolerance,
            "largest_error": _round_up(tokens.error.largest),
            "pairs": tokens.error.pairs,
            "all_pairs": tokens.error.all_pairs,
        },
        "n_scores": scores.shape[1],
        "scores_blob": blobs.add(_bytes_of((scores - low) / spread).T.tobytes(), "uint8"),
        "colours_blob": blobs.add(_bytes_of(colours).tobytes(), "uint8"),
    }


def _bytes_of(shares: Float[np.ndarray, "n k"]) -> UInt8[np.ndarray, "n k"]:
    """[0, 1] as 0 to 255, clipped."""
    return np.rint(np.clip(np.nan_to_num(shares), 0, 1) * 255).astype(np.uint8)


def _jpeg(pixels: UInt8[np.ndarray, "H W 3"]) -> bytes:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((_PREVIEW_SIDE_PX, _PREVIEW_SIDE_PX), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    return out.getvalue()


def _deflate(data: bytes) -> bytes:
    """Zlib format; of matching and of Huffman coding alone, which suits noise better, the one that makes less
    of the middle `_TRIED_BYTES`.
    """
    start = max(0, (len(data) - _TRIED_BYTES) // 2)
    tried = data[start : start + _TRIED_BYTES]
    return _packed(data, min(_PACKINGS, key=lambda packing: len(_packed(tried, packing))))


def _packed(data: bytes, packing: tuple[int, int]) -> bytes:
    level, strategy = packing
    squeeze = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
    return squeeze.compress(data) + squeeze.flush()


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _round_up(error: float) -> float:
    """Up to the next 1e-6, and that for 32-bit arithmetic on both sides."""
    return (math.ceil(error * 1e6) + 1) / 1e6


def _script_safe(header: Mapping[str, object]) -> str:
    """JSON in which no text can end or open a script element or a comment."""
    text = json.dumps(header, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")

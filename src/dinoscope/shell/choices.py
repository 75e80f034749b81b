"""The closed sets of words on the command line, as types, so that Typer offers and checks them.

They repeat what rooms hold that are too heavy to import for a list of options; a test holds them equal.
"""

from __future__ import annotations

from typing import Literal

ResizeFilter = Literal["bilinear", "bicubic", "official"]
Dtype = Literal["float32", "bfloat16", "float16"]
Facet = Literal["token", "key", "query", "value", "rotated-key", "rotated-query"]
MaskKind = Literal["regions", "instances", "classes"]
Foreground = Literal["none", "pc1"]
Pooling = Literal["mean", "cls", "gem", "foreground"]
FeatureFormat = Literal["safetensors", "npz"]
ExportFormat = Literal["onnx"]
Engine = Literal["local", "ray"]

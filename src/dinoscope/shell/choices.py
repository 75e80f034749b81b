"""The closed sets of words on the command line, as types, so that Typer offers and checks them.

They repeat what rooms hold that are too heavy to import for a list of options; a test holds them equal.
"""

from __future__ import annotations

from typing import Literal

ResizeFilter = Literal["bilinear", "bicubic", "official"]
Dtype = Literal["float32", "bfloat16", "float16"]
Decode = Literal["full", "reduced"]
Facet = Literal["token", "key", "query", "value", "rotated-key", "rotated-query"]
Repair = Literal["none", "registers"]
Recipe = Literal["v2-v3"]
Layout = Literal["voc", "ade20k", "cityscapes", "coco-stuff", "davis"]
MaskKind = Literal["regions", "instances", "classes"]
Foreground = Literal["none", "pc1"]
Colours = Literal["pca", "spectral", "clusters"]
Pooling = Literal["mean", "cls", "gem", "foreground"]
FeatureFormat = Literal["safetensors", "npz"]
ExportFormat = Literal["onnx", "openvino"]
Engine = Literal["local", "ray"]
IndexKind = Literal["IVF_SQ8", "IVF_RQ"]

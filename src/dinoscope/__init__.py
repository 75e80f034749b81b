"""dinoscope: an instrument for dense visual features.

Point it at photographs and at two or more vision backbones: it shows side by side, on fair terms,
how their patch features organise an image, and puts honest numbers on it.

The public names are imported when first used, so that ``import dinoscope`` costs next to nothing and
does not import torch. Their types are in ``__init__.pyi``.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "data.features": ("PatchFeatures", "Provenance"),
    "data.grid": ("PatchGrid",),
    "data.photograph": ("Photograph",),
    "data.spec": ("BackboneSpec", "evenly", "last"),
    "data.layers": ("LayerOutputs",),
    "data.retrieval": ("Hits", "Match", "RetrievalScores"),
    "data.results": ("Comparison", "Measurements", "PatchPCA", "SimilarityMap", "Smoothness"),
    "backbones.load": ("load_backbone",),
    "io.images": ("read_photograph",),
    "io.features": ("read_features",),
    "pipeline.extract": ("extract", "extract_layers"),
    "maths.pca": ("fit_pca", "merge_moments", "patch_moments", "pca_of_moments", "to_rgb"),
    "maths.similarity": ("similarity_map",),
    "maths.smoothness": ("smoothness",),
    "maths.foreground": ("fit_foreground", "foreground_by_pc1"),
    "maths.align": ("align_colours",),
    "maths.gram": ("gram_distance",),
    "maths.gram_loss": ("gram_loss",),
    "scenes.scene": ("Scene", "SceneSettings"),
    "scenes.write": ("write_scenes",),
    "comparison.content_free": ("position_basis", "without_position"),
    "pipeline.embed": ("embed",),
    "store.store": ("FeatureStore", "open_store", "pooled_vectors"),
    "store.index": ("build_index",),
    "store.suppressions": ("load_suppression", "save_suppression"),
    "store.export": ("write_npz", "write_parquet", "write_safetensors"),
    "retrieval.search": ("near_duplicates", "search"),
    "retrieval.fits": ("fit_suppression",),
    "retrieval.patches": ("search_patches", "why_match"),
    "evaluation.evaluate": ("evaluate_retrieval",),
    "evaluation.revisited": ("evaluate_revisited",),
    "evaluation.background_alone": ("background_alone",),
    "evaluation.pictures": ("retrieval_pictures",),
    "evaluation.revisited_truth": ("read_revisited",),
    "comparison.measure": ("measure",),
    "comparison.compare": ("compare",),
    "comparison.report.report": ("write_report",),
    "comparison.figures.maps": (
        "plot_components",
        "plot_overview",
        "plot_pca",
        "plot_photograph",
        "plot_similarity",
    ),
    "comparison.figures.plane": ("plot_plane",),
    "comparison.figures.gram": ("plot_gram",),
    "comparison.tables.paper": ("metrics_latex", "metrics_markdown"),
    "comparison.figures.curves": ("plot_curve", "plot_distance"),
    "retrieval.figures.match": ("plot_match",),
    "evaluation.report.figures": ("plot_gains", "plot_ranks"),
    "evaluation.report.page": ("write_retrieval",),
    "comparison.output": ("write_comparison",),
    "drawing.view.standalone": ("view_fragment",),
    "drawing.view.widget": ("widget",),
    "errors": (
        "BackboneError",
        "CorruptStoreError",
        "DinoscopeError",
        "EmptyIndexError",
        "GridMismatchError",
        "ImageError",
        "InputError",
        "LayerError",
        "MissingExtraError",
        "MissingFeaturesError",
        "NoUsablePhotographError",
        "ProvenanceMismatchError",
        "SchemaVersionError",
        "SearchError",
        "ShapeError",
        "StoreError",
        "StoreInUseError",
        "UnknownBackboneError",
        "WeightsError",
    ),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'dinoscope' has no attribute {name!r}")
    value = getattr(import_module(f"dinoscope.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

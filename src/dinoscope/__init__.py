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
    "analyses.content_free": ("position_basis", "without_position"),
    "pipeline.embed": ("embed",),
    "io.store": ("FeatureStore", "open_store", "pooled_vectors"),
    "io.store_index": ("build_index",),
    "io.store_suppressions": ("load_suppression", "save_suppression"),
    "io.store_export": ("write_npz", "write_parquet", "write_safetensors"),
    "analyses.search": ("near_duplicates", "search"),
    "analyses.search_fits": ("fit_suppression",),
    "analyses.search_patches": ("search_patches", "why_match"),
    "analyses.evaluate_retrieval": ("evaluate_retrieval",),
    "analyses.evaluate_revisited": ("evaluate_revisited",),
    "analyses.background_alone": ("background_alone",),
    "analyses.retrieval_pictures": ("retrieval_pictures",),
    "io.revisited": ("read_revisited",),
    "analyses.measure": ("measure",),
    "analyses.compare": ("compare",),
    "present.report": ("write_report",),
    "present.figures": (
        "plot_components",
        "plot_overview",
        "plot_pca",
        "plot_photograph",
        "plot_similarity",
    ),
    "present.plane": ("plot_plane",),
    "present.gram_figure": ("plot_gram",),
    "present.metric_tables": ("metrics_latex", "metrics_markdown"),
    "present.curves_figure": ("plot_curve", "plot_distance"),
    "present.match_figure": ("plot_match",),
    "present.retrieval_figures": ("plot_gains", "plot_ranks"),
    "present.retrieval_page": ("write_retrieval",),
    "present.output": ("write_comparison",),
    "present.embed": ("view_fragment",),
    "present.widget": ("widget",),
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

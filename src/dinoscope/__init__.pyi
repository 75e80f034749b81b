from __future__ import annotations

from dinoscope.analyses.compare import compare as compare
from dinoscope.analyses.measure import measure as measure
from dinoscope.backbones.load import load_backbone as load_backbone
from dinoscope.data.features import PatchFeatures as PatchFeatures
from dinoscope.data.features import Provenance as Provenance
from dinoscope.data.grid import PatchGrid as PatchGrid
from dinoscope.data.layers import LayerOutputs as LayerOutputs
from dinoscope.data.photograph import Photograph as Photograph
from dinoscope.data.results import Comparison as Comparison
from dinoscope.data.results import Measurements as Measurements
from dinoscope.data.results import PatchPCA as PatchPCA
from dinoscope.data.results import SimilarityMap as SimilarityMap
from dinoscope.data.results import Smoothness as Smoothness
from dinoscope.data.spec import BackboneSpec as BackboneSpec
from dinoscope.data.spec import evenly as evenly
from dinoscope.data.spec import last as last
from dinoscope.errors import BackboneError as BackboneError
from dinoscope.errors import DinoscopeError as DinoscopeError
from dinoscope.errors import GridMismatchError as GridMismatchError
from dinoscope.errors import ImageError as ImageError
from dinoscope.errors import InputError as InputError
from dinoscope.errors import LayerError as LayerError
from dinoscope.errors import MissingExtraError as MissingExtraError
from dinoscope.errors import NoUsablePhotographError as NoUsablePhotographError
from dinoscope.errors import ShapeError as ShapeError
from dinoscope.errors import UnknownBackboneError as UnknownBackboneError
from dinoscope.errors import WeightsError as WeightsError
from dinoscope.io.features import read_features as read_features
from dinoscope.io.images import read_photograph as read_photograph
from dinoscope.maths.align import align_colours as align_colours
from dinoscope.maths.foreground import fit_foreground as fit_foreground
from dinoscope.maths.foreground import foreground_by_pc1 as foreground_by_pc1
from dinoscope.maths.gram import gram_distance as gram_distance
from dinoscope.maths.gram import gram_loss as gram_loss
from dinoscope.maths.pca import fit_pca as fit_pca
from dinoscope.maths.pca import merge_moments as merge_moments
from dinoscope.maths.pca import patch_moments as patch_moments
from dinoscope.maths.pca import pca_of_moments as pca_of_moments
from dinoscope.maths.pca import to_rgb as to_rgb
from dinoscope.maths.similarity import similarity_map as similarity_map
from dinoscope.maths.smoothness import smoothness as smoothness
from dinoscope.pipeline.extract import extract as extract
from dinoscope.pipeline.extract import extract_layers as extract_layers
from dinoscope.present.embed import view_fragment as view_fragment
from dinoscope.present.figures import plot_components as plot_components
from dinoscope.present.figures import plot_overview as plot_overview
from dinoscope.present.figures import plot_pca as plot_pca
from dinoscope.present.figures import plot_photograph as plot_photograph
from dinoscope.present.figures import plot_similarity as plot_similarity
from dinoscope.present.output import write_comparison as write_comparison
from dinoscope.present.report import write_report as write_report
from dinoscope.present.widget import widget as widget

__version__: str
__all__: list[str]

# %% [markdown]
# # Which backbone for my dense task?
#
# You have photographs, some of them with label images, and a few candidates. Three questions, in this order: is the
# comparison fair, who is sharper and who is more coherent *on my photographs*, and by how much compared with what
# colour alone would do?
#
# Here the photographs are 24 procedural scenes, whose labels are exact, and the candidates are the two bundled toy models
# and the same architecture with random weights. Put your own folder and `["dinov2-reg-base", "dinov3-vitb16"]`
# in their place.

# %%
import tempfile
from pathlib import Path

from IPython.display import Markdown

import dinoscope as ds

# %matplotlib inline
# %config InlineBackend.print_figure_kwargs = {"dpi": 120, "bbox_inches": None}

MODELS = ["mini", "mini-gram", "random:mini"]
folder = Path(tempfile.mkdtemp())
ds.write_scenes(folder, 24, seed=3, size=(128, 128))
PHOTOGRAPHS = sorted((folder / "images").glob("*.png"))
MASKS = folder  # label images named like the photographs, or a folder of scenes

# %%
backbones = [ds.load_backbone(name) for name in MODELS]
measured = ds.measure(PHOTOGRAPHS, backbones, grid=16, masks=MASKS)

# %% [markdown]
# ## The picture
#
# Right is sharper: cosine drops where objects end. Up is more coherent: it holds within an object and not across
# objects. Grey points know nothing of objects; a candidate that does not leave them behind has learnt little that
# these photographs can show.

# %%
ds.plot_plane(measured)

# %% [markdown]
# ## The table
#
# All numbers with their intervals, and the paired differences to the first model. What a metric must be read with
# stands beneath it. `metrics_latex` prints the same for a paper.

# %%
Markdown(ds.metrics_markdown(measured))

# %% [markdown]
# ## How to decide
#
# * For **segmentation and correspondence**, look at k-NN mIoU first: it asks the features themselves, without training.
# * If two candidates differ by less than their paired interval, they are not told apart by these photographs. More
#   photographs narrow it; a finer grid does not.
# * **Smoother is not sharper.** A higher neighbour cosine with an unchanged boundary AUC is no gain in sharpness; what
#   it is, these two do not say. With a high position R², part of it is place: measure again with
#   `ds.without_position(backbone, 16)`.
# * Equal grids were compared, not equal cost: a model with smaller patches saw fewer pixels per patch and more
#   patches per pixel.

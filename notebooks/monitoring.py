# %% [markdown]
# # Watch the patches of a network in training
#
# Long self-supervised training can improve the class token while patch features get worse (DINOv3, arXiv 2508.10104,
# section 4.1, for models above 300 million parameters). A loss does not show it. What does: a few numbers per
# checkpoint on held-out images with masks, and maps of the same photographs in *one* basis.
#
# The checkpoints here are kept in this repository: the early and the last state of one small training run, and two ways
# it went on, without and with a Gram anchor. Any checkpoint `load_backbone` reads will do: a Hugging Face
# folder, or a `.pth` or `.safetensors` file in the official or timm layout.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import skimage

import dinoscope as ds

# %config InlineBackend.print_figure_kwargs = {"dpi": 120, "bbox_inches": None}

RUN = Path("../experiments")
CHECKPOINTS = {
    "step 400": RUN / "pilot/snapshots/step-00000400",
    "step 2,400": RUN / "arms/seed-0/continue/teacher",
    "step 2,400, anchored": RUN / "arms/seed-0/gram-x2/teacher",
}
networks = {name: ds.load_backbone(weights=path) for name, path in CHECKPOINTS.items()}

# %% [markdown]
# ## Numbers
#
# Patch k-NN mIoU and sharpness say what dense quality is left, coherence whether objects hold together, effective rank
# whether the features collapse, CLS-patch cosine whether patches drift towards the class token, position R² whether
# they learn their place instead of their content.

# %%
folder = Path(tempfile.mkdtemp())
ds.write_scenes(folder, 20, seed=7, size=(128, 128))
scenes = sorted((folder / "images").glob("*.png"))
measured = ds.measure(scenes, list(networks.values()), grid=16, masks=folder, controls=False)
watched = ("boundary_auc", "coherence_auc", "effective_rank", "cls_patch", "knn_miou", "position_r2")
print(" " * 22 + "".join(f"{key:>16}" for key in watched))
for j, name in enumerate(networks):
    values = [
        measured.summaries[key][j].mean if key in measured.summaries else measured.collection[key][j]
        for key in watched
    ]
    print(f"{name:22}" + "".join(f"{value:16.3f}" for value in values))

# %% [markdown]
# ## The same photograph in one basis
#
# One basis over all checkpoints: a colour is the same direction of feature space in every picture. A network that has
# turned away from the others shows it.

# %%
photograph = Path(skimage.__file__).parent / "data" / "chelsea.png"
features = {name: next(ds.extract(photograph, network, grid=32)) for name, network in networks.items()}
basis = ds.fit_pca(list(features.values()))
figure, axes = plt.subplots(2, len(features), figsize=(9, 4.2))
for column, (name, f) in zip(axes.T, features.items(), strict=True):
    column[0].imshow(ds.to_rgb(basis.project(f), limits=basis.limits))
    column[0].set_title(name, fontsize=9)
    column[1].imshow(ds.similarity_map(f, at=(0.45, 0.45)).values, vmin=0, vmax=1)
    for ax in column:
        ax.set_axis_off()
figure.suptitle(
    "components 1 to 3 in one basis; cosine with the patch at (0.45, 0.45), from 0 to 1", fontsize=8, y=0.02
)
plt.show()

# %% [markdown]
# ## A rule, written down before looking
#
# Decide beforehand what counts as degradation: for the experiment in this repository, patch k-NN mIoU at least two
# points below its peak while class-token k-NN is not lower. On this run that rule does not fire, although coherence
# falls: the table above shows both. `dinoscope anchor` measures, draws and concludes by that rule for a whole
# training run, with every arm and seed.

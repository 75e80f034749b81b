# %% [markdown]
# # How do two backbones organise the same photograph?
#
# A vision transformer cuts a photograph into patches and gives each a vector. This notebook takes two such
# networks and asks, step by step, how their vectors differ: which patches are alike, how far that likeness
# reaches, whether it stops where objects stop, and what it is worth for finding photographs.
#
# It runs offline in a few minutes with two toy models that come with dinoscope: `mini` and
# `mini-gram`. They share one training run up to its last 1,000 steps; then one went on as before, and the other
# was *anchored* to an early state of the network (section 6). That makes them a controlled pair. They are no
# DINOv2 and no DINOv3, and what they show is not evidence about those.
#
# With weights at hand, change one line: `MODELS = ["dinov2-reg-base", "dinov3-vitb16"]`.

# %% [markdown]
# ## 1. Two backbones, your photographs, one grid

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import skimage
import torch

import dinoscope as ds

# %config InlineBackend.print_figure_kwargs = {"dpi": 120, "bbox_inches": None}

MODELS = ["mini", "mini-gram"]  # or ["dinov2-reg-base", "dinov3-vitb16"]
PHOTOGRAPHS = [  # or: sorted(Path("my-photos").glob("*.jpg"))
    Path(skimage.__file__).parent / "data" / name
    for name in ("chelsea.png", "astronaut.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
]
GRID = 32  # patches on the short side, the same for both

first, second = (ds.load_backbone(name) for name in MODELS)
for backbone in (first, second):
    spec = backbone.spec
    print(
        f"{spec.name}: {spec.family}, {spec.dim} channels, {spec.depth} blocks, patches of {spec.patch_size} px"
    )

# %% [markdown]
# Resolution is a choice. `GRID = 32` asks for 32 patches on the short side: a network with 8-pixel patches then
# sees the photograph at 256 pixels, one with 16-pixel patches at 512, one with 14-pixel patches at 448. Grids of
# equal size are what makes two maps comparable, not inputs of equal size.

# %% [markdown]
# ## 2. Patch embeddings, tokens, grids
#
# `extract` gives the features of a photograph: one vector for each patch, on a grid with the photograph's shape.
# Beside the patches there is a class token, which stands for the whole photograph, and there may be register
# tokens, which are the network's scratch paper. Neither belongs to a place, so neither is in the grid.

# %%
f = next(ds.extract(PHOTOGRAPHS[0], first, grid=GRID))
g = next(ds.extract(PHOTOGRAPHS[0], second, grid=GRID))
for features in (f, g):
    print(
        f"{features.provenance.backbone}: patches {features.values.shape} (h w dim), "
        f"class token {None if features.cls is None else features.cls.shape}, "
        f"registers {None if features.registers is None else features.registers.shape}"
    )

# %%
photograph = ds.read_photograph(PHOTOGRAPHS[0])
width, height = photograph.size
figure, axes = plt.subplots(figsize=(6, 6 * height / width))
axes.imshow(photograph.pixels)
for i in range(f.grid.w + 1):
    axes.axvline(i * width / f.grid.w, color="white", linewidth=0.3)
for i in range(f.grid.h + 1):
    axes.axhline(i * height / f.grid.h, color="white", linewidth=0.3)
axes.set_axis_off()
axes.set_title(f"{f.grid.h} × {f.grid.w} patches, each one vector of {f.dim} numbers", fontsize=9)
plt.show()

# %% [markdown]
# A place in a photograph is `(x, y)` between 0 and 1, never a row and a column of somebody's grid: so the same
# point means the same thing in both models, whatever their patches.
#
# Now everything at once. `compare` extracts both models on all photographs on equal terms, and keeps a **ledger**
# of what a fair comparison needs.

# %%
comparison = ds.compare(PHOTOGRAPHS, [first, second], grid=GRID, controls=False)
for entry in comparison.ledger:
    verdict = {True: "ok ", False: "NOT", None: " ? "}[entry.met]
    print(f"{verdict}  {entry.rule}: {entry.detail}")

# %% [markdown]
# ## 3. Principal components: where does the variance lie?
#
# Collect the patch vectors $x_i$ of all photographs of one model, subtract their mean $\mu$, and look for the
# directions $u_1, u_2, \dots$ in which they vary most. The score of patch $i$ on component $k$ is
# $u_k^\top (x_i - \mu)$. Drawn on the grid, one component at a time, it shows which patches carry that direction.

# %%
ds.plot_components(comparison, 0)

# %% [markdown]
# Three components at a time make a colour: the first is red, the second green, the third blue.

# %%
ds.plot_pca(comparison)

# %% [markdown]
# Four things are easy to get wrong here, and each has changed somebody's conclusion:
#
# * **Sign.** $u_k$ and $-u_k$ explain the same variance. Here the entry of largest magnitude is positive.
# * **Basis.** A basis per photograph makes every photograph colourful. Here each model has *one* basis over all
#   photographs, so that a colour means the same in each of them.
# * **Alignment.** Two models have different axes. The second model's colours are rotated towards the first's
#   (orthogonal Procrustes on the common grid); what remains is printed as the residual. Rotated colours are no
#   longer single components.
# * **Scale.** Limits are fixed quantiles of the scores over all photographs, not stretched per photograph.
#
# The difference between one basis for all and one for a photograph of its own:

# %%
shared = ds.fit_pca([row[0] for row in comparison.features])
own = ds.fit_pca(f)
figure, axes = plt.subplots(1, 2, figsize=(7, 2.6))
for ax, basis, title in zip(
    axes, (shared, own), ("one basis for all photographs", "a basis of its own"), strict=True
):
    ax.imshow(ds.to_rgb(basis.project(f), limits=basis.limits))
    shares = ", ".join(f"{share:.0%}" for share in basis.explained_variance_ratio)
    ax.set_title(f"{title}\n(variance explained: {shares})", fontsize=8)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# In large pretrained models the first component often separates what stands in front from what lies behind. By a stated
# rule (Otsu's threshold; the side that touches the border less is the foreground) it becomes a mask, on which a second
# basis can be fitted. Whether it *is* the foreground has to be looked at, photograph by photograph: a mask of next to
# nothing, or of the wrong half, says that this model's first component is about something else.

# %%
masks = ds.foreground_by_pc1([row[0] for row in comparison.features], shared)
figure, axes = plt.subplots(1, len(masks), figsize=(9, 1.9))
for ax, mask in zip(axes, masks, strict=True):
    ax.imshow(mask, cmap="gray", vmin=0, vmax=1)
    ax.set_title(f"{mask.mean():.0%} of the patches", fontsize=8)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## 4. Smoother, sharper, or merely blurrier?
#
# For unit vectors $\hat{x}_i$ the cosine of two patches is $\hat{x}_i^\top \hat{x}_j$. The mean over neighbours that
# share a side is the **neighbour cosine**; over all pairs, the **random-pair cosine**; and
# $\text{locality} = 1 - \frac{1 - \text{neighbour}}{1 - \text{random pair}}$ says how much more alike neighbours are
# than patches picked at random: 0 for a shuffled map, 1 for the smoothest there can be.

# %%
for label, summaries in zip(
    comparison.measurements.models,
    zip(
        *(comparison.measurements.summaries[key] for key in ("neighbour", "random_pair", "locality")),
        strict=True,
    ),
    strict=True,
):
    said = [f"{s.mean:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in summaries]
    print(f"{label:10}  neighbour {said[0]}   random pair {said[1]}   locality {said[2]}")

# %% [markdown]
# Smoother is not better. A blurred map is smoother; so is a collapsed one, a finer grid, and a map that knows
# nothing but *where* a patch lies. Here are these four traps, planted on purpose:

# %%
from scipy.ndimage import gaussian_filter


def shown(values: np.ndarray) -> str:
    triple = ds.smoothness(ds.PatchFeatures.from_array(values, image_size=f.grid.image_size, name="changed"))
    return f"neighbour {triple.neighbour:.3f}, random pair {triple.random_pair:.3f}, locality {triple.locality:.3f}"


rows, columns = np.mgrid[0 : f.grid.h, 0 : f.grid.w] / f.grid.w
field = np.stack([np.cos(3 * rows), np.sin(3 * rows), np.cos(3 * columns), np.sin(3 * columns)], axis=-1)
placed = f.values.copy()
placed[..., :4] += 2 * f.values.std() * field
finer = next(ds.extract(PHOTOGRAPHS[0], first, grid=2 * GRID))
print("as it is        ", shown(f.values))
print("blurred         ", shown(gaussian_filter(f.values, (1, 1, 0))))
print("half collapsed  ", shown((f.values + f.values.mean(axis=(0, 1))) / 2))
print("position added  ", shown(placed))
print("twice the grid  ", shown(finer.values))

# %% [markdown]
# So two other questions are asked, with object masks. **Sharpness**: do neighbours across an object's border
# differ more than neighbours within one? **Coherence**: are two distant patches of one object more alike than two
# of different objects? Both are areas under a ROC curve: 1 is perfect, 0.5 is what features without any spatial
# structure score; smooth features that saw nothing of the photograph score more, about 0.63 in coherence. A *strong*
# blur, of one patch, lowers sharpness and does not raise coherence (`docs/validation`); a light one may raise both a
# little.
#
# Masks are needed for that. Procedural scenes have exact ones.

# %%
import tempfile

folder = Path(tempfile.mkdtemp())
ds.write_scenes(folder / "scenes", 20, seed=0, size=(128, 128))
scenes = sorted((folder / "scenes" / "images").glob("*.png"))
measured = ds.measure(scenes, [first, second], grid=16, masks=folder / "scenes")
ds.plot_plane(measured)

# %% [markdown]
# Up is more coherent, right is sharper; grey are controls that know nothing of objects: plain pixel statistics, random
# weights, the first model's features blurred, and the same features shuffled. The dashed arrow shows what a blur of one
# patch does. Read the models against the grey points: where a control stands as high, colour and architecture alone
# explain as much on these photographs, and only the *difference* between the two models is left to talk about.
# The bars are 95% intervals over scenes (Student's t). The difference between the two models, scene by scene:

# %%
for key in ("boundary_auc", "coherence_auc", "locality", "position_r2"):
    if key in measured.differences:
        d = measured.differences[key][0]
        interval = d.interval
        shares = f"{d.above:.0%} / {d.tied:.0%} / {d.below:.0%}"
        print(f"{key:14} {interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]")
        print(f"{'':14} above / tied / below in {shares} of scenes")
    else:
        a, b = measured.collection[key]
        print(f"{key:14} {a:.3f} and {b:.3f} (over the collection, no interval)")

# %% [markdown]
# `position_r2` is how well a patch's row and column can be read off its features. Where it is high, part of the
# smoothness is place and not content. It can be taken out: `ds.without_position(backbone, 16)`.

# %%
ds.plot_distance(measured)

# %% [markdown]
# ## 5. One patch against all others
#
# Figure 3 of the DINOv3 paper (arXiv 2508.10104) picks a patch and colours every other by its cosine. Same point,
# both models, one fixed scale:

# %%
ds.plot_similarity(comparison, at=(0.45, 0.45))

# %% [markdown]
# In a notebook server the same is alive: move over any photograph and every model answers, on all photographs.

# %%
ds.widget(comparison)

# %% [markdown]
# ## 6. Gram matrices and Gram anchoring
#
# All cosines of one photograph at once are a matrix: $G = \hat{X} \hat{X}^\top$, one row and one column for each of
# the $n$ patches. It is the *geometry* of the features, whatever their axes: rotate all vectors, and $G$ stays.
# So two models of different width can be compared by it.

# %%
ds.plot_gram(comparison, 0, order="superpixels")

# %% [markdown]
# **Gram anchoring** (DINOv3, equation 2) uses that in training. Long training improved DINOv3's class token while
# its patch features lost quality; so from some step on, the student's Gram matrix is held to that of an
# *early* state of the network, the Gram teacher. The paper sums the squares; its released code takes their mean, as
# is done here:
#
# $$\mathcal L_\text{Gram} = \frac{1}{n^2} \left\lVert \hat{X}_S \hat{X}_S^\top - \hat{X}_T \hat{X}_T^\top \right\rVert_F^2$$
#
# By hand, in five lines, and by `gram_loss`, which needs no $n \times n$ matrix:

# %%
student, teacher = (torch.from_numpy(x.values.reshape(1, -1, x.dim).copy()) for x in (g, f))
xs = torch.nn.functional.normalize(student.double(), dim=-1)
xt = torch.nn.functional.normalize(teacher.double(), dim=-1)
by_hand = ((xs @ xs.mT - xt @ xt.mT) ** 2).mean()
print(
    f"by hand {by_hand:.8f}   gram_loss {ds.gram_loss(student, teacher):.8f}   gram_distance {ds.gram_distance(f, g):.8f}"
)

# %% [markdown]
# `mini` and `mini-gram` are the two ends of exactly this experiment: same trunk, same data in the same order, and in
# the last steps one of them with this loss, its teacher looking at every crop at twice the resolution. What it
# did to them is measured above, in section 4, on scenes that neither was trained on, and in the models' cards:

# %%
from importlib.resources import files

card = (files("dinoscope") / "weights" / "mini-gram" / "README.md").read_text()
print(card[card.index("| | pixels") : card.index("Class tokens:")])

# %% [markdown]
# A smaller Gram distance to the teacher only says that the loss does what it is for. Whether it is *good* is said by
# the others: sharpness, coherence, k-NN segmentation. And it is said of a network with a million parameters,
# trained for some hours on 40,000 thumbnails.

# %% [markdown]
# ## 7. Searching: does sky find sky?
#
# The mean of a photograph's patch vectors is the simplest vector of the whole photograph. It is dominated by whatever
# covers most patches, often the background: sky then finds sky. If the directions that backgrounds share were
# taken out, would the subject be found? Scenes know the answer, since each has a class, on a background that is
# drawn independently of it.

# %%
ds.write_scenes(folder / "collection", 80, seed=1, size=(128, 128), n_classes=5)
store = ds.embed(folder / "collection" / "images", first, folder / "store", grid=16)
scores = ds.evaluate_retrieval(store, labels=folder / "collection" / "labels.csv", poolings=("mean", "cls"))
print(f"mAP of a random ranking: {scores.chance:.3f}")
print(f"mAP of the plain mean: {scores.row('mean', 'none').summaries['ap'].mean:.3f}")
ds.plot_gains(scores)

# %% [markdown]
# Read each suppression beside its *controls*, in grey: as many random directions, and the strongest directions of
# *all* patches. Only a gain over those is a gain from suppressing the background. Nothing is fitted on the queries
# that it is applied to, and what comes out is printed whatever it is: by this rule,

# %%
from dinoscope.evaluation.text import RULE, verdicts

print(RULE, "\n")
print("\n".join(verdicts(scores)))

# %% [markdown]
# And for one pair: why did they match? Each patch's share in the cosine, which all patches together sum to.

# %%
query = sorted((folder / "collection" / "images").glob("*.png"))[0]
hit = ds.search(store, query, k=1).hits[0]
a, b = (next(ds.extract(path, first, grid=16)) for path in (query, hit.source))
ds.plot_match(ds.why_match(a, b), ds.read_photograph(query), ds.read_photograph(hit.source))

# %% [markdown]
# ## 8. What else the same features can be asked
#
# Each is a line to type and a page that runs; the [gallery](../docs/gallery.md) shows what they draw.
#
# - **Which layer, resolution, facet and backbone suits my masks?** `dinoscope choose`:
#   [how](../docs/how-to/choose.md), [picture](../docs/gallery.md#which-setting).
# - **Where does the same thing lie in another photograph?** `dinoscope match`, scored by `--keypoints`:
#   [how](../docs/how-to/match.md), [picture](../docs/gallery.md#where-each-patch-goes).
# - **Where is what these words say?** `dinoscope look PHOTO --text "a cat"`, and over a collection
#   `dinoscope search STORE --text "a cat"`, by models that read words: [how](../docs/how-to/look-closer.md),
#   [what is drawn](../docs/gallery.md#words).
# - **May I have the mask of this?** A few clicks in `dinoscope view`, or `ds.segment`:
#   [how](../docs/how-to/segment.md), [picture](../docs/gallery.md#a-mask-from-a-few-clicks).
# - **What is not as in normal photographs?** `dinoscope normal`: [how](../docs/how-to/normal.md),
#   [picture](../docs/gallery.md#what-is-not-normal).
# - **What of the whole family, and of several people's numbers?** `dinoscope compare --recipe v2-v3` and
#   `dinoscope combine`: [how](../docs/how-to/family.md),
#   [what is drawn](../docs/gallery.md#the-whole-family).

# %% [markdown]
# ## 9. What may be concluded, and what may not
#
# **From this notebook**: how two small networks, equal but for their last steps, organise these photographs, with
# intervals over photographs. One pair is one pair: the interval is over photographs, not over trainings.
#
# **Of DINOv2 and DINOv3**, with their weights in place of ours: that features of one are smoother, sharper or more
# coherent than those of the other on your photographs. Not *why*: between the two lie other data, another patch
# size, rotary instead of learned positions, registers, a high-resolution phase, and distillation.
#
# **Of Gram anchoring**: nothing follows from a difference between released weights. The released DINOv3 S, S+, B, L
# and H+ were distilled from a 7-billion-parameter model and not themselves anchored (DINOv3, section 5.2); whether
# they inherited something from their anchored teacher has not been tested. A controlled pair, such as `mini` and
# `mini-gram`, can show what the loss does, at its own scale.

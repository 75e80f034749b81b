# %% [markdown]
# # Search my photographs
#
# Three steps: fill a store once, search it by a photograph or a part of one, and find out whether suppressing the
# background helps on *this* collection. Needs the extra `[store]`.

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt

import dinoscope as ds

# %config InlineBackend.print_figure_kwargs = {"dpi": 120, "bbox_inches": None}

folder = Path(tempfile.mkdtemp())
ds.write_scenes(folder / "photos", 72, seed=5, size=(128, 128), n_classes=6)  # stands in for your own folder
PHOTOGRAPHS = folder / "photos" / "images"
backbone = ds.load_backbone("mini")  # or "dinov3-vitb16"

# %% [markdown]
# ## Fill a store
#
# Content-addressed: the same photograph, model and settings are never computed twice, and an interrupted call goes on.

# %%
store = ds.embed(PHOTOGRAPHS, backbone, folder / "store", grid=16)
len(store.table())

# %% [markdown]
# ## Search

# %%
query = sorted(PHOTOGRAPHS.glob("*.png"))[1]


def show(*searches: tuple[str, ds.Hits]) -> None:
    """The query, and a row of hits for each search."""
    _, axes = plt.subplots(len(searches), 6, figsize=(9, 1.75 * len(searches)), squeeze=False)
    for row, (title, hits) in zip(axes, searches, strict=True):
        shown = [("query", query), *((f"{h.score:.2f}", h.source) for h in hits.hits[:5])]
        for ax, (name, path) in zip(row, shown, strict=True):
            ax.imshow(ds.read_photograph(path).pixels)
            ax.set_title(title if name == "query" else name, fontsize=8)
            ax.set_axis_off()
    plt.show()


show(
    ("plain mean", ds.search(store, query)),
    ("background\nsuppressed", ds.search(store, query, suppress="background")),
    ("its middle", ds.search(store, query, box=(0.3, 0.3, 0.7, 0.7), backbone=backbone)),
)

# %% [markdown]
# ## Why did they match?

# %%
hit = ds.search(store, query, k=1).hits[0]
f, g = (next(ds.extract(path, backbone, grid=16)) for path in (query, hit.source))
ds.plot_match(ds.why_match(f, g), ds.read_photograph(query), ds.read_photograph(hit.source))

# %% [markdown]
# ## Does suppression help here?
#
# With labels for some of the photographs (a CSV, or folder names) the collection answers for itself. A gain counts only
# where its whole interval is above 0, and it is due to the *background* only where it exceeds every control.

# %%
scores = ds.evaluate_retrieval(
    store, labels=folder / "photos" / "labels.csv", poolings=["mean", "foreground"]
)
ds.plot_gains(scores)

# %% [markdown]
# `dinoscope evaluate STORE --labels folders --out DIR` writes the same as a page, with hits before and after and a
# map of what was removed from each photograph.

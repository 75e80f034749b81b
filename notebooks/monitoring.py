# %% [markdown]
# # Watch, hold, check and refine dense features
#
# Long self-supervised training can improve the class token while patch features get worse (DINOv3, arXiv 2508.10104,
# section 4.1, for models above 300 million parameters), and a loss does not show it. This notebook plants such damage in
# a small training, sees the alarm, holds it with the Gram anchor, certifies an export, and refines a released model.
# Everything is small enough to run in five minutes on a laptop without a GPU; the trained features are those of `mini`,
# which comes with dinoscope.

# %%
import tempfile
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import Markdown
from transformers import AutoModel
from transformers.utils import logging

import dinoscope as ds

# %matplotlib inline
# %config InlineBackend.print_figure_kwargs = {"dpi": 120, "bbox_inches": None}

torch.set_num_threads(1)
logging.disable_progress_bar()
folder = Path(tempfile.mkdtemp())
ds.write_scenes(folder / "learn", 32, seed=1, size=(128, 128))
ds.write_scenes(folder / "watch", 8, seed=7, size=(128, 128))
learned = sorted((folder / "learn" / "images").glob("*.png"))
watched = sorted((folder / "watch" / "images").glob("*.png"))

# %% [markdown]
# ## A training that gets worse
#
# The loop is anybody's. Here it fine-tunes `mini` on a loss that pulls every patch towards the class token of its
# photograph, which is what the published degradation looks like from outside (its Figure 5a). The loss falls nicely.

# %%
spec = ds.load_backbone("mini").spec
mean, std = (torch.tensor(triple).view(3, 1, 1) for triple in (spec.mean, spec.std))
pixels = torch.stack(
    [torch.from_numpy(np.array(ds.read_photograph(path).pixels)).permute(2, 0, 1) / 255 for path in learned]
)
pixels = (pixels - mean) / std


def trained(run, anchored, steps=24, every=4):
    """The monitor of a run, and its losses."""
    torch.manual_seed(0)
    model = AutoModel.from_pretrained(files("dinoscope") / "weights" / "mini", dtype=torch.float32)
    anchor = ds.GramAnchor(model, weight=50.0, scale=1, ramp=1) if anchored else None
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-4)
    monitor = ds.Monitor(watched, every, run=run, masks=folder / "watch", grid=16)
    losses = []
    for step in range(steps + 1):
        monitor.update(model, step)
        batch = pixels[torch.randperm(len(pixels))[:4]]
        hidden = model(batch).last_hidden_state
        cls, patches = hidden[:, :1], hidden[:, 1 + spec.registers :]
        loss = 1 - torch.cosine_similarity(patches, cls.detach(), dim=-1).mean()
        losses.append(loss.item())
        if anchor is not None:
            loss = loss + anchor(patches, batch, step=step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return monitor, losses


monitor, losses = trained(folder / "run", anchored=False)
print(f"loss: {losses[0]:.3f} at first, {losses[-1]:.3f} in the end")
for check in monitor.checks:
    print(f"step {check.step:2}: {check.alarm or 'no alarm'}")

# %% [markdown]
# The alarm says what fell and since when, and whether an anchor to an earlier state would help: only if something was better
# then. It rests on two questions that are asked apart, with paired intervals over the photographs: sharpness and coherence
# against masks, which are orders among cosines and do not see a collapse; and the effective rank of the patches, which does.
# `dinoscope watch RUN` writes the same as a page.

# %%
ds.plot_checks(monitor.checks)

# %% [markdown]
# ## The film strip
#
# One basis over all steps: a colour is the same direction of feature space in every picture. Objects dissolve.

# %%
ds.plot_strip(monitor.maps)

# %% [markdown]
# ## The same training, held
#
# `ds.GramAnchor` holds the mutual likeness of a photograph's patches to that of the state it was made from. Same seed,
# same batches, one line more.

# %%
held, held_losses = trained(folder / "held", anchored=True)
print(f"loss without the anchor's: {held_losses[0]:.3f} at first, {held_losses[-1]:.3f} in the end")
print(held.checks[-1].alarm or "no alarm")
print(held.advice)
for name, run in (("plain", monitor), ("anchored", held)):
    last = run.checks[-1]
    print(
        f"{name:9} quality {np.mean(last.quality):.3f} of {np.mean(run.checks[0].quality):.3f} at first, "
        f"effective rank {last.values['effective_rank']:5.1f} of {run.checks[0].values['effective_rank']:.1f}"
    )
ds.plot_strip(held.maps)

# %% [markdown]
# ## Checkpoints that are there already
#
# `ds.track` looks at a series of checkpoints as if the monitor had been there, in any layout that is read. These two are
# kept in the repository: an early state of the laboratory's trunk, and where it ended.

# %%
series = folder / "series"
series.mkdir()
for step, place in {400: "pilot/snapshots/step-00000400", 2400: "arms/seed-0/continue/teacher"}.items():
    (series / f"step-{step:06d}").symlink_to((Path("../experiments") / place).resolve())
checks = ds.track(sorted(series.iterdir()), watched, folder / "tracked", masks=folder / "watch", grid=16)
for check in checks:
    print(
        f"step {check.step:5,}: quality {np.mean(check.quality):.3f}, {check.advice or 'nothing before it'}"
    )

# %% [markdown]
# ## Did the export break them?
#
# `ds.certify` shows the same pixels to a model and to its export and compares patch by patch. A sound file passes; of one
# that does not, the likeliest cause is named. Here somebody scales colours to -1 to 1, as for another family.

# %%
mini = ds.load_backbone("mini")
file = ds.write_onnx(mini, folder / "mini.onnx")
print(ds.certify(mini, file, watched[:2]).verdict)


def served(batch):
    (patches,) = mini.forward((batch * std + mean - 0.5) / 0.5).patches.values()
    return patches


broken = ds.certify(mini, served, watched[:1], grids=[(6, 9), (9, 6)])
print(broken.verdict)
ds.plot_certificate(broken)

# %% [markdown]
# ## A released model, refined
#
# Without its heads, a released model can be its own teacher: `ds.refine` holds the Gram matrix of its patches to its own
# at twice the resolution, with the class token and the patches kept near what they were; here for a handful of steps, with
# the controls. The verdict says what became worse first, and whether a control gained as much.

# %%
found = ds.refine(
    mini,
    learned,
    ds.HeldOut(watched, folder / "watch", grid=16),
    folder / "refined",
    ds.Refinement(steps=6, batch=4, learning_rate=1e-4),
)
print("worse" if found.worse else "not worse", "\n")
Markdown((folder / "refined" / "refined" / "README.md").read_text().split("\n\n", 1)[1])

# %%
models = {"mini": mini, "refined": ds.load_backbone(weights=folder / "refined" / "refined")}
features = {name: next(ds.extract(watched[0], model, grid=32)) for name, model in models.items()}
basis = ds.fit_pca(list(features.values()))
figure, axes = plt.subplots(1, 3, figsize=(8, 2.9))
axes[0].imshow(ds.read_photograph(watched[0]).pixels)
axes[0].set_title("photograph", fontsize=9)
for ax, (name, f) in zip(axes[1:], features.items(), strict=True):
    ax.imshow(ds.to_rgb(basis.project(f), limits=basis.limits))
    ax.set_title(name, fontsize=9)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ## Write the rule down before you look
#
# Decide beforehand what counts as degradation, on photographs that nothing learned from, and say what was not tried. How
# often the monitor's rule is wrong was measured: `docs/how-to/watch-a-training.md`. What the refinement did to the bundled
# pair, whatever came out: `docs/how-to/refine.md`.

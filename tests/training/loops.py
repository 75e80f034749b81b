"""One small training, by a loop of one's own, by Lightning and by Hugging Face's Trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments

from dinoscope.training.anchor import GramAnchor
from tests.training.small_models import dinov3, pixels

DATA = [{"pixel_values": pixels(1, seed=i)[0], "labels": i % 2} for i in range(6)]


class Classifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.vit = dinov3(2)  # in training mode with random positions, so that random numbers matter
        self.head = nn.Linear(16, 2)
        self.drop = nn.Dropout(0.5)

    def forward(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.vit(pixel_values).last_hidden_state
        return self.head(self.drop(hidden[:, 0])), hidden[:, 3:]


def anchor_of(model: Classifier, weight: float | None) -> GramAnchor | None:
    """None for no anchor at all."""
    return None if weight is None else GramAnchor(model.vit, weight=weight, ramp=0, start=0)


def loss_of(model: Any, anchor: GramAnchor | None, batch: dict[str, Tensor], step: int) -> Tensor:
    logits, patches = model(batch["pixel_values"])
    loss = cross_entropy(logits, batch["labels"])
    return loss if anchor is None else loss + anchor(patches, batch["pixel_values"], step=step)


Watch = Callable[[Any, int], object]
"""Called with the model and the step, after each."""


def _nobody(model: Any, step: int) -> None:
    """Does not watch."""


def plain(model: Classifier, weight: float | None, folder: Path, watch: Watch = _nobody) -> None:
    anchor, optimizer = anchor_of(model, weight), torch.optim.AdamW(model.parameters(), lr=1e-2)
    model.train()
    torch.manual_seed(0)
    for step, batch in enumerate(DataLoader(DATA, batch_size=2)):  # type: ignore[arg-type]
        optimizer.zero_grad()
        loss_of(model, anchor, batch, step).backward()
        optimizer.step()
        watch(model.vit, step + 1)


class Module(lightning.LightningModule):
    def __init__(self, model: Classifier, weight: float | None, watch: Watch = _nobody) -> None:
        super().__init__()
        self.model, self.anchor, self.watch = model, anchor_of(model, weight), watch

    def training_step(self, batch: dict[str, Tensor], _: int) -> Tensor:
        return loss_of(self.model, self.anchor, batch, self.global_step)

    def on_train_batch_end(self, *_: Any) -> None:
        self.watch(self.model.vit, self.global_step)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.model.parameters(), lr=1e-2)


def by_lightning(model: Classifier, weight: float | None, folder: Path, watch: Watch = _nobody) -> None:
    quiet: dict[str, Any] = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", enable_checkpointing=False, default_root_dir=folder, **quiet
    )
    model.train()
    torch.manual_seed(0)
    trainer.fit(Module(model, weight, watch), DataLoader(DATA, batch_size=2))  # type: ignore[arg-type]
    if weight:
        trainer.save_checkpoint(folder / "run.ckpt")


class Anchored(Trainer):
    anchor: GramAnchor | None = None

    def compute_loss(self, model: Any, inputs: Any, return_outputs: Any = False, **_: Any) -> Tensor:
        return loss_of(model, self.anchor, inputs, self.state.global_step)


class Watching(TrainerCallback):
    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def on_step_end(self, args: Any, state: Any, control: Any, **found: Any) -> None:
        self.watch(found["model"].vit, state.global_step)


def by_trainer(model: Classifier, weight: float | None, folder: Path, watch: Watch = _nobody) -> None:
    quiet: dict[str, Any] = {"save_strategy": "no", "report_to": "none", "disable_tqdm": True}
    arguments = TrainingArguments(
        str(folder),
        per_device_train_batch_size=2,
        num_train_epochs=1,
        learning_rate=1e-2,
        use_cpu=True,
        remove_unused_columns=False,
        **quiet,
    )
    trainer = Anchored(model, arguments, train_dataset=DATA)  # type: ignore[arg-type]
    trainer.anchor = anchor_of(model, weight)
    trainer.add_callback(Watching(watch))
    trainer.train()


LOOPS = {"plain": plain, "lightning": by_lightning, "trainer": by_trainer}

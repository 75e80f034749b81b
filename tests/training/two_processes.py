"""Two processes train with the anchor, by DDP and by FSDP2, and one that has the whole batch.

python -m tests.training.two_processes FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from dinoscope.training.anchor import GramAnchor
from tests.training.small_models import dinov3, pixels

N = 2


def loss_of(model: Any, anchor: GramAnchor, images: Tensor, step: int) -> Tensor:
    hidden = model(images).last_hidden_state
    return hidden[:, 0].square().mean() + anchor(hidden[:, 3:], images, step=step)


def anchor_of(live: Any) -> GramAnchor:
    return GramAnchor(live, weight=20.0, ramp=0, refresh_every=2)


def trained(model: Any, anchor: GramAnchor, images: Tensor) -> list[Tensor]:
    """Weights after three steps, the third with a new teacher; the live average is the model itself."""
    for step in (1, 2, 3):
        model.zero_grad()
        loss_of(model, anchor, images, step).backward()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.grad is not None:
                    weight.sub_(0.1 * weight.grad)
    assert anchor.n_refreshes == 1
    return [weight.detach().clone() for weight in model.parameters()]


def sharded(images: Tensor) -> list[Tensor]:
    """As `trained`, with weights spread over the processes; the anchor is made before, of the whole model."""
    model = dinov3(2)
    anchor = anchor_of(model)
    for layer in model.model.layer:
        fully_shard(layer)
    fully_shard(model)
    return [weight.full_tensor() for weight in trained(model, anchor, images)]


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    where = f"file://{Path(folder).absolute()}/meeting"
    dist.init_process_group("gloo", init_method=where, rank=rank, world_size=N)
    images = pixels(4)
    mine = images.chunk(N)[rank]
    wrapped = DistributedDataParallel(dinov3(2), find_unused_parameters=True)
    found = {"ddp": trained(wrapped, anchor_of(wrapped), mine), "fsdp": sharded(mine)}
    if rank == 0:
        alone = dinov3(2)
        found["alone"] = trained(alone, anchor_of(alone), images)
        torch.save(found, Path(folder) / "found.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(work, args=(sys.argv[1],), nprocs=N)

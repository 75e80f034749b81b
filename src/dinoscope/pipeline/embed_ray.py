"""`embed` on many machines: a Ray Data pipeline in front of the store's own writers.

::

    part i of n of the collection   -> reading tasks: list, read, decode (processors only)
    photographs, 8 bits             -> a pool of workers that keep the backbone: forward pass, commit
    one line for each photograph    -> here: progress and failures

Ray Data holds reading back while the workers are busy, and starts a worker again that has died. A batch is
committed by the worker that computed it before the batch counts as done, and a photograph is taken once by
its digest; so a batch that is done again changes nothing.
"""

from __future__ import annotations

import logging
import math
import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError, InputError, MissingExtraError, StoreInUseError
from dinoscope.io.collections.collection import each_item
from dinoscope.io.collections.lists import is_url
from dinoscope.pipeline.embed import table_settings
from dinoscope.pipeline.extract import OnFailure
from dinoscope.pipeline.ray_stages import FREE_WITHIN_S, EmbedBatch, Ledger, Work, read_part
from dinoscope.store.lance import exists, tidy
from dinoscope.store.locks import committing, writing
from dinoscope.store.store import FeatureStore, create_table

BLOCK_BYTES = 16 * 2**20
"""A reading task hands on what it has decoded when it is about this much."""

RETRIED = (MemoryError, OSError, torch.OutOfMemoryError)
"""Errors after which a batch is tried again: they may pass."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """How the work is spread.

    Attributes:
        workers: processes that keep the backbone.
        gpus_per_worker: each takes, or a fraction of one; 0 computes on processors.
        cpus_per_worker: reserved for each; on processors also its threads.
        cpus_per_reader: reserved for each reading task; their number follows from what is free.
        parts: of the collection, each listed and read by one task; None for eight for each worker.
        max_restarts: deaths and errors of workers, all together, after which the run is given up.
        address: of a Ray cluster; None for ``$RAY_ADDRESS``, or else for Ray on this machine alone.
    """

    workers: int = 2
    gpus_per_worker: float = 0.0
    cpus_per_worker: float = 1.0
    cpus_per_reader: float = 0.5
    parts: int | None = None
    max_restarts: int = 8
    address: str | None = None

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.parts is not None and self.parts < 1) or self.max_restarts < 0:
            raise InputError("Ray needs at least 1 worker and 1 part, and max_restarts of 0 or more")
        if self.gpus_per_worker < 0 or self.cpus_per_worker <= 0 or self.cpus_per_reader <= 0:
            raise InputError("Ray needs processors for its workers and readers, and no negative GPUs")

    @property
    def n_parts(self) -> int:
        """Parts of the collection."""
        return self.parts if self.parts is not None else 8 * self.workers

    @property
    def cpus(self) -> float:
        """Processors without which nothing moves: all workers and one reader."""
        return self.workers * self.cpus_per_worker + self.cpus_per_reader


def embed_with_ray(
    source: str | Path,
    backbone: Backbone,
    store_path: str | Path,
    *,
    options: RayOptions | None = None,
    grid: int | tuple[int, int] = 32,
    layer: int | None = None,
    final_norm: bool = True,
    resize: str = "bilinear",
    dense: str | None = None,
    batch_size: int | None = None,
    compiled: bool = False,
    commit_rows: int = 32,
    on_progress: Callable[[int], None] = lambda _: None,
    on_failure: OnFailure = lambda _: None,
) -> FeatureStore:
    """What `embed` does, by several processes on one machine or many; the rows' order is not fixed.

    Every machine must see the collection and the store under the same paths. Stopped at any moment, the
    same call goes on, and so does `embed`: the table is the same one.

    Args:
        source: a collection by name, see `each_item`. Each part lists it anew.
        backbone: as `load_backbone` returns it, best on the CPU; it is sent to the workers.
        store_path: a folder on a file system with locks that all machines share.
        options: how the work is spread.
        grid, layer, final_norm, resize, dense, batch_size, compiled: as for `embed`.
        commit_rows: photographs in one commit; what is computed again when a worker dies.
        on_progress, on_failure: as for `embed`.

    Returns:
        The store, with this table chosen.

    Raises:
        MissingExtraError: the extra [ray] or [store] is not installed.
        InputError: no photographs, an impossible argument, or a cluster that is too small.
        StoreInUseError: another process writes this table.
        SchemaVersionError, CorruptStoreError: the store cannot be used.
        OSError: a commit failed, as on a full disk; everything committed before is intact.
    """
    ray = _ray()
    options = options or RayOptions()
    if commit_rows < 1:
        raise InputError(f"commit_rows must be at least 1, got {commit_rows}")
    settings = table_settings(
        backbone, grid=grid, layer=layer, final_norm=final_norm, resize=resize, dense=dense
    )
    text = str(source) if is_url(str(source)) else os.path.abspath(source)
    next(each_item(text))
    table = create_table(store_path, settings)
    with writing(table.folder, None):  # whoever else writes is refused here and not by every worker
        pass
    done = 0
    with _running(ray, options):
        work = Work(
            str(Path(store_path).absolute()),
            settings,
            resize,
            batch_size,
            options.workers,
            compiled=compiled,
        )
        ledger = ray.remote(Ledger).options(num_cpus=0).remote(options.workers + options.max_restarts)
        try:
            for answer in _answers(ray, text, (_sent(ray, backbone), ledger, work), options, commit_rows):
                for line in answer.to_pylist():
                    if line["reason"]:
                        on_failure(Failure(line["source"], line["reason"]))
                    done += 1
                    on_progress(done)
        except ray.exceptions.RayError as error:
            raise _own_error(ray.get(ledger.verdict.remote()), error) from error
    _tidy_when_free(FeatureStore(Path(store_path), settings.table_name), options.workers)
    return FeatureStore(Path(store_path), settings.table_name)


def _sent(ray: Any, backbone: Backbone) -> Any:
    """Ray's reference to a backbone.

    Raises:
        InputError: it cannot leave its process.
    """
    try:
        return ray.put(backbone.to("cpu"))
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        raise InputError(
            f"{backbone.spec.name} cannot be sent to other processes ({str(error).splitlines()[0]}): "
            "use the local engine with --shard"
        ) from error


def _answers(
    ray: Any, source: str, worker: tuple[Any, Any, Work], options: RayOptions, commit_rows: int
) -> Iterator[Any]:
    """The pipeline's lines, as its batches are done; ``worker`` is what each is made with."""
    work = worker[2]
    table = FeatureStore(Path(work.store_path), work.settings.table_name).table()
    read = partial(read_part, source=source, n_parts=options.n_parts, table_path=str(table.vectors_path))
    answers = (
        ray.data.range(options.n_parts, override_num_blocks=options.n_parts)
        .map_batches(read, batch_size=1, batch_format="pyarrow", num_cpus=options.cpus_per_reader)
        .map_batches(
            EmbedBatch,
            batch_size=commit_rows,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=options.workers),
            fn_constructor_args=worker,
            fn_constructor_kwargs={"device": "cuda" if options.gpus_per_worker else "cpu"},
            num_cpus=options.cpus_per_worker,
            num_gpus=options.gpus_per_worker,
        )
    )
    yield from answers.iter_batches(batch_size=None, batch_format="pyarrow")


@contextmanager
def _running(ray: Any, options: RayOptions) -> Iterator[None]:
    """Ray, started here and ended afterwards unless it runs already, and told how to treat this pipeline."""
    started = not ray.is_initialized()
    if started:
        _start(ray, options)
    try:
        there = ray.cluster_resources()
        for name, needed in (
            ("CPU", options.cpus),
            ("GPU", options.workers * options.gpus_per_worker),
        ):
            if there.get(name, 0.0) < needed:
                raise InputError(
                    f"{options.workers} workers and a reader need {needed:g} {name}, the cluster has "
                    f"{there.get(name, 0.0):g}: ask for fewer workers, or less for each"
                )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # when first made, it names options that Ray gave up
            context = ray.data.DataContext.get_current()
        wanted = {
            "target_max_block_size": BLOCK_BYTES,
            "actor_task_retry_on_errors": list(RETRIED),
            "enable_progress_bars": False,
            "print_on_execution_start": False,
        }
        before = {name: getattr(context, name) for name in wanted}
        log = logging.getLogger("ray.data")
        level = log.level
        for name, value in wanted.items():
            setattr(context, name, value)
        log.setLevel(logging.CRITICAL)  # what it logs as an error is raised here as one
        try:
            yield
        finally:
            log.setLevel(level)
            for name, value in before.items():
                setattr(context, name, value)
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any, options: RayOptions) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not (options.address or os.environ.get("RAY_ADDRESS")):
        quiet |= {
            "num_cpus": math.ceil(max(os.cpu_count() or 1, options.cpus)),
            "include_dashboard": False,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lance warns of every fork; Ray forks only to start its programs
        ray.init(address=options.address, **quiet)


def _own_error(verdict: tuple[bool, str] | None, error: Exception) -> Exception:
    """What the workers said, where it is an error of ours or the system's; else what Ray says."""
    if verdict is None:
        return error
    is_system, words = verdict
    return OSError(words) if is_system else DinoscopeError(words)


def _tidy_when_free(store: FeatureStore, places: int) -> None:
    """Leave few files, when the workers of this run have left theirs."""
    table = store.table()
    until = time.monotonic() + FREE_WITHIN_S
    for i in range(places):
        while True:
            try:
                with writing(table.folder, (i, places)):
                    break
            except StoreInUseError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)
    with committing(table.folder):
        for path in (table.vectors_path, table.errors_path):
            if exists(path):
                tidy(path)


def _ray() -> Any:
    """The package ray, with ray.data.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingExtraError("--engine ray", "ray") from error
    return ray

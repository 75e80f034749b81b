"""`embed` on many machines: Ray's tasks read, Ray's actors compute, and the store's own writers commit.

::

    part i of n of the collection   -> reading tasks: list, read, decode (processors only)
    photographs, 8 bits             -> workers that keep the backbone: forward pass, commit
    one line for each photograph    -> here: progress and failures

Reading waits while the workers are busy, and a worker that has died is replaced by another. A batch is
committed by the worker that computed it before the batch counts as done, and a photograph is taken once by
its digest; so a batch that is done again changes nothing.
"""

from __future__ import annotations

import math
import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from dinoscope.backbones.base import Backbone
from dinoscope.data.results import Failure
from dinoscope.errors import InputError, StoreInUseError
from dinoscope.extras import extra_package
from dinoscope.io.collections.collection import each_item
from dinoscope.io.collections.web import is_url
from dinoscope.pipeline.embed import table_settings
from dinoscope.pipeline.extract import OnFailure
from dinoscope.pipeline.ray_stages import FREE_WITHIN_S, Work
from dinoscope.pipeline.ray_workers import RayOptions, Workers
from dinoscope.pipeline.run import Run
from dinoscope.store.digests import note_digests
from dinoscope.store.files import store_folder
from dinoscope.store.lance import exists, tidy
from dinoscope.store.locks import committing, writing
from dinoscope.store.store import FeatureStore, create_table

START_ATTEMPTS = 5
"""Ray gives its own programs 30 s to start, which on a busy machine may not be enough."""

TOO_BUSY = ("timed out during startup", "Deadline Exceeded")


def embed_with_ray(
    source: str | Path,
    backbone: Backbone,
    store_path: str | Path,
    run: Run,
    options: RayOptions,
    *,
    dense: str | None = None,
    compiled: bool = False,
    on_stage: Callable[[str], None] = lambda _: None,
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
        run: of one layer.
        options: how the work is spread.
        dense, compiled: as for `embed`.
        on_stage: called with what is being waited for before there is any progress, in words.
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
    settings = table_settings(backbone, run, dense=dense)
    text = str(source) if is_url(str(source)) else os.path.abspath(source)
    next(each_item(text))
    table = create_table(store_path, settings)
    with writing(table.folder, None):  # whoever else writes is refused here and not by every worker
        pass
    done = 0
    on_stage("starting Ray")
    with _running(ray, options):
        work = Work(
            str(table.folder.parents[1]),
            settings,
            replace(run, layers=(settings.layer,)),
            options.workers,
            compiled=compiled,
        )
        on_stage(f"loading {backbone.spec.name} in {_counted(options.workers, 'worker')}")
        with closing(Workers(ray, _sent(ray, backbone), work, options)) as workers:
            for answer in workers.answers(text, str(table.vectors_path), options.commit_rows):
                for line in answer.to_pylist():
                    if line["reason"]:
                        on_failure(Failure(line["source"], line["reason"]))
                    done += 1
                    on_progress(done)
    store = FeatureStore(store_folder(store_path), settings.table_name)
    _tidy_when_free(store, options.workers)
    return store


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


def _counted(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


@contextmanager
def _running(ray: Any, options: RayOptions) -> Iterator[None]:
    """Ray, started here and ended afterwards unless it runs already, and large enough."""
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
        yield
    finally:
        if started:
            ray.shutdown()


def _start(ray: Any, options: RayOptions) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_agent_register_timeout_ms", "120000")  # 15 s are few on a busy machine
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if not (options.address or os.environ.get("RAY_ADDRESS")):
        quiet |= {
            "num_cpus": math.ceil(max(os.cpu_count() or 1, options.cpus)),
            "include_dashboard": False,
        }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Lance warns of every fork; Ray forks only to start its programs
        for attempt in range(START_ATTEMPTS):
            try:
                ray.init(address=options.address, **quiet)
                return
            except Exception as error:  # Ray has no class of its own for it
                if not any(words in str(error) for words in TOO_BUSY) or attempt == START_ATTEMPTS - 1:
                    raise
                ray.shutdown()


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
        note_digests(table.folder)


def _ray() -> Any:
    """The package ray.

    Raises:
        MissingExtraError: it is not installed.
    """
    return extra_package("ray", "--engine ray", "ray")

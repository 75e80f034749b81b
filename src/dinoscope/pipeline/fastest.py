"""The fastest way that is exact enough: timed once on a machine, certified on each run's own photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dinoscope.backbones.base import Backbone
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import LedgerEntry
from dinoscope.data.spec import check_layers
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.io.resize import filter_name
from dinoscope.pipeline.certificate import Certificate, checked_way
from dinoscope.pipeline.extract import ImageLike, load_photograph, photographs_together
from dinoscope.pipeline.fast import exact_backbone
from dinoscope.pipeline.forward import model_pixels, prepared, route_for
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.way_times import (
    PLAIN,
    WayTimes,
    machine_key,
    read_times,
    time_ways,
    times_path,
    ways_of,
    write_times,
)

LEAST_GAIN = 1.03
"""A way that is less than so many times as fast as float32 is not chosen: rounds differ by as much."""

N_CERTIFIED = 2
RULE = "Features are computed in float32 eager arithmetic"


@dataclass(frozen=True, slots=True)
class Fastest:
    """A backbone in the way that was chosen, and why.

    Attributes:
        way: in words.
        told: lines for people: what was measured, left out and chosen.
        entry: the line of a ledger.
    """

    backbone: Backbone
    way: str
    told: tuple[str, ...]
    entry: LedgerEntry


def fastest(backbone: Backbone, images: Sequence[ImageLike], run: Run, *, anew: bool = False) -> Fastest:
    """Chooses among the ways of this machine by time, and leaves out whatever fails its certificate.

    Times are measured on the first photograph, some seconds and as long as compiling and quantising take,
    and kept in the user's cache by machine, versions, model, input and batch. Compiling and quantising count:
    they are chosen where they pay for this many photographs. Certificates are made each time, layer by layer,
    on the first `N_CERTIFIED` photographs that can be used.

    Args:
        backbone: in float32, eager.
        images: all that will be run.
        run: without tiles.
        anew: measure although it was measured before.

    Raises:
        InputError: another arithmetic was asked for already, tiles, or no photograph that can be used.
    """
    if exact_backbone(backbone) is not backbone:
        raise InputError("the fastest way is chosen from float32: leave dtype, autocast and compile out")
    if run.tile is not None:
        raise InputError("ways are timed and certified on whole photographs: leave tile out")
    few = _usable(images)
    found, lines = _times(backbone, few[0], run, anew=anew)
    left_out = []
    for way in pays(found, len(images)):
        try:
            model = ways_of(backbone)[way](backbone)
            proof = _worst(model, backbone, few, run, way)
        except InputError as error:
            left_out.append(f"left out: {error}")
            continue
        if proof.exact_enough:
            chosen = f"chosen for {len(images)} photographs: {proof.words}"
            entry = LedgerEntry(RULE, False, ". ".join([*left_out, chosen]) + ".")
            return Fastest(model, way, (*lines, *left_out, chosen), entry)
        left_out.append(f"left out: {proof.words}; below {proof.least} on average")
    chosen = f"chosen for {len(images)} photographs: {PLAIN}, no other way that is exact enough pays"
    return Fastest(
        backbone,
        PLAIN,
        (*lines, *left_out, chosen),
        LedgerEntry(RULE, True, ". ".join([*left_out, chosen]) + "."),
    )


def pays(found: WayTimes, n_photographs: int) -> list[str]:
    """The ways that are through with so many photographs before float32 is, the quickest first."""
    plain = found.times[0].photograph_s * n_photographs
    # By the gain in the same round: the machine may have been busier in others.
    cost = {t.way: t.start_s + plain / t.gain for t in found.times if t.gain >= LEAST_GAIN and t.way != PLAIN}
    return sorted((way for way in cost if cost[way] < plain), key=lambda way: cost[way])


def _usable(images: Sequence[ImageLike]) -> list[Photograph]:
    few, reason = [], "none was given"
    for image in images:
        try:
            few.append(load_photograph(image))
        except DinoscopeError as error:  # extraction tells of it
            reason = str(error)
        if len(few) == N_CERTIFIED:
            break
    if not few:
        raise InputError(f"no photograph to choose the fastest way with: {reason}")
    return few


def _worst(model: Backbone, exact: Backbone, few: list[Photograph], run: Run, way: str) -> Certificate:
    layers = check_layers(run.layers, exact.spec.depth)
    proofs = [checked_way(model, exact, few, run.at(layer), way=way) for layer in layers]
    return min(proofs, key=lambda proof: proof.mean)


def _times(backbone: Backbone, photograph: Photograph, run: Run, *, anew: bool) -> tuple[WayTimes, list[str]]:
    spec = backbone.spec
    grid = run.fit(photograph.size, spec.patch_size)
    batch = run.batch_size or photographs_together(backbone, grid.shape)
    key = machine_key(backbone, grid.input_size, batch)
    path = times_path(key)
    kept = None if anew else read_times(path, key)
    if kept is not None:
        return kept, [f"measured before on this machine: {kept.words} ({path})"]
    filter_ = filter_name(run.resize, spec.family)
    ready = prepared(photograph, grid, filter_, route_for("cpu", filter_))
    found = time_ways(backbone, model_pixels([ready] * batch, spec, filter_, backbone.device))
    try:
        write_times(path, key, found)
        where = f"kept in {path}"
    except OSError as error:
        where = f"not kept: {error.strerror or error}"
    return found, [f"measured on this machine: {found.words} ({where})"]

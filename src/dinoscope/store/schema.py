"""What a table holds: its settings, its columns, and rows on their way in."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from math import isfinite
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, UInt8

from dinoscope.data.features import Provenance
from dinoscope.data.grid import PatchGrid, whole_number
from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.errors import CorruptStoreError, shortened
from dinoscope.io.arrow import arrow
from dinoscope.io.pixel_range import FULL, read_range
from dinoscope.maths.pca import PatchMoments
from dinoscope.maths.pooling import FOREGROUND_RULE, GEM_FLOOR, GEM_POWER
from dinoscope.store.dense import CodedMap, DenseCoding
from dinoscope.store.moments import moments_bytes

SCHEMA_VERSION = 1
"""Version of folders and columns. A store of a newer one is refused."""

POOLED = ("cls", "mean", "gem", "foreground")
"""The pooled vectors of each photograph, float16; ``cls`` is the class token as it is."""

FACTS = (
    "digest",
    "source",
    "stamp",
    "h",
    "w",
    "patch_px",
    "width_px",
    "height_px",
    "foreground_share",
    "provenance",
)
ORDER = ("session", "batch")
SHOT_COLUMNS = ("taken", "camera", "latitude", "longitude")
"""In the order of `Shot`'s attributes; tables of earlier versions lack them until they are written again."""

FLOAT16_MAX = 65504.0
LARGEST = 2**20
"""Channels, or patches on a side, of any table."""


@dataclass(frozen=True, slots=True)
class TableSettings:
    """Everything that decides what a table's vectors are; one table for each.

    Attributes:
        backbone, weights_digest, layer, final_norm, dtype, resize, mean, std: as in `Provenance`.
        dim: channels.
        grid: patches on the short side, or exactly ``(h, w)``.
        dense: how whole maps are kept; None where they are not.
        weights_source: what the weights are where they have no digest: a control's rule, or a seed.
        gem_power, gem_floor: of the generalised mean.
        foreground_rule: which patches the foreground vector is the mean of.
        pixel_range: black and white of deep photographs, in the words of `dinoscope.io.pixel_range`.
        compression: digest of the codes by which vectors were made smaller; empty where they are as they
            came. Then ``dim`` counts the channels that are left.
        bits: of each channel, 16 or 8.
    """

    backbone: str
    weights_digest: str
    layer: int
    final_norm: bool
    dtype: str
    resize: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    grid: int | tuple[int, int]
    dense: str | None = None
    weights_source: str = ""
    gem_power: float = GEM_POWER
    gem_floor: float = GEM_FLOOR
    foreground_rule: str = FOREGROUND_RULE
    pixel_range: str = FULL.words
    compression: str = ""
    bits: int = 16

    @property
    def digest(self) -> str:
        """The provenance hash: 16 hexadecimal digits of the sha256 of these settings as sorted JSON."""
        words = json.dumps(self.facts, sort_keys=True)
        return hashlib.sha256(words.encode()).hexdigest()[:16]

    @property
    def facts(self) -> dict[str, Any]:
        """By name; without the full range and without no compression: tables of before there were others say
        nothing of these.
        """
        plain = {"pixel_range": FULL.words, "compression": "", "bits": 16}
        facts = asdict(self)
        return {name: facts[name] for name in facts if name not in plain or facts[name] != plain[name]}

    @property
    def table_name(self) -> str:
        """The backbone's name made safe, and enough of the hash to be unique."""
        safe = re.sub(r"[^A-Za-z0-9._-]+", "_", self.backbone)[:80].strip("._") or "backbone"
        return f"{safe}-{self.digest[:12]}"

    def provenance(self, image: str, image_digest: str) -> Provenance:
        """Provenance of one photograph's features."""
        return Provenance(
            image=image,
            image_digest=image_digest,
            backbone=self.backbone,
            weights_digest=self.weights_digest,
            layer=self.layer,
            final_norm=self.final_norm,
            dtype=self.dtype,
            resize=self.resize,
            mean=self.mean,
            std=self.std,
        )

    def differences(self, provenance: Provenance) -> tuple[str, ...]:
        """What features of that provenance were made with otherwise, in words; empty where they fit."""
        own = self.provenance(provenance.image, provenance.image_digest)
        return tuple(
            f"{name}: {getattr(own, name)!r} in the table, {getattr(provenance, name)!r} given"
            for name in own.__dataclass_fields__
            if getattr(own, name) != getattr(provenance, name)
        )


def settings_to_json(settings: TableSettings) -> str:
    """The settings file of a table."""
    return json.dumps({"schema_version": SCHEMA_VERSION, "settings": settings.facts}, indent=2) + "\n"


def settings_from_facts(facts: Mapping[str, Any]) -> TableSettings:
    """Settings as `settings_to_json` wrote them.

    Raises:
        CorruptStoreError: they are not.
    """
    try:
        values: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in facts["settings"].items()
        }
        settings = TableSettings(**values)
        _check_settings(settings)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptStoreError(
            f"a table's settings.json does not hold settings: {shortened(error)}; put it back from a copy"
        ) from error
    return settings


def _check_settings(settings: TableSettings) -> None:
    s = settings
    words = (
        s.backbone,
        s.weights_digest,
        s.dtype,
        s.resize,
        s.weights_source,
        s.foreground_rule,
        s.pixel_range,
        s.compression,
    )
    grid = s.grid if isinstance(s.grid, tuple) else (s.grid, s.grid)
    if not all(isinstance(word, str) for word in words) or not isinstance(s.dense, str | None):
        raise ValueError("a name is no text")
    counts = all(0 < whole_number(n) <= LARGEST for n in (s.dim, *grid)) and whole_number(s.layer) >= 0
    if not counts or len(grid) != 2:
        raise ValueError(f"dim {s.dim}, layer {s.layer} and grid {s.grid} are not all counts")
    if not isinstance(s.final_norm, bool) or len(s.mean) != 3 or len(s.std) != 3:
        raise ValueError("final_norm, mean and std are not what they are of any model")
    if not all(isfinite(n) for n in (*s.mean, *s.std, s.gem_power, s.gem_floor)) or min(s.std) <= 0:
        raise ValueError("a mean, a deviation or a power is no number that can be used")
    read_range(s.pixel_range)
    if s.bits not in (8, 16) or (s.compression and s.dense is not None):
        raise ValueError("channels have 8 or 16 bits, and a compressed table keeps no maps")
    if s.dense is not None:
        DenseCoding.from_words(s.dense)


@dataclass(frozen=True, slots=True, eq=False)
class NewRow:
    """One photograph on its way into a table.

    Attributes:
        digest: of the photograph; the key.
        source: where it was found: a path, URL, or ``ARCHIVE::MEMBER``.
        stamp: size and time of the file, by which it is known again without being read; empty if unknown.
        grid: its patches.
        vectors: pooled, by the names in `POOLED`; ``cls`` may be missing. Of a compressed table their codes.
        foreground_share: of its patches, in [0, 1]; where 0, the foreground vector is the plain mean.
        moments: of its patches.
        values: its patches where maps are kept, else None.
        shot: what its EXIF block says.
    """

    digest: str
    source: str
    stamp: str
    grid: PatchGrid
    vectors: Mapping[str, Float[np.ndarray, " dim"] | UInt8[np.ndarray, " dim"]]
    foreground_share: float
    moments: PatchMoments
    values: Float32[np.ndarray, "n dim"] | None = None
    shot: Shot = UNKNOWN

    @property
    def n_bytes(self) -> int:
        """Memory held until the row is committed, about."""
        return moments_bytes(self.moments) + (0 if self.values is None else self.values.nbytes)


def table_schema(settings: TableSettings) -> Any:
    """The Arrow schema of a table; its metadata name the version, the rules and the settings."""
    pa = arrow()
    channel = pa.uint8() if settings.bits == 8 else pa.float16()
    fields = [
        pa.field("digest", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("stamp", pa.string()),
        *(pa.field(name, pa.list_(channel, settings.dim)) for name in POOLED),
        pa.field("foreground_share", pa.float32()),
        *(pa.field(name, pa.int32()) for name in ("h", "w", "patch_px", "width_px", "height_px")),
        pa.field("provenance", pa.string()),
        pa.field("session", pa.string()),
        pa.field("batch", pa.int64()),
        *shot_fields(),
    ]
    if settings.dense is not None:
        rank = DenseCoding.from_words(settings.dense).rank
        if rank is None:
            fields.append(pa.field("dense", pa.list_(pa.list_(pa.float16(), settings.dim))))
        else:
            fields += [
                pa.field("dense", pa.list_(pa.list_(pa.uint8(), rank))),
                pa.field("dense_low", pa.list_(pa.float32(), rank)),
                pa.field("dense_step", pa.list_(pa.float32(), rank)),
                pa.field("dense_error", pa.float32()),
            ]
    metadata = {
        "dinoscope.schema_version": str(SCHEMA_VERSION),
        "dinoscope.foreground_rule": settings.foreground_rule,
        "dinoscope.settings": json.dumps(settings.facts, sort_keys=True),
    }
    return pa.schema(fields, metadata=metadata)


def shot_fields() -> list[Any]:
    """What an EXIF block says: the columns that tables of earlier versions lack."""
    pa = arrow()
    kinds = (pa.string(), pa.string(), pa.float64(), pa.float64())
    return [pa.field(name, kind) for name, kind in zip(SHOT_COLUMNS, kinds, strict=True)]


def errors_schema() -> Any:
    """The Arrow schema of the table of photographs that could not be used."""
    pa = arrow()
    return pa.schema([pa.field("source", pa.string()), pa.field("reason", pa.string())])


def rows_to_arrow(
    rows: Sequence[NewRow],
    settings: TableSettings,
    *,
    session: str,
    batch: int,
    coded: Sequence[CodedMap] | None = None,
) -> Any:
    """Rows of one commit as an Arrow table of `table_schema`.

    Args:
        rows: at least one.
        settings: of the table.
        session: the writer's name.
        batch: the writer's number of this commit.
        coded: the rows' maps, where they are kept as components.
    """
    pa = arrow()
    schema = table_schema(settings)
    channel = np.uint8 if settings.bits == 8 else np.float16
    n = len(rows)
    columns: dict[str, Any] = {
        "digest": [row.digest for row in rows],
        "source": [row.source for row in rows],
        "stamp": [row.stamp for row in rows],
        "foreground_share": [row.foreground_share for row in rows],
        "h": [row.grid.h for row in rows],
        "w": [row.grid.w for row in rows],
        "patch_px": [row.grid.patch_size for row in rows],
        "width_px": [row.grid.image_size[0] for row in rows],
        "height_px": [row.grid.image_size[1] for row in rows],
        "provenance": [settings.digest] * n,
        "session": [session] * n,
        "batch": [batch] * n,
        **shot_columns([row.shot for row in rows]),
    }
    for name in POOLED:
        if all(name in row.vectors for row in rows):
            columns[name] = _vectors(np.stack([row.vectors[name] for row in rows]).astype(channel))
        else:
            columns[name] = pa.nulls(n, schema.field(name).type)
    if settings.dense is not None and coded is None:
        columns["dense"] = _maps([row.values.astype(np.float16) for row in rows if row.values is not None])
    if coded is not None:
        columns["dense"] = _maps([one.codes for one in coded])
        columns["dense_low"] = _vectors(np.stack([one.low for one in coded]))
        columns["dense_step"] = _vectors(np.stack([one.step for one in coded]))
        columns["dense_error"] = [one.error for one in coded]
    pairs = ((field, columns[field.name]) for field in schema)
    arrays = [pa.array(c, field.type) if isinstance(c, list) else c for field, c in pairs]
    return pa.table(arrays, schema=schema)


def shot_columns(shots: Sequence[Shot]) -> dict[str, list[Any]]:
    """Columns of the facts of exposure, for rows on their way in; what is unknown is null."""
    written = zip(*map(astuple, shots), strict=True)
    return {
        name: [value if value != "" else None for value in values]
        for name, values in zip(SHOT_COLUMNS, written, strict=True)
    }


def shot_in(facts: Mapping[str, Any]) -> Shot:
    """The facts of exposure in a row; empty ones where the table lacks these columns."""
    taken, camera, latitude, longitude = (facts.get(name) for name in SHOT_COLUMNS)
    return Shot(taken or "", camera or "", latitude, longitude)


def _vectors(values: np.ndarray) -> Any:
    pa = arrow()
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1])


def _maps(maps: Sequence[np.ndarray]) -> Any:
    pa = arrow()
    offsets = np.cumsum([0, *(len(one) for one in maps)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _vectors(np.concatenate(maps)))

"""Sizes against losses, for a terminal and as JSON."""

from __future__ import annotations

from dinoscope.compression.compress import Compressed
from dinoscope.compression.sizes import NEIGHBOURS, NONE_KEEPS, Promise, Size
from dinoscope.data.results import Interval


def compressed_text(found: Compressed) -> str:
    """A table for each kind of vector; the chosen size is marked."""
    lines = []
    for kind, sizes in found.sizes.items():
        lines += [
            f"{kind} vectors of {found.table}: {found.n_bytes:,} bytes each"
            + (", compared without their mean" if found.centred else ""),
            f"  channels  bits   bytes  of all  cosine kept              worst   recall@{NEIGHBOURS}",
        ]
        for size in sizes:
            mark = "* " if (size.dims, size.bits) == found.chosen else "  "
            share = size.n_bytes / found.n_bytes
            lines.append(
                f"{mark}{size.dims:>8}  {size.bits:>4}  {size.n_bytes:>6,}  {share:>6.1%}  "
                f"{_number(size.cosine, 4):<24} {size.worst:.4f}  {_number(size.recall, 3)}"
            )
        lines.append("")
    lines.append(
        f"Components fitted on {found.n_fitted:,} photographs, losses measured on {found.n_asked:,} others "
        "(means and 95% intervals)."
    )
    if found.chosen is not None:
        lines.append("* the smallest that keeps what was promised, by the lower ends of the intervals")
    elif found.promise != Promise():
        lines.append(f"{NONE_KEEPS}, by the lower ends of the intervals")
    return "\n".join(lines)


def compressed_json(found: Compressed) -> dict[str, object]:
    """What a compression found, as plain values."""
    return {
        "table": found.table,
        "n_bytes": found.n_bytes,
        "n_fitted": found.n_fitted,
        "n_asked": found.n_asked,
        "centred": found.centred,
        "sizes": {kind: [_plain(size) for size in sizes] for kind, sizes in found.sizes.items()},
        "promised": {"cosine": found.promise.cosine, "recall": found.promise.recall},
        "chosen": None if found.chosen is None else dict(zip(("dims", "bits"), found.chosen, strict=True)),
        "store": None if found.store is None else str(found.store.path),
        "written": None if found.store is None else found.store.chosen,
    }


def _plain(size: Size) -> dict[str, object]:
    return {
        "dims": size.dims,
        "bits": size.bits,
        "n_bytes": size.n_bytes,
        "cosine": [size.cosine.mean, size.cosine.low, size.cosine.high],
        "worst": size.worst,
        "recall": [size.recall.mean, size.recall.low, size.recall.high],
    }


def _number(value: Interval, digits: int) -> str:
    return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"

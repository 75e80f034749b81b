"""The page of measured figures, written from ``benchmarks/results``.

    python -m benchmarks.page

Seconds. Writes docs/benchmarks/index.md, which a test holds equal to the results, and the pictures beside it.
A result whose figures are not chosen below is shown with every single number it holds.
"""

from __future__ import annotations

import ast
import json
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.bounds import gpu_section
from benchmarks.machine import RESULTS
from benchmarks.machine_page import machine_sections, on_gpu, pictures

PAGE = RESULTS.parents[1] / "docs" / "benchmarks" / "index.md"
HEAD = """# Benchmarks

<!-- Written by `python -m benchmarks.page`: do not edit. -->

Speed, memory and size, each with the command that measured it and the machine it was measured on. Ratios were
measured side by side in one run, and of several rounds the median is shown; absolute times belong to that
machine and to what else ran on it. None of this is part of the tests. Run a command again for your own
figures; `python -m benchmarks.baseline` says which ratios left the committed ones.
"""


@dataclass(frozen=True)
class Figure:
    """One row of a table.

    Attributes:
        says: what it is.
        path: of the number in the result, separated by dots; of a list of numbers the median is shown.
        unit: behind it.
        digits: significant.
        scale: what the stored number is multiplied by.
    """

    says: str
    path: str
    unit: str = ""
    digits: int = 3
    scale: float = 1.0


@dataclass(frozen=True)
class Section:
    """One benchmark of the page.

    Attributes:
        title: its heading.
        figures: its rows.
        about: one sentence; the first line of the script's docstring where empty.
        command: where the result was written in several runs, that of all of them together.
    """

    title: str
    figures: tuple[Figure, ...]
    about: str = ""
    command: str = ""


MIB = 1 / 2**20
SECTIONS: Mapping[str, Section] = {
    "extract": Section(
        "From photographs to features",
        (
            Figure("photographs of one megapixel", "photographs", digits=4),
            Figure("a plain loop, as documentation shows it", "seconds.plain", "s"),
            Figure("`extract`", "seconds.ours", "s"),
            Figure("plain over ours", "ratio_plain_over_ours", "×"),
            Figure("share of the machine's float32 matrix rate", "share_of_gemm.ours", "%", 2, 100),
            Figure("mean cosine of the two's features", "mean_cosine_of_features", digits=6),
        ),
    ),
    "measure": Section(
        "The measures' own cost",
        (
            Figure("Gram distance, 16,384 x 384, dense form", "gram.16384x384.seconds.dense", "s"),
            Figure("the same, ours", "gram.16384x384.seconds.ours", "s"),
            Figure("its speed ratio", "gram.16384x384.speed_ratio.of_medians", "×"),
            Figure("its memory ratio", "gram.16384x384.memory_ratio", "×"),
            Figure("65,536 x 768, ours: memory", "gram.65536x768.peak_mib_beyond_inputs.ours", "MiB"),
            Figure("PCA of 136,900 patches, scikit-learn's IncrementalPCA", "pca.seconds.sklearn", "s"),
            Figure("the same, ours (exact)", "pca.seconds.ours", "s"),
            Figure("its speed ratio", "pca.speed_ratio.of_medians", "×"),
            Figure("subspace error, IncrementalPCA", "pca.subspace_error.sklearn", digits=2),
            Figure("subspace error, ours", "pca.subspace_error.ours", digits=2),
            Figure("forward pass of a ViT-B/16 at 512 px", "metrics.forward_seconds", "s"),
            Figure("all metrics of its map", "metrics.metrics_seconds", "s"),
            *(
                Figure(
                    f"`compare`, two {size}, {words}: beyond its forward passes, over them",
                    f"compare.{key}.{which}.beyond_over_forward.of_medians",
                    "%",
                    2,
                    100,
                )
                for key, size, which, words in (
                    ("vit-s", "ViT-S", "models_alone", "no controls"),
                    ("vit-s", "ViT-S", "with_controls", "three controls beside"),
                    ("vit-b", "ViT-B", "models_alone", "no controls"),
                    ("vit-b", "ViT-B", "with_controls", "three controls beside"),
                    ("vit-l", "ViT-L", "models_alone", "no controls"),
                )
            ),
            Figure(
                "writing the report of two ViT-S on 8 photographs",
                "compare.vit-s.with_controls.report_seconds",
                "s",
            ),
        ),
        about="""Gram distance, exact PCA, every metric of one feature map, and a whole comparison.

What `compare` does beyond the forward passes grows with patches and channels, the passes with the square of
the channels: 15% of the passes is the aim, reached by large models and missed by small ones. For a ViT-S a
pass is 64 GFLOP in float32; the metrics of its map (1,024 patches, 384 channels) and those between two models
are about 3 GFLOP in float64, which count twice, and the steps between them (k-means, ranks, edges, Fourier
transforms) run far below the rate of matrix products. Three controls make five maps of two, and hardly add
passes. Part of it does not grow with the photographs: the numbers of the whole collection are measured on 48
of them at most, DSE on 16.""",
        command="python -m benchmarks.measure",
    ),
    "memory": Section(
        "Memory of a large input",
        (
            Figure("side of the input", "side_px", "px", 5),
            Figure("peak", "peak_gib", "GiB"),
            Figure("of that before the call", "before_gib", "GiB"),
        ),
        about="2,048 x 2,048 pixels through ViT-S/16 on the CPU; the whole process, torch included.",
    ),
    "memory-4096": Section(
        "Memory of a larger one",
        (
            Figure("side of the input", "side_px", "px", 5),
            Figure("blocks run (memory peaks within one)", "blocks"),
            Figure("peak", "peak_gib", "GiB"),
            Figure("of that before the call", "before_gib", "GiB"),
        ),
        about="The same for 4,096 x 4,096 pixels, which are 65,536 patches.",
    ),
    "scaling": Section(
        "A store of many photographs",
        (
            Figure("one row on disk, 384 channels", "dim_384.bytes_per_row", "B", 4),
            Figure("one row on disk, 1024 channels", "dim_1024.bytes_per_row", "B", 4),
            Figure("pooling one photograph, 384 channels", "dim_384.pooled.s_per_row", "ms", 2, 1000),
            Figure("committing one, 32 to a commit", "dim_384.commit.32.s_per_row", "ms", 2, 1000),
            Figure("committing one, 256 to a commit", "dim_384.commit.256.s_per_row", "ms", 2, 1000),
            Figure("memory of a writer, each row", "writer_opened.bytes_per_row", "B"),
        ),
        about="What [the plan for a billion photographs](../scaling.md) rests on, for each row.",
    ),
    "embed": Section(
        "Embedding many photographs",
        (
            Figure("photographs of the long run", "photographs", digits=5),
            Figure(
                "memory after the first thousand", "memory_of_a_run.resident_bytes_after.1000", "MiB", 3, MIB
            ),
            Figure("after 10,000", "memory_of_a_run.resident_bytes_after.10000", "MiB", 3, MIB),
            Figure(
                "the store's part of its own time and a ViT-S/16's at 512 px",
                "store_share.store_share_of_store_and_forward",
                "%",
                2,
                100,
            ),
            Figure(
                "time of two Ray workers over one local process's", "ray_beside_local.ray_over_local", "×"
            ),
            Figure("Ray's start-up, not counted there", "ray_beside_local.ray.start_up_s", "s"),
        ),
        about="Distinct small photographs into a store: memory, the store's part, Ray beside one process. "
        "Memory takes one step, where small fragments are joined (every 256 commits), and is flat before and "
        "after. Ray's two workers have one thread each, which serves the small photographs of this race "
        "(128 px) better than two threads for one process.",
    ),
    "retrieval": Section(
        "Search in a million vectors",
        (
            Figure("vectors", "vectors", digits=7),
            Figure("channels", "dim"),
            Figure(
                "exact, batches of 256: time over faiss's",
                "exact.ratio_ours_over_faiss.batch",
                "×",
            ),
            Figure("exact, one query: time over faiss's", "exact.ratio_ours_over_faiss.single", "×"),
            Figure("exact, one query at a time: queries a second", "exact.queries_per_s.ours_single"),
            Figure(
                "the store's index (IVF_RQ): queries a second, over those of exact search",
                "verdict.lance_ivf_rq_over_exact_one_at_a_time",
                "×",
            ),
            *(
                Figure(f"{engine}: {says}", f"{key}.{path}", unit, 3, scale)
                for engine, key in (
                    ("the store's index (IVF_RQ)", "lance_ivf_rq"),
                    ("faiss IVF, float16", "faiss_ivf"),
                    ("usearch HNSW, float16", "usearch_hnsw"),
                )
                for says, path, unit, scale in (
                    ("recall@10 on queries it was not tuned with", "recall_at_10", "%", 100.0),
                    ("queries a second, one at a time", "queries_per_s", "", 1.0),
                    ("building it", "build_s", "s", 1.0),
                    ("on disk", "index_bytes", "MiB", MIB),
                    ("memory while building, beyond the vectors", "memory.highest_bytes", "MiB", MIB),
                )
            ),
        ),
        about="A seeded mixture of 10,000 clusters; exact beside faiss's flat index. The store's index "
        "re-ranks its candidates by the vectors in the table, on disk; the other two hold vectors in memory.",
    ),
    "train": Section(
        "A step of training",
        (
            Figure("rounds, a step of each in every one", "rounds"),
            Figure("load of the machine at the end, over its 2 cores", "load", "", 2),
            Figure("before: processor time of a step", "cpu.before_s", "s"),
            Figure("ours", "cpu.ours_s", "s"),
            Figure("before over ours", "cpu.ratio", "×"),
            Figure("its spread (half the distance between the quartiles)", "cpu.spread", "×", 2),
            Figure("wall-clock time, before over ours", "wall.ratio", "×"),
            Figure("its spread", "wall.spread", "×", 2),
            Figure("loss after the last step, before", "loss.before", "", 6),
            Figure("ours", "loss.ours", "", 6),
        ),
        about="The laboratory's default step beside the same step of commit 263407a, in alternation, on one "
        "thread. The machine was crowded, which slows both sides and blurs the ratio. The aim was 2; about "
        "half of a step of ours is matrix products.",
    ),
    "waits": Section(
        "Start-up and decoding",
        (
            Figure("rounds", "rounds"),
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            Figure("`dinoscope models`", "models_s", "s", 2),
            Figure("rows of the table searched", "search.rows", digits=7),
            Figure("a cold search by a stored photograph, before", "search.before", "s"),
            Figure("now", "search.now", "s"),
            Figure("before over now", "search.ratio", "×"),
            Figure("a JPEG file of 12 megapixels, before", "decode.12mp.before", "ms", 3, 1000),
            Figure("now, with the extra `fast`", "decode.12mp.now", "ms", 3, 1000),
            Figure("before over now", "decode.12mp.ratio", "×"),
            Figure("one of 48 megapixels, before", "decode.48mp.before", "ms", 3, 1000),
            Figure("now", "decode.48mp.now", "ms", 3, 1000),
            Figure("before over now", "decode.48mp.ratio", "×"),
        ),
        about="Processor time of one thread, before and now in alternation; each search is a new process.",
    ),
    "view": Section(
        "The interactive view",
        (
            Figure("6 photographs, 2 models, 32 x 32: hover, median", "six.hover_median_ms", "ms", 2),
            Figure("the same, 90%", "six.hover_p90_ms", "ms"),
            Figure("its file", "six.file_bytes", "MiB", 2, MIB),
            Figure("opening it", "six.open_ms", "ms"),
            Figure("1 photograph, 2 models, 256 x 256: hover, median", "large.hover_median_ms", "ms"),
            Figure("the same, 90%", "large.hover_p90_ms", "ms"),
            Figure("its file", "large.file_bytes", "MiB", 2, MIB),
        ),
    ),
}
"""By the result's name, in the order of the page."""


def page(results: Path = RESULTS) -> str:
    """The page's text.

    Raises:
        KeyError: a figure that is chosen here is not in its result.
    """
    known = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*.json")}
    machines = sorted(path for path in results.iterdir() if path.is_dir())
    names = [*(name for name in SECTIONS if name in known), *sorted(set(known) - set(SECTIONS))]
    measured = [part for folder in machines for part in machine_sections(folder)]
    bounds = [] if any(on_gpu(folder) for folder in machines) else [gpu_section()]
    return "\n".join([HEAD, *measured, *bounds, *(section(name, known[name]) for name in names)])


def section(name: str, result: Mapping[str, Any]) -> str:
    """One benchmark: what it is, its figures, its command and its machine."""
    chosen = SECTIONS.get(name) or Section(name, tuple(_every(result)))
    rows = "\n".join(f"| {figure.says} | {_shown(figure, result)} |" for figure in chosen.figures)
    return (
        f"## {chosen.title}\n\n{chosen.about or _first_line(name)}\n\n| | |\n|---|--:|\n{rows}\n\n"
        f"`{chosen.command or _command(name, result)}`, {_machine(result)}.\n"
    )


def _shown(figure: Figure, result: Mapping[str, Any]) -> str:
    value: Any = result
    for key in figure.path.split("."):
        value = value[key]
    number = statistics.median(value) if isinstance(value, list) else value
    if not isinstance(number, (int, float)) or isinstance(number, bool):
        return str(number)
    words = f"{number * figure.scale:,.{figure.digits}g}"
    if "e" in words and abs(number) >= 1:
        words = f"{number * figure.scale:,.0f}"
    return f"{words}{'' if figure.unit in '×%' else ' '}{figure.unit}"


def _every(result: Mapping[str, Any], before: str = "") -> Iterator[Figure]:
    """A figure for each number of a result."""
    for key, value in result.items():
        path = f"{before}{key}"
        if path == "machine":
            continue
        numbers = value if isinstance(value, list) else [value]
        if isinstance(value, Mapping):
            yield from _every(value, f"{path}.")
        elif numbers and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in numbers):
            yield Figure(f"`{path}`", path)


def _module(name: str) -> Path | None:
    """The script that writes a result, by the longest name that begins it."""
    scripts = {path.stem: path for path in Path(__file__).parent.glob("*.py")}
    fitting = [stem for stem in scripts if name == stem or name.startswith(f"{stem}-")]
    return scripts[max(fitting, key=len)] if fitting else None


def _first_line(name: str) -> str:
    script = _module(name)
    said = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) if script else None
    return said.splitlines()[0] if said else ""


def _command(name: str, result: Mapping[str, Any]) -> str:
    machine = result.get("machine")
    if isinstance(machine, Mapping) and "command" in machine:
        return str(machine["command"])
    script = _module(name)
    return f"python -m benchmarks.{script.stem if script else name}"


def _machine(result: Mapping[str, Any]) -> str:
    machine = result.get("machine", "a machine that was not noted")
    if isinstance(machine, Mapping):
        return (
            f"{machine['processor']}, {machine['threads']} threads, {machine['system']}, "
            f"Python {machine['python']}, torch {machine['torch']}"
        )
    return ", ".join(filter(None, (str(machine), str(result.get("browser", "")))))


def write_page(results: Path, page_path: Path) -> None:
    """The page and its pictures; those of results that are gone go too."""
    folder = page_path.parent
    folder.mkdir(parents=True, exist_ok=True)
    page_path.write_text(page(results), encoding="utf-8")
    drawn = dict(picture for path in sorted(results.iterdir()) if path.is_dir() for picture in pictures(path))
    for old in folder.glob("*.svg"):
        if old.name not in drawn:
            old.unlink()
    for name, data in drawn.items():
        (folder / name).write_bytes(data)


def main() -> None:
    """Write the page."""
    write_page(RESULTS, PAGE)
    print(PAGE)


if __name__ == "__main__":
    main()

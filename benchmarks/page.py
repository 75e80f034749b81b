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

from benchmarks.bounds import gpu_sections
from benchmarks.machine import RESULTS
from benchmarks.machine_page import machine_sections, on_gpu, pictures

HOVERED = (
    *("pca", "clusters", "spectral", "upsampled", "cosine", "difference", "rank", "threshold"),
    *("facet", "attention", "repair", "segment", "match", "words"),
)
"""Modes of the live page, in the order of its menu."""

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
INDEX_FIGURES = (
    Figure("vectors", "count", digits=7),
    Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
    *(
        Figure(f"{says}: {what}", f"{kind}.{path}", unit, digits, scale)
        for says, kind in (("mixture", "mixture"), ("power-law clusters", "power"))
        for what, path, unit, digits, scale in (
            ("recall@10", "recall.ours", "%", 3, 100.0),
            ("faiss's", "recall.faiss", "%", 3, 100.0),
            ("queries a second, one at a time", "per_s.ours", "", 3, 1.0),
            ("faiss's", "per_s.faiss", "", 3, 1.0),
            ("ours over faiss's", "ratio", "×", 3, 1.0),
            ("lists looked into", "nprobes", "", 4, 1.0),
            ("of", "lists", "", 4, 1.0),
            (
                "building it, processor time with the measurement",
                "build_and_measure_processor_s",
                "s",
                3,
                1.0,
            ),
            ("on disk", "bytes", "MiB", 3, MIB),
        )
    ),
    Figure("the page, one client: request to hits", "page.alone_s", "ms", 3, 1000),
    Figure(
        "of that processor time, the client's included",
        "page.alone_processor_s",
        "ms",
        3,
        1000,
    ),
    Figure("clients at once", "page.clients"),
    Figure("the page, many clients: median", "page.together_median_s", "s"),
    Figure("the page, many clients: 99%", "page.together_p99_s", "s"),
    Figure("a cold search by a stored photograph: rows", "cold.rows", digits=7),
    Figure("by the index, processor time", "cold.by_index_s", "s"),
    Figure("exactly", "cold.exact_s", "s"),
)
INDEX_ABOUT = (
    "Processor seconds of one thread, but for the page, on a crowded machine. The mixture has "
    "clusters of 100 vectors, of which a single list holds nearly all neighbours, which flatters every "
    "index; the other has as many clusters whose sizes fall as 1/rank, with noise of full rank as large "
    "as the centres' spread. Settings were chosen on rows of the table, figures are of new draws; "
    "faiss's own holds float16 vectors in memory in the same lists, and looks into as few as find as much. "
    "Aims: 2,000 and 1,000 queries a second, which faiss's own misses by more; and 0.5 s for 99 of 100 among "
    "50 clients, missed by a tenth: with two threads the bound is half of 50 searches of the harder data, of "
    "which 7 of 11 ms are faiss's and run at once, plus what Python does for all of them in turn, clients "
    "included (6 ms each). With one thread it was 0.832 s."
)

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
    "analyses": Section(
        "Exact PCA and Gram distance, before and now",
        (
            Figure("rounds", "rounds"),
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            Figure("PCA of 136,900 x 768, scikit-learn's IncrementalPCA", "pca.usual", "s"),
            Figure("ours (exact), before", "pca.before", "s"),
            Figure("now", "pca.now", "s"),
            Figure("IncrementalPCA over ours, before", "pca.usual_over.before", "×"),
            Figure("now", "pca.usual_over.now", "×"),
            Figure("one triangle of the products, which exact PCA needs", "product_gflop", "GFLOP"),
            Figure("this machine's rate of it, in float32", "triangle_gflops", "GFLOP/s"),
            Figure("its rate of whole products", "product_gflops", "GFLOP/s"),
            Figure("so PCA takes at least", "bound_s", "s"),
            Figure("and is at most so many times as fast as IncrementalPCA", "bound_ratio", "×"),
            Figure("Gram distance, 4,096 x 384, dense form", "gram.usual", "ms", 3, 1000),
            Figure("ours, before", "gram.before", "ms", 3, 1000),
            Figure("now", "gram.now", "ms", 3, 1000),
            Figure("dense over ours, before", "gram.usual_over.before", "×"),
            Figure("now", "gram.usual_over.now", "×"),
        ),
        about="""Processor time of one thread, beside commit 8f722ff, on a crowded machine. The aims were 20
and 4. Copying fewer patches left PCA the same to the bit; Gram distances moved by rounding in float64.

What PCA takes beyond its products is passing 420 MB of patches through memory three times (joining
photographs to blocks, centring them, sums in float64), and adding 20 blocks of 768 x 768 in float64. Blocks
read in pieces that stay in the cache, and blocks twice as large, were tried: they gained nothing and 3%.""",
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
    "index": Section("The index beside a store, and its page", INDEX_FIGURES, about=INDEX_ABOUT),
    "index-200000": Section("The same with fewer vectors", INDEX_FIGURES, about=INDEX_ABOUT),
    "normal": Section(
        "A bank of a million normal patches",
        (
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            Figure("patches of 384 channels in the bank", "patches", digits=7),
            Figure("lists", "lists", "", 4),
            Figure("looked into for a patch", "looked_into", "", 4),
            Figure("nearest found, of photographs left out", "recall", "%", 4, 100.0),
            Figure("distances too large, on average", "excess", "%", 2, 100.0),
            Figure("nearest found, of new photographs", "recall_of_others", "%", 4, 100.0),
            Figure("making the lists and measuring them", "fit_s", "s"),
            Figure("a photograph of 1,024 patches, compared with all", "exact_s", "s"),
            Figure("the same, by lists", "lists_s", "s"),
            Figure("exact over lists", "ratio", "×"),
        ),
        about="Processor seconds of one thread, on a crowded machine; scenes of 40 of 2,000 clusters with "
        "noise of full rank.",
    ),
    "choose": Section(
        "Choosing a layer",
        (
            Figure("photographs", "photographs"),
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            Figure("a forward pass of a ViT-S/16, 32 x 32 patches", "forward_s", "s"),
            Figure("gathering 12 layers: the pass, places and the metrics of their maps", "gather_s", "s"),
            Figure("over the pass", "ratio", "×"),
            Figure("deciding, once for all photographs", "decide_s", "s"),
            Figure("a forward pass of a ViT-B/16", "larger_forward_s", "s"),
            Figure("gathering 12 layers of it", "larger_gather_s", "s"),
            Figure("over the pass", "larger_ratio", "×"),
        ),
        about="`choose` over 12 layers, for one photograph and grid; processor seconds of one thread, on a "
        "crowded machine. The aim is 1.2, which a ViT-S misses: beyond the pass are the metrics of 12 maps "
        "against the masks, all cosines and half a million pairs of each, which grow with the channels; "
        "a pass grows with their square. Deciding is the readouts of all settings and folds.",
    ),
    "spectral": Section(
        "The normalised cut",
        (
            Figure("load of the machine, over its cores", "load_over_cores", "", 2),
            Figure("100,000 patches of 384 channels, ncut-pytorch (a sample)", "ncut_pytorch_s", "s"),
            Figure("the same, ours (exact)", "ours_s", "s"),
            Figure("theirs over ours", "theirs_over_ours", "×"),
            Figure("1,000,000 patches, ours", "large_s", "s"),
        ),
        about="20 eigenvectors and every patch's entries of them; processor seconds of one thread, on a "
        "crowded machine. ncut-pytorch 3.2.0 with its own settings samples 10,240 patches.",
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
    "beside": Section(
        "A comparison before and now",
        (
            Figure("rounds", "rounds"),
            Figure("load of the machine at the end, over its cores", "load_over_cores", "", 2),
            Figure("photographs of one megapixel", "photographs"),
            Figure("the forward passes", "passes_s", "s"),
            Figure("`compare` beyond them, before", "own.before", "s"),
            Figure("now", "own.now", "s"),
            Figure("before over now", "own.ratio", "×"),
            Figure("over the passes, before", "own_over_passes.before", "%", 2, 100),
            Figure("now", "own_over_passes.now", "%", 2, 100),
            Figure("writing the report, before", "report.before", "s"),
            Figure("now", "report.now", "s"),
        ),
        about="""Processor time of one thread, beside commit 8f722ff, both ways at once on one core of a
crowded machine; two ViT-S on a 32-patch grid, no controls.

The numbers are the same to 1e-9, but for the areas of the checks (half a blur, standardised channels),
which may move by 5e-6 and moved by 2e-9, and `proxy_sharpness`, which may move by 1e-5 and moved by less than
5e-6: edges are filtered in float32. The aim for `compare` was a quarter of the passes, and is missed by five
points here. An earlier run, less crowded and without the float32 edges, missed it by four; what was gained
since (0.1 s at the edges, 0.04 s each at the areas over pairs and position R²) is less than runs differ by.
What is left is bound by arithmetic in float64, at some 50 GFLOP/s on this machine: DSE takes 1.1 s of it,
of which 0.28 s are 96 reductions of clusters of some 340 patches to tridiagonal form, 0.1 s their products,
and 0.5 s k-means (distances in float32, checked in float64, and the start of 24 centres). It does not grow
beyond 16 photographs. Then the cosines of 40 maps, which are made and sorted once each (0.4 s). Three ways
gained nothing: distances of patches kept by columns, since turning them round takes what the products gain;
passing over patches whose centre cannot have changed, since of 24 centres half of the patches and more stay
in doubt every round; and reductions in float32, a quarter faster, which lose the small singular values.

The aim for the report was 3 s, and is missed by half a second on the crowded machine. A third of its time
codes the view's tokens: most of that is their error on all pairs of patches, 39 GFLOP a model at the rate of
float32 products. The rest is matplotlib's text and axes in the overview, plane and curves, JPEG files, and
templates.""",
    ),
    "collection": Section(
        "Memory of a collection, and controls without a pass",
        (
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            Figure("photographs of one megapixel, two ViT-S, 32 x 32 patches", "held.photographs"),
            Figure("peak of `compare` without controls, torch and weights included", "held.compare", "GiB"),
            Figure("with controls", "held.compare_with_controls", "GiB"),
            Figure("peak of `measure`, small photographs", "flat.few_mib", "MiB", 4),
            Figure("of how many", "flat.few", digits=4),
            Figure("peak of `measure`, small photographs", "flat.many_mib", "MiB", 4),
            Figure("of how many", "flat.many", digits=4),
            Figure(
                "8 photographs, `blur:NAME` over two models' passes", "controls.over_passes.blur", "%", 2, 100
            ),
            Figure("`shuffled:NAME`", "controls.over_passes.shuffled", "%", 2, 100),
            Figure("with every number measured anew", "controls.over_passes.shuffled anew", "%", 2, 100),
            Figure("`other:NAME`", "controls.over_passes.other", "%", 2, 100),
            Figure("with every number measured anew", "controls.over_passes.other anew", "%", 2, 100),
            Figure(
                "numbers of the collection, in each of these: `blur:NAME`",
                "controls.over_passes.blur of all",
                "%",
                2,
                100,
            ),
            Figure("`shuffled:NAME`", "controls.over_passes.shuffled of all", "%", 2, 100),
            Figure("`other:NAME`", "controls.over_passes.other of all", "%", 2, 100),
        ),
        about="""`compare` measures two models at once. `measure` keeps its rows of numbers, some 10 KB a
photograph. The aim for a control that runs no model was 5% of the passes. `shuffled:NAME` and `other:NAME`
meet it: they have the model's own number wherever a metric does not look at what they change, DSE included,
which looks at places only to draw its starts, and for `other:NAME` position R². `blur:NAME` misses it on 8
photographs: its features are new, and all is measured, two thirds of it the numbers of the whole collection.
DSE does not grow beyond 16 photographs: on 48 the arithmetic says some 7%. Earlier editions of this page
gave differences of whole measurements (10, 6.9 and 14%), which vary by more than what is asked here. The
peaks are of an earlier run, with `--only held,flat`.""",
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
    "crowded": Section(
        "Beside other processes",
        (
            Figure("photographs of a round", "photographs"),
            Figure("the model's input", "side", "px"),
            Figure("rounds", "rounds"),
            Figure("load of the machine at the end, over its cores", "load_over_cores", "", 2),
            Figure("a plain loop", "seconds.plain", "s"),
            Figure("`extract`", "seconds.ours", "s"),
            Figure("ours over plain, wall-clock: median", "wall.median", "×"),
            Figure("± half the distance of the quartiles", "wall.spread", "", 2),
            Figure("rounds in which ours was slower", "rounds_ours_was_slower"),
            Figure("ours over plain, processor time: median", "processor.median", "×"),
            Figure("± half the distance of the quartiles", "processor.spread", "", 2),
        ),
        about="A ViT-S/16 with random weights on one thread from JPEG files of one megapixel, both ways "
        "in turn, on a machine that others kept busy. By the clock ours is not the slower one. By "
        "processor time it takes some percent more: it resizes in float32 with antialiasing, the "
        "same for every model, where the loop resizes in 8 bits, which was timed alone at 15 ms "
        "against 9 for a megapixel to 512 px and 12 against 5 to 256 px. With a core to spare "
        "that is hidden behind the pass; where every core is taken, it is what small inputs may "
        "lose, and about 1% at 512 px.",
    ),
    "small": Section(
        "Many small photographs",
        (
            Figure("photographs", "photographs"),
            Figure("rounds", "rounds"),
            Figure("load of the machine at the end, over its cores", "load_over_cores", "", 2),
            *(
                figure
                for side in (64, 96, 128, 224)
                for figure in (
                    Figure(f"{side} px, a plain loop: photographs a second", f"{side}.plain_per_s"),
                    Figure("`extract`", f"{side}.ours_per_s"),
                    Figure("photographs of its passes", f"{side}.together"),
                    Figure("plain over ours", f"{side}.ratio.median", "×"),
                    Figure("± half the distance of the quartiles", f"{side}.ratio.spread", "", 2),
                    Figure("plain over the matrix products alone", f"{side}.bound", "×"),
                )
            ),
            Figure("matrix products of 1,024³", "gflops", "GFLOP/s"),
        ),
        about="JPEG files of just the input's size through a ViT-S/16 with random weights, processor time of "
        "one thread, decoding included, in alternation with a loop of one photograph at a time. A pass on a "
        "processor takes as many as fill about 120,000 pixels. The last row of each size is the bound: how "
        "many times as fast as the plain loop the pass's matrix products would be at the rate of large ones, "
        "with nothing beside them.",
    ),
    "ways": Section(
        "The ways of `extract --fast`",
        (
            Figure("rounds", "rounds"),
            Figure("load of the machine at the start, over its cores", "load_over_cores", "", 2),
            *(
                figure
                for says, key in (
                    ("`mini` at 128 px", "mini"),
                    ("a DINOv3 ViT-S/16 at 512 px", "dinov3-vits16"),
                    ("a DINOv2 ViT-S/14 at 448 px", "dinov2-small"),
                )
                for figure in (
                    Figure(f"{says}, float32: a pass", f"{key}.float32.pass_s", "s"),
                    *(
                        Figure(f"float32 over {way}", f"{key}.{way}.gain", "×")
                        for way in (
                            "float32, compiled",
                            "bfloat16 autocast",
                            "bfloat16 autocast, compiled",
                            "int8",
                        )
                    ),
                    Figure("int8: making it", f"{key}.int8.start_s", "s", 2),
                    Figure("its mean cosine to float32", f"{key}.int8.mean_cosine", digits=6),
                    Figure("the worst patch's", f"{key}.int8.worst_cosine", digits=6),
                    Figure("of how many", f"{key}.int8.patches", digits=5),
                )
            ),
        ),
        about="""Processor time of one thread for a pass of one photograph, ways in alternation; the
certificates are of two photographs that scikit-image brings. Weights of the ViT-S are random, those of `mini`
trained.

8 bits make nothing of a pass faster but its linear layers: attention, normalisation and activations stay in
float32, and attention alone is a third of the operations at 1,029 tokens. Where a trained model has channels
far larger than the rest, one scale for all tokens is coarse: the certificate finds what
that costs.""",
    ),
    "decode": Section(
        "Reading large JPEG files",
        (
            Figure("rounds", "rounds"),
            Figure("load of the machine at the end, over its cores", "load_over_cores", "", 2),
            *(
                figure
                for says, key in (("12 megapixels", "12mp"), ("48 megapixels", "48mp"))
                for figure in (
                    Figure(f"{says}, decoded by Pillow", f"{key}.pillow", "ms", 3, 1000),
                    Figure("with the extra `fast`, the same pixels", f"{key}.full", "ms", 3, 1000),
                    Figure("`--decode reduced`", f"{key}.reduced", "ms", 3, 1000),
                    Figure("which reads it at 1 over", f"{key}.reduction"),
                    Figure("full over reduced", f"{key}.full_over_reduced", "×"),
                    Figure(f"{says}, decoded and resized: Pillow", f"{key}.pillow_resized", "ms", 3, 1000),
                    Figure("with the extra `fast`", f"{key}.full_resized", "ms", 3, 1000),
                    Figure("`--decode reduced`", f"{key}.reduced_resized", "ms", 3, 1000),
                    Figure("full over reduced", f"{key}.full_resized_over_reduced", "×"),
                    Figure("Pillow over reduced", f"{key}.pillow_resized_over_reduced", "×"),
                )
            ),
            Figure("photographs of the certificate", "certificate.n_images"),
            Figure("their patches", "certificate.n_patches", digits=5),
            Figure("mean cosine to full decoding", "certificate.mean", digits=6),
            Figure("the worst patch's", "certificate.minimum", digits=6),
        ),
        about="Processor time of one thread for a file's bytes, ways in alternation, for an input of 512 px "
        "on the short side. The files are drawn, with the noise of a sensor, of 3.7 and 15 MB. What bounds a "
        "reduced reading is the entropy code, which every way has to undo whole: read at an eighth, hardly "
        "anything but that is left. The certificate is the bundled model's, on photographs that scikit-image "
        "brings, for an input of 128 px.",
    ),
    "live": Section(
        "The live page",
        (
            Figure(
                "matching two maps of 32 x 32 x 768, processor time, median", "match_maps.median_ms", "ms"
            ),
            Figure("the least", "match_maps.least_ms", "ms"),
            Figure("over the one matrix product that it needs", "match_maps.over_one_product", "×"),
            Figure(
                "a mask of such a map from eight clicks, processor time, median",
                "match_maps.mask_median_ms",
                "ms",
            ),
            *(
                Figure(f"answer of two models to {says}, median", f"answer_ms.{key}.median", "ms")
                for says, key in (
                    ("a pair of photographs", "match"),
                    ("eight clicks", "segment_nearest"),
                    ("the same, linear", "segment_linear"),
                    ("a place, for its attention", "attention"),
                )
            ),
            *(Figure(f"hover, {mode}, median", f"hover_ms.{mode}.median", "ms", 2) for mode in HOVERED),
            Figure("load of the machine", "load", "", 2),
        ),
        about="Six photographs on 32 x 32, the bundled pair; answers go through the server and back. "
        "The machine was crowded (its load is below), which stretches the answers; processor times and "
        "the ratio less so.",
    ),
    "view": Section(
        "The interactive view",
        (
            Figure("6 photographs, 2 models, 32 x 32: hover, median", "six.hover_median_ms", "ms", 2),
            Figure("the same, 90%", "six.hover_p90_ms", "ms"),
            Figure("its file", "six.file_bytes", "MiB", 2, MIB),
            Figure("opening it, to its colours", "six.open_ms", "ms"),
            Figure("the first cosines asked of it", "six.first_cosines_ms", "ms"),
            Figure("1 photograph, 2 models, 256 x 256: hover, median", "large.hover_median_ms", "ms"),
            Figure("the same, 90%", "large.hover_p90_ms", "ms"),
            Figure("its file", "large.file_bytes", "MiB", 2, MIB),
            Figure("opening it, to its colours", "large.open_ms", "ms"),
            Figure("the first cosines asked of it", "large.first_cosines_ms", "ms"),
            Figure(
                "24 photographs, 4 models of 128 channels, 64 x 64: hover, median",
                "many.hover_median_ms",
                "ms",
            ),
            Figure("the same, 90%", "many.hover_p90_ms", "ms"),
            Figure("its file", "many.file_bytes", "MiB", 2, MIB),
            Figure("opening it, to its colours", "many.open_ms", "ms"),
            Figure("the first cosines asked of it", "many.first_cosines_ms", "ms"),
        ),
        about="How fast the interactive view answers, how fast it opens, and how large its file is. A page "
        "paints its colours first; tokens are unpacked for the first cosines, and hovering is timed from "
        "then on. The machine was crowded, which stretches all times.",
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
    names = [*(name for name in SECTIONS if name in known), *sorted(set(known) - {*SECTIONS, "gpu"})]
    measured = [part for folder in machines for part in machine_sections(folder)]
    raced = any(on_gpu(folder) for folder in machines)
    bounds = gpu_sections(known.get("gpu"), raced=raced)
    return "\n".join([HEAD, *measured, *bounds, *(section(name, known[name]) for name in names)])


def section(name: str, result: Mapping[str, Any]) -> str:
    """One benchmark: what it is, its figures, its command and its machine."""
    chosen = SECTIONS.get(name) or Section(name, tuple(_every(result)))
    rows = "\n".join(
        f"| {figure.says} | {_shown(figure, result)} |" for figure in chosen.figures if _known(figure, result)
    )
    return (
        f"## {chosen.title}\n\n{chosen.about or _first_line(name)}\n\n| | |\n|---|--:|\n{rows}\n\n"
        f"`{chosen.command or _command(name, result)}`, {_machine(result)}.\n"
    )


def _known(figure: Figure, result: Mapping[str, Any]) -> bool:
    """Whether a result has the figure: parts of some benchmarks can be measured by themselves."""
    value: Any = result
    for key in figure.path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True


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

"""Large JPEG files by Pillow, by the extra [fast], and reduced, up to the pixels of a model's input.

    python -m benchmarks.decode [--rounds 7]

Processor time of one thread, ways in alternation, medians, ratios of the same round: decoding alone, and with
the resize to 512 px; and the certificate of reduced decoding on photographs. Half a minute. Expected: with
the resize, reduced at least 1.5 times as fast as full.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import simplejpeg
import skimage.data
from PIL import Image

import dinoscope as ds
from benchmarks.machine import load_over_cores, processor_seconds, write_result
from benchmarks.waits import SIZES, drawn_jpeg
from dinoscope.data.photograph import Photograph
from dinoscope.io.images import decode_photograph
from dinoscope.io.resize import resize_pixels
from dinoscope.pipeline.reduced import check_decoding
from dinoscope.pipeline.run import Run

PHOTOGRAPHS = ("astronaut", "coffee", "hubble_deep_field", "retina", "chelsea", "rocket")
INPUT = Run(32)
PATCH = 16


def raced(data: bytes, rounds: int) -> dict[str, float]:
    """Seconds of each way, and their ratios."""
    fewer = partial(decode_photograph, data, name="a.jpg", enough=partial(INPUT.enough, patch_size=PATCH))
    whole = partial(decode_photograph, data, name="a.jpg")

    def timed(decode: Callable[[], Photograph]) -> tuple[float, float]:
        found: list[Photograph] = []
        decoding = processor_seconds(lambda: found.append(decode()))
        size = INPUT.fit(found[0].size, PATCH).input_size
        return decoding, decoding + processor_seconds(lambda: resize_pixels(found[0], size, "bilinear"))

    def pillow() -> tuple[float, float]:
        sys.modules["simplejpeg"] = None  # type: ignore[assignment]
        try:
            return timed(whole)
        finally:
            sys.modules["simplejpeg"] = simplejpeg

    ways = {"pillow": pillow, "full": lambda: timed(whole), "reduced": lambda: timed(fewer)}
    for way in ways.values():
        way()
    times = [{name: way() for name, way in ways.items()} for _ in range(rounds)]
    found: dict[str, float] = {"reduction": fewer().reduction}
    for i, what in enumerate(("", "_resized")):
        for name in ways:
            found[name + what] = statistics.median(taken[name][i] for taken in times)
            ratios = [taken[name][i] / taken["reduced"][i] for taken in times]
            found[f"{name}{what}_over_reduced"] = statistics.median(ratios)
    return found


def certified() -> dict[str, object]:
    """The bundled model's certificate on photographs of scikit-image."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for name in PHOTOGRAPHS:
            paths.append(Path(folder) / f"{name}.jpg")
            Image.fromarray(getattr(skimage.data, name)()).save(paths[-1], quality=92)
        proof = check_decoding(paths, ds.load_backbone("mini"), Run(16), n_images=len(paths))
    return {} if proof is None else asdict(proof)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    result: dict[str, object] = {
        "rounds": asked.rounds,
        **{name: raced(drawn_jpeg(size), asked.rounds) for name, size in SIZES.items()},
        "certificate": certified(),
        "load_over_cores": load_over_cores(),
    }
    print(result)
    write_result("decode", result)


if __name__ == "__main__":
    main()

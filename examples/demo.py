"""The demo: compare backbones on six photographs that scikit-image and scikit-learn ship.

Run by ``python3 dev.py demo``; any further arguments go to ``dinoscope compare``.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from dinoscope import cli

PHOTOGRAPHS = (
    ("skimage", "data/chelsea.png", "Chelsea the cat: Stéfan van der Walt, CC0"),
    ("skimage", "data/astronaut.png", "Eileen Collins: NASA, public domain"),
    ("skimage", "data/coffee.png", "Coffee: Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0"),
    ("skimage", "data/rocket.jpg", "DSCOVR launch: SpaceX, public domain"),
    (
        "skimage",
        "data/motorcycle_left.png",
        "Motorcycle: Middlebury 2014 stereo data set, Scharstein et al., GCPR 2014",
    ),
    ("sklearn", "datasets/images/flower.jpg", "Flower: vultilion on Flickr, CC BY 2.0"),
)
MODELS = "mini,mini-gram,random:mini"
OUT = Path("dinoscope-demo")


def demo_photographs() -> list[Path]:
    """Where the six photographs lie on this machine."""
    return [_package(package) / inside for package, inside, _ in PHOTOGRAPHS]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        sys.exit(f"the demo's photographs lie in the package {name}, which is not installed")
    return Path(spec.submodule_search_locations[0])


def main() -> None:
    """Compare, then say where the report is and how to go on."""
    print("Six photographs, shipped by scikit-image and scikit-learn:")
    for _, _, credit in PHOTOGRAPHS:
        print(f"  {credit}")
    if "--models" not in sys.argv:
        print(
            "\nmini and mini-gram are two toy vision transformers that come with dinoscope: one\n"
            "training run, whose last steps went on as before (mini) or held to an early Gram matrix\n"
            "(mini-gram). They are trained, and they are neither DINOv2 nor DINOv3. random:mini is the\n"
            "same architecture before training. What to look at, in the first two rows of the report:\n"
            "the motorcycle and the cat come out in even areas where a network was trained, and fall into\n"
            "speckles where it was not.\n"
        )
    photographs = [str(path) for path in demo_photographs()]
    models = [] if "--models" in sys.argv else ["--models", MODELS]
    sys.argv = ["dinoscope", "compare", *photographs, *models, "--out", str(OUT), *sys.argv[1:]]
    try:
        cli.main()
    except SystemExit as stop:
        if stop.code not in (0, None):
            raise
    python = Path(sys.executable)
    command = python.with_name("dinoscope")
    if command.is_relative_to(Path.cwd()):
        command = command.relative_to(Path.cwd())
    print(
        "\nYour own photographs, with DINOv2 and DINOv3 (the weights come from the Hugging Face hub;\n"
        "DINOv3's are under the DINOv3 License):\n"
        f"  {command} compare YOUR-PHOTOS/ --models dinov2-reg-base,dinov3-vitb16 --out my-report"
    )


if __name__ == "__main__":
    main()

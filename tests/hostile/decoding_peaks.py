"""Prints, for each file named, the memory that decoding it took at its peak, and what was foreseen.

Each is decoded in a process of its own. ``python decoding_peaks.py FILES...``
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dinoscope.errors import ImageError
from dinoscope.io.decoding import decoded_bytes, decoding
from dinoscope.io.images import read_photograph


def status(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) * 1024


def _highest() -> int:
    """The most that was held in memory of its own: the pages of libraries, which the kernel maps as it likes,
    do not count."""
    return status("VmHWM") - status("RssFile") - status("RssShmem")


def measured(path: Path) -> str:
    """Peak and estimate; a refusal in words."""
    before = status("RssAnon")
    try:
        read_photograph(path)
    except ImageError as error:
        return f"{_highest() - before}\t0\t{error.reason}"
    peak = _highest() - before
    data = path.read_bytes()
    with decoding(data, "") as (image, _):
        return f"{peak}\t{decoded_bytes(image, len(data))}\t"


if __name__ == "__main__":
    import pillow_heif

    pillow_heif.register_heif_opener()
    for name in sys.argv[1:]:
        sys.stdout.flush()
        if os.fork() == 0:
            print(name, measured(Path(name)), sep="\t", flush=True)
            os._exit(0)
        os.wait()

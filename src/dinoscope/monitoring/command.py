"""`dinoscope watch` and `dinoscope track`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT


@examples("dinoscope watch run/", "dinoscope watch run/ --every 60 -o page.html")
def watch_command(
    run: Annotated[Path, argument("Folder that a monitor writes to.", INPUT)],
    *,
    out: Annotated[
        Path | None,
        out_option("Page to write; watch.html in the folder by default.", metavar="FILE"),
    ] = None,
    every: Annotated[
        int,
        option(
            "Write it again every so many seconds, until interrupted; 0: once.", OUTPUT, metavar="S", min=0
        ),
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Write the page of a watched training: its numbers, its maps in one basis, and whether it got worse."""
    from dinoscope.monitoring.page import write_watch
    from dinoscope.monitoring.run_files import RunFiles
    from dinoscope.strict_json import strict_json

    files = RunFiles(run)
    page = run / "watch.html" if out is None else out
    told = False
    while True:
        checks = files.checks()
        write_watch(
            checks, files.maps(checks), page, title=run.resolve().name, reload_s=every if every else None
        )
        if not told:
            print(strict_json({"page": page}) if as_json else page, flush=True)
            told = True
        if not every:
            return
        time.sleep(every)


@examples(
    "dinoscope track checkpoints/*.pth my-photos/ -o run",
    "dinoscope track checkpoints/*.pth photos/ -o run --masks masks/",
)
def track_command(
    inputs: Annotated[
        list[Path],
        argument(
            "Checkpoints with their step in the name (.pth, .safetensors, or Hugging Face folders), and "
            "photographs or folders of them.",
            INPUT,
            metavar="CHECKPOINTS... PHOTOS...",
        ),
    ],
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: Annotated[
        Path | None, option("Folder of label images named like the photographs.", INPUT, metavar="DIR")
    ] = None,
    grid: Annotated[
        int,
        option("Patches on the short side.", MODEL, metavar="N", min=4),
    ] = 16,
    out: Annotated[
        Path,
        out_option("Folder of the run; goes on there."),
    ],
    as_json: options.Json = False,
) -> None:
    """Look at the dense features of a series of checkpoints, and say where they looked best."""
    from dinoscope.monitoring.page import write_watch
    from dinoscope.monitoring.run_files import RunFiles
    from dinoscope.monitoring.track import is_checkpoint, summary, track
    from dinoscope.shell.paths import check_folders, check_out
    from dinoscope.shell.terminal import end, note, read_photographs, tell
    from dinoscope.strict_json import strict_json

    check_folders([] if masks is None else [masks], "masks")
    check_out(out)
    checkpoints = [path for path in inputs if is_checkpoint(path)]
    named = [path for path in inputs if not is_checkpoint(path)]
    photos, failures = read_photographs(named, recursive=recursive, pixel_range=pixel_range)
    checks = track(
        checkpoints,
        photos,
        out,
        masks=masks,
        grid=grid,
        on_check=lambda check: tell(f"step {check.step:,} done"),
        on_failure=note(failures),
    )
    files = RunFiles(out)
    page = write_watch(checks, files.maps(checks), out / "watch.html", title=out.resolve().name)
    said = summary(checks)
    print(strict_json({"summary": said, "page": page}) if as_json else f"{said}\n\npage: {page}")
    end(failures)

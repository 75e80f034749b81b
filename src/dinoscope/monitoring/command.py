"""`dinoscope watch` and `dinoscope track`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer


def watch_command(
    run: Annotated[Path, typer.Argument(help="Folder that a monitor writes to.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option(help="Page to write; watch.html in the folder by default.")
    ] = None,
    every: Annotated[
        int, typer.Option(help="Write it again every so many seconds, until interrupted; 0: once.", min=0)
    ] = 0,
) -> None:
    """Write the page of a watched training: its numbers, its maps in one basis, and whether it got worse."""
    from dinoscope.monitoring.page import write_watch
    from dinoscope.monitoring.run_files import RunFiles

    files = RunFiles(run)
    page = run / "watch.html" if out is None else out
    told = False
    while True:
        checks = files.checks()
        write_watch(
            checks, files.maps(checks), page, title=run.resolve().name, reload_s=every if every else None
        )
        if not told:
            print(page, flush=True)
            told = True
        if not every:
            return
        time.sleep(every)


def track_command(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="CHECKPOINTS... PHOTOS...",
            help="Checkpoints with their step in the name (.pth, .safetensors, or Hugging Face folders), and "
            "photographs or folders of them.",
            show_default=False,
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the run; goes on there.", show_default=False)],
    masks: Annotated[
        Path | None, typer.Option(help="Folder of label images named like the photographs.")
    ] = None,
    grid: Annotated[int, typer.Option(help="Patches on the short side.", min=4)] = 16,
) -> None:
    """Look at the dense features of a series of checkpoints, and say where they looked best."""
    from dinoscope.monitoring.page import write_watch
    from dinoscope.monitoring.run_files import RunFiles
    from dinoscope.monitoring.track import is_checkpoint, summary, track
    from dinoscope.shell.terminal import end, note, read_photographs, tell

    checkpoints = [path for path in inputs if is_checkpoint(path)]
    photos, failures = read_photographs(path for path in inputs if not is_checkpoint(path))
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
    print(f"{summary(checks)}\n\npage: {page}")
    end(failures)

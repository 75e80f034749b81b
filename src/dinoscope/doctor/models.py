"""Which models can be had here: bundled, cached, open on the hub, or behind a gate."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from dinoscope.backbones import advice, catalog, hub
from dinoscope.backbones.listing import models
from dinoscope.doctor.diagnosis import Finding

WAIT_S = 3.0
"""For the hub's answers about all repositories together, once it has answered about one."""

_AT_ONCE = 8
_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")


def hub_findings() -> Iterator[Finding]:
    """Cached weights; then, unless the offline switch is on, what the hub says about the others."""
    rows = [row for row in models() if row.sources]
    bundled = [row.name for row in rows if row.sources == ("bundled",)]
    cached = [row.name for row in rows if row.cached and row.name not in bundled]
    missing = [row.name for row in rows if not row.cached]
    yield Finding("models", "bundled", "ok", f"{', '.join(bundled)} (toy models)")
    if cached:
        yield Finding("models", "cached", "ok", ", ".join(cached))
    else:
        yield Finding("models", "cached", "ok", "none yet; a model is downloaded when it is first used")
    from huggingface_hub import get_token, is_offline_mode

    if is_offline_mode():
        switch = next((name for name in _OFFLINE if os.environ.get(name)), _OFFLINE[0])
        yield Finding(
            "hub",
            "offline",
            "note",
            f"{switch} is set: the hub is not asked, and only bundled and cached models can be used",
            f"unset {switch} to download others",
        )
        return
    yield Finding("hub", "token", "ok", "there is one" if get_token() else "none; gated models need one")
    if missing:
        yield from _asked(missing)


def _asked(names: Sequence[str]) -> Iterator[Finding]:
    """One repository first: is there anybody to talk to? Then the rest at once."""
    from huggingface_hub import constants

    repos = list(dict.fromkeys(s.repo for name in names for s in catalog.ENTRIES[name].sources))
    answers = {repos[0]: hub.ask(repos[0])}
    if not answers[repos[0]].reached:
        yield Finding("hub", "access", "note", answers[repos[0]].reason, advice.network_step())
        return
    answers |= _at_once(repos[1:])
    yield Finding("hub", "access", "ok", f"{constants.ENDPOINT} answers")
    open_, gated, silent = [], [], []
    for name in names:
        said = [answers[s.repo] for s in catalog.ENTRIES[name].sources if s.repo in answers]
        if any(answer.readable for answer in said):
            open_.append(name)
        elif any(answer.reached for answer in said):
            gated.append(name)
        else:
            silent.append(name)
    if open_:
        yield Finding("hub", "open to you", "ok", ", ".join(open_))
    if gated:
        steps = advice.steps_for(catalog.ENTRIES[gated[0]])
        yield Finding("hub", "closed to you", "note", ", ".join(gated), "\n".join(steps[:2]))
    if silent:
        yield Finding("hub", "no answer", "note", ", ".join(silent), "try again later")


def _at_once(repos: Sequence[str]) -> dict[str, hub.Answer]:
    pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="dinoscope-hub")
    try:
        asked = {pool.submit(hub.ask, repo): repo for repo in repos}
        done, _ = wait(asked, timeout=WAIT_S)
        return {asked[future]: future.result() for future in done}
    finally:
        pool.shutdown(wait=False, cancel_futures=True)

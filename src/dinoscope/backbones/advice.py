"""What a user can do when weights cannot be had."""

from __future__ import annotations

from dinoscope.backbones.catalog import Entry, HubSource


def steps_for(entry: Entry) -> tuple[str, ...]:
    """Ways to the weights of a catalog model, most promising first; the last one needs none."""
    gated = [source for source in entry.sources if source.gated]
    ungated = [source for source in entry.sources if not source.gated]
    unlock = "then `hf auth login` (or set HF_TOKEN)"
    steps = [f"accept the licence at {source.page}, {unlock}" for source in gated]
    for source in ungated:
        what = "the same weights under the same licence, without a gate" if gated else "no licence gate"
        steps.append(
            f"{source.page} ({entry.licence}; {what}): on a machine that reaches it, "
            f"`hf download {source.repo} --local-dir DIR`, then use {entry.name}=DIR"
        )
    page = entry.official_page
    steps.append(
        f"download {page} and use {entry.name}=PATH/{entry.official_file}"
        if page.endswith(entry.official_file)
        else f"download {entry.official_file} from {page} and use {entry.name}=PATH/{entry.official_file}"
    )
    steps.append(network_step())
    steps.append(
        "go on without these weights: the small models mini and mini-gram are bundled, the controls pixels "
        f"and random:{entry.name} need none"
    )
    return tuple(steps)


def steps_for_foreign(repo: str) -> tuple[str, ...]:
    """Ways to a model on the hub that is not in the catalog."""
    source = HubSource(repo)
    return (
        f"open {source.page}: is the name right? If it is gated, accept its licence, then `hf auth login`",
        f"on a machine that reaches it, `hf download {repo} --local-dir DIR`, then use hf:DIR",
        network_step(),
    )


def network_step() -> str:
    """The environment variables that decide how the hub is reached."""
    return (
        "behind a proxy, set HTTPS_PROXY; for a mirror, set HF_ENDPOINT; with HF_HUB_OFFLINE=1 only "
        "the local cache (HF_HOME) is used"
    )

"""Weights from the Hugging Face hub: the local cache first, then at most one knock on the door.

`huggingface_hub` retries a dead network for about 23 s per file. Here one HEAD request with a short
timeout decides first whether there is anybody to talk to; only then are files downloaded, and only
those that are needed. Endpoint, cache folder, token and offline switch are `huggingface_hub`'s own
(HF_ENDPOINT, HF_HOME, HF_TOKEN, HF_HUB_OFFLINE).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dinoscope.backbones.catalog import HubSource
from dinoscope.backbones.pace import paced
from dinoscope.errors import WeightsError
from dinoscope.names import without_secrets

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
PROCESSOR = "processor_config.json"
VIDEO_PREPROCESSOR = "video_preprocessor_config.json"
CARD = "README.md"
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
PROBE_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One repository at one commit, in the local cache; complete.

    Attributes:
        folder: holds the weights, and `config.json` where the repository has one.
        repo: ``ORG/NAME``.
        revision: the commit.
    """

    folder: Path
    repo: str
    revision: str

    @property
    def source(self) -> str:
        """As weights origins name it."""
        return f"hub:{self.repo}@{self.revision}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the hub says about one repository.

    Attributes:
        readable: whether this account may have it.
        reached: whether the hub answered at all.
        reason: why it cannot be had; empty where it can.
    """

    readable: bool
    reached: bool
    reason: str = ""


class _SourceError(Exception):
    """A source that cannot be used; ``final`` where no other source on the hub can be either."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        self.reason = reason
        self.final = final
        super().__init__(reason)


def cached(repo: str, extra_files: Sequence[str] = ()) -> Snapshot | None:
    """The repository's main revision in the local cache, if it is complete there. No request.

    Complete: all weights, and each extra file, unless the repository is known not to have it.
    """
    weights = _in_cache(repo, SINGLE)
    if weights is None:
        weights = _in_cache(repo, INDEX)
        shards = _shards(weights) if weights is not None else None
        if weights is None or shards is None:
            return None
        if not all((weights.parent / shard).is_file() for shard in shards):
            return None
    if not all(_settled(repo, file) for file in extra_files):
        return None
    return Snapshot(weights.parent, repo, weights.parent.name)


def ask(repo: str) -> Answer:
    """May this repository be had? One HEAD request, even where the offline switch is on."""
    try:
        _probe(repo)
    except _SourceError as refusal:
        return Answer(readable=False, reached=not refusal.final, reason=refusal.reason)
    return Answer(readable=True, reached=True)


def locate(
    name: str,
    sources: Sequence[HubSource],
    steps: Sequence[str],
    *,
    extra_files: Sequence[str] = (),
    beside: Sequence[str] = (),
) -> Snapshot:
    """A complete snapshot of the first source that can be had: cached ones first, then the hub.

    Costs one HEAD request per source that refuses (gated, missing), and one in all where the hub
    cannot be reached.

    Args:
        name: of the backbone, for the error.
        sources: in the order to try; the same weights in each.
        steps: what the user can do if none can be had.
        extra_files: also needed, where the repository has them.
        beside: downloaded with the rest, where the repository has them; a cache without them is complete.

    Raises:
        WeightsError: no source can be had.
    """
    for source in sources:
        found = cached(source.repo, extra_files)
        if found is not None:
            return found
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise WeightsError(
            name,
            "not in the local cache, and HF_HUB_OFFLINE forbids asking the hub",
            ("unset HF_HUB_OFFLINE to download them", *steps),
        )
    reasons: list[str] = []
    for source in sources:
        try:
            return _download(source.repo, (*extra_files, *beside))
        except _SourceError as refusal:
            reasons.append(refusal.reason)
            if refusal.final:
                break
    raise WeightsError(name, "; ".join(reasons), steps)


def _in_cache(repo: str, file: str) -> Path | None:
    from huggingface_hub import constants

    if not (Path(constants.HF_HUB_CACHE) / f"models--{repo.replace('/', '--')}").is_dir():
        return None  # without what reads it, which imports an HTTP client
    from huggingface_hub import try_to_load_from_cache

    path = try_to_load_from_cache(repo, file)
    return Path(path) if isinstance(path, str) else None


def _settled(repo: str, file: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return try_to_load_from_cache(repo, file) is not None


def _shards(index: Path) -> tuple[str, ...] | None:
    """File names of the shards; None for an index that cannot be read."""
    try:
        return tuple(sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _download(repo: str, extra_files: Sequence[str]) -> Snapshot:
    _probe(repo)
    config = _fetch(repo, CONFIG)
    if config is None:
        raise _SourceError(f"{repo}: no {CONFIG} in it")
    revision = config.parent.name
    for file in extra_files:
        _fetch(repo, file, revision)
    if _fetch(repo, SINGLE, revision) is None:
        index = _fetch(repo, INDEX, revision)
        shards = _shards(index) if index is not None else None
        if shards is None:
            raise _SourceError(f"{repo} holds neither {SINGLE} nor a readable {INDEX}")
        for shard in shards:
            if _fetch(repo, shard, revision) is None:
                raise _SourceError(f"{repo} lacks {shard}, which its {INDEX} names")
    return Snapshot(config.parent, repo, revision)


def _probe(repo: str) -> None:
    """One HEAD request: is the hub there, and may this repository be had?"""
    from huggingface_hub import constants, get_token, hf_hub_url
    from huggingface_hub.utils import get_session, httpx  # type: ignore[attr-defined]

    url = hf_hub_url(repo, CONFIG)
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    # Not build_hf_headers: to name its user agent it may send a request of its own first.
    headers = {"authorization": f"Bearer {token}"} if token else {}
    try:
        response = get_session().head(url, headers=headers, timeout=PROBE_TIMEOUT_S, follow_redirects=False)
    except (httpx.HTTPError, OSError) as error:
        raise _SourceError(
            f"the hub cannot be reached ({_brief(error)}; tried {without_secrets(url)})", final=True
        ) from error
    status = response.status_code
    if status in (401, 403):
        raise _SourceError(_closed(repo, response.headers.get("X-Error-Code")))
    if status in (404, 410):
        raise _SourceError(f"{repo}: no such repository on the hub, or no {CONFIG} in it")
    if status >= 400:
        raise _SourceError(f"the hub answers {status} for {repo}; try again later", final=True)


def _fetch(repo: str, file: str, revision: str | None = None) -> Path | None:
    """One file, into the cache; None if the repository does not have it."""
    from huggingface_hub import errors, hf_hub_download
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]

    try:
        with paced():
            return Path(hf_hub_download(repo, file, revision=revision, etag_timeout=PROBE_TIMEOUT_S))
    except errors.GatedRepoError as error:
        raise _SourceError(_closed(repo, "GatedRepo")) from error
    except errors.RemoteEntryNotFoundError:
        return None
    except errors.RepositoryNotFoundError as error:
        raise _SourceError(_closed(repo, None)) from error
    except (httpx.HTTPError, OSError) as error:
        raise _SourceError(f"downloading {file} from {repo} failed ({_brief(error)})", final=True) from error


def _closed(repo: str, code: str | None) -> str:
    if code == "GatedRepo":
        return f"{repo} is gated, and this account (or nobody, without a token) may not read it"
    return f"{repo}: no such repository, or it is private, or gated to this account"


def _brief(error: Exception) -> str:
    cause = error.__cause__ or error
    first_line = next(iter(str(cause).splitlines()), "")
    return without_secrets(f"{type(cause).__name__}: {first_line}") if first_line else type(cause).__name__

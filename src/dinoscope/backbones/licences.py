"""Licences of published weights, and the notice that goes with the DINOv3 ones."""

from __future__ import annotations

import sys
from pathlib import Path

APACHE = "Apache-2.0"
DINOV3 = "DINOv3-License"
DINOV3_LICENCE_URL = "https://ai.meta.com/resources/models-and-libraries/dinov3-license/"
DINOV3_NOTICE = (
    "dinoscope: DINOv3 weights come under the DINOv3 License "
    f"({DINOV3_LICENCE_URL}): pass it on with the weights, acknowledge DINOv3 in publications, "
    "and mind its trade-control clauses."
)

NOT_STATED = "not stated"
_CARD_BYTES = 4 << 20
_SPELLINGS = {"apache-2.0": APACHE, "dinov3-license": DINOV3}

_given: set[str] = set()


def notice(text: str) -> None:
    """Write a line to stderr, once per process for each text; never to stdout, which holds results."""
    if text not in _given:
        _given.add(text)
        sys.stderr.write(text + "\n")


def named(spelling: str | None) -> str:
    """A licence as it is called here; ``not stated`` where nothing is said."""
    return _SPELLINGS.get((spelling or "").lower(), spelling or NOT_STATED)


def of_card(card: Path) -> str:
    """The licence that the front matter of a model card states; ``not stated`` where it states none."""
    from huggingface_hub import metadata_load

    try:
        facts = metadata_load(card) if card.is_file() and card.stat().st_size < _CARD_BYTES else None
    except Exception:  # noqa: BLE001 - a card is for people: what is no YAML states nothing
        facts = None
    said = (facts or {}).get("license")
    if said == "other":
        said = (facts or {}).get("license_name") or said
    return named(said if isinstance(said, str) else None)


def give_notice(licence: str) -> None:
    """The notice that goes with weights under this licence, if there is one."""
    if licence == DINOV3:
        notice(DINOV3_NOTICE)

"""Licences of published weights, and the notice that goes with the DINOv3 ones."""

from __future__ import annotations

import sys

APACHE = "Apache-2.0"
DINOV3 = "DINOv3-License"
DINOV3_LICENCE_URL = "https://ai.meta.com/resources/models-and-libraries/dinov3-license/"
DINOV3_NOTICE = (
    "dinoscope: DINOv3 weights come under the DINOv3 License "
    f"({DINOV3_LICENCE_URL}): pass it on with the weights, acknowledge DINOv3 in publications, "
    "and mind its trade-control clauses."
)

_SPELLINGS = {"apache-2.0": APACHE, "dinov3-license": DINOV3}

_given: set[str] = set()


def notice(text: str) -> None:
    """Write a line to stderr, once per process for each text; never to stdout, which holds results."""
    if text not in _given:
        _given.add(text)
        sys.stderr.write(text + "\n")


def named(spelling: str | None) -> str:
    """A licence as it is called here; ``unknown`` where nothing is said."""
    return _SPELLINGS.get((spelling or "").lower(), spelling or "unknown")


def give_notice(licence: str) -> None:
    """The notice that goes with weights under this licence, if there is one."""
    if licence == DINOV3:
        notice(DINOV3_NOTICE)

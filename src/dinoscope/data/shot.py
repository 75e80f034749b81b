"""Shot: when, with what and where a photograph was taken, as far as its file says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shot:
    """What an EXIF block says. Data, never markup, and never checked: clocks are wrong, places are edited.

    Attributes:
        taken: by the camera's clock, whose zone is mostly unknown: ``2024-05-31T18:20:00``; empty if unknown.
        camera: its maker and model; empty if unknown.
        latitude, longitude: in degrees, north and east positive; None if unknown.
    """

    taken: str = ""
    camera: str = ""
    latitude: float | None = None
    longitude: float | None = None


UNKNOWN = Shot()
"""Where nothing is said."""

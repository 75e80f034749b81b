"""Refusing what cannot be used, and saying where a run stopped."""

from __future__ import annotations

from pathlib import Path

from dinoscope.errors import DinoscopeError, InputError


def require(holds: bool, message: str) -> None:  # noqa: FBT001  (reads as a sentence)
    """Raise `InputError` unless a condition holds."""
    if not holds:
        raise InputError(message)


def require_least(settings: object, least: float, *names: str) -> None:
    """Raise `InputError` unless each of some attributes is at least a number."""
    for name in names:
        value = getattr(settings, name)
        require(value >= least, f"{name} must be at least {least:g}, got {value}")


class TrainingStoppedError(DinoscopeError):
    """A run that cannot go on. What it had reached is kept.

    Attributes:
        step: at which it stopped; this step did not change anything.
        what: the loss that was not finite, ``gradient``, or ``disk``.
        checkpoint: the last whole checkpoint; None if there is none yet.
    """

    def __init__(self, step: int, what: str, reason: str, checkpoint: Path | None) -> None:
        self.step = step
        self.what = what
        self.checkpoint = checkpoint
        kept = f"the last good checkpoint is {checkpoint}" if checkpoint else "there is no checkpoint yet"
        super().__init__(f"training stopped at step {step}: {reason}; {kept}")

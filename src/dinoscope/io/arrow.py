"""pyarrow, where it is installed."""

from __future__ import annotations

from typing import Any

from dinoscope.errors import MissingExtraError


def arrow() -> Any:
    """The package pyarrow, which comes with lance.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtraError("the feature store", "store") from error
    return pyarrow

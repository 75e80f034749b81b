"""pyarrow, where it is installed."""

from __future__ import annotations

from typing import Any

from dinoscope.extras import extra_package


def arrow() -> Any:
    """The package pyarrow, which comes with lance.

    Raises:
        MissingExtraError: it is not installed.
    """
    return extra_package("pyarrow", "the feature store", "store")

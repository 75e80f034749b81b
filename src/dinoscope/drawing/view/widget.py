"""The interactive view in a notebook."""

from __future__ import annotations

from typing import Any

from dinoscope.data.results import Comparison
from dinoscope.drawing.view.bundle import view_module
from dinoscope.drawing.view.payload import comparison_payload
from dinoscope.errors import MissingExtraError


def widget(comparison: Comparison) -> Any:
    """An ``anywidget.AnyWidget``; the same view as in the report, its data sent once.

    Raises:
        MissingExtraError: anywidget is not installed.
    """
    try:
        import anywidget
        import traitlets
    except ImportError as error:
        raise MissingExtraError("the notebook widget", "widget") from error

    class ComparisonWidget(anywidget.AnyWidget):
        """Fields of the payload, sent to the browser as they are."""

        _esm = view_module()
        header = traitlets.Unicode().tag(sync=True)
        data = traitlets.Bytes().tag(sync=True)

    payload = comparison_payload(comparison)
    return ComparisonWidget(header=payload.header, data=payload.data)

"""An ONNX file, run by onnxruntime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from dinoscope.errors import InputError
from dinoscope.extras import extra_package

_QUANTISED = ("QLinear", "Quantize", "Integer")


class OnnxModel:
    """Takes pixels, gives its outputs by name.

    Attributes:
        path: of the file.
        size: pixels ``(H, W)`` that it was fixed to; None in the place of one that may vary.

    Raises:
        InputError: no ONNX file, or none that takes one batch of pixels ``b 3 H W``.
        MissingExtraError: without onnxruntime.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._session = _session(self.path)
        inputs = self._session.get_inputs()
        shape = inputs[0].shape if inputs else []
        if len(inputs) != 1 or len(shape) != 4 or (shape[1] not in (3, None) and isinstance(shape[1], int)):
            said = ", ".join(f"{i.name} {tuple(i.shape)}" for i in inputs)
            raise InputError(f"{str(path)!r} takes {said or 'nothing'}, not one batch of pixels (b 3 H W)")
        height, width = (side if isinstance(side, int) else None for side in shape[2:])
        self.size: tuple[int | None, int | None] = (height, width)
        self._input = inputs[0].name
        self._dtype = np.float16 if inputs[0].type == "tensor(float16)" else np.float32

    def __call__(self, pixels: Float32[np.ndarray, "1 3 H W"]) -> Mapping[str, np.ndarray]:
        """Every output.

        Raises:
            InputError: it cannot be run on this size; with onnxruntime's words.
        """
        names = [output.name for output in self._session.get_outputs()]
        try:
            found = self._session.run(None, {self._input: pixels.astype(self._dtype)})
        except Exception as error:  # onnxruntime’s own kinds have no common name
            raise InputError(_first_line(error)) from error
        return {name: np.asarray(array) for name, array in zip(names, found, strict=True)}

    @property
    def arithmetic(self) -> str:
        """``8-bit``, ``float16`` or ``float32``: the lowest that its graph uses."""
        import onnx

        graph = onnx.load(self.path, load_external_data=False).graph
        if any(word in node.op_type for node in graph.node for word in _QUANTISED):
            return "8-bit"
        half = onnx.TensorProto.FLOAT16
        casts = (a.i for node in graph.node if node.op_type == "Cast" for a in node.attribute)
        stored = (tensor.data_type for tensor in graph.initializer)
        return "float16" if half in {*casts, *stored} else "float32"


def _session(path: Path) -> Any:
    onnxruntime = extra_package("onnxruntime", "running an ONNX file", "onnx")
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}")
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 4  # its errors are raised, too
    try:
        return onnxruntime.InferenceSession(str(path), quiet, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime’s own kinds have no common name
        raise InputError(f"{str(path)!r} is no ONNX file that can be run: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)

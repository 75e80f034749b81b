"""An OpenVINO file (``.xml``, with its weights in ``.bin``), run on the processor in float32."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from dinoscope.atomic import work_folder
from dinoscope.errors import InputError, shortened
from dinoscope.extras import extra_package

_IN_FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}
"""Processors with bfloat16 would compute in it unless told: the certificate is of the file."""

_QUANTISED = ("i8", "u8", "i4", "u4")


class OpenvinoModel:
    """Takes pixels, gives its outputs by name.

    Attributes:
        path: of the ``.xml`` file.
        size: pixels ``(H, W)`` that it was fixed to; None in the place of one that may vary.

    Raises:
        InputError: no OpenVINO file, or none that takes one batch of pixels ``b 3 H W``.
        MissingExtraError: without openvino.
    """

    def __init__(self, path: str | Path) -> None:
        openvino = _openvino("running an OpenVINO file")
        self.path = Path(path)
        if not self.path.is_file():
            raise InputError(f"there is no file {str(path)!r}")
        core = openvino.Core()
        try:
            self._model = core.read_model(str(self.path))
            self._compiled = core.compile_model(self._model, "CPU", _IN_FLOAT32)
        except RuntimeError as error:
            raise InputError(
                f"{str(path)!r} is no OpenVINO file that can be run: {shortened(error)}"
            ) from error
        inputs = self._model.inputs
        shape = inputs[0].partial_shape if len(inputs) == 1 else None
        if shape is None or len(shape) != 4 or (shape[1].is_static and shape[1].get_length() != 3):
            said = ", ".join(str(i.partial_shape) for i in inputs)
            raise InputError(f"{str(path)!r} takes {said or 'nothing'}, not one batch of pixels (b 3 H W)")
        height, width = (side.get_length() if side.is_static else None for side in list(shape)[2:])
        self.size: tuple[int | None, int | None] = (height, width)
        self._dtype = np.float16 if inputs[0].element_type.get_type_name() == "f16" else np.float32

    def __call__(self, pixels: Float32[np.ndarray, "1 3 H W"]) -> Mapping[str, np.ndarray]:
        """Every output.

        Raises:
            InputError: it cannot be run on this size; with OpenVINO's words.
        """
        try:
            found = self._compiled([pixels.astype(self._dtype)])
        except RuntimeError as error:
            raise InputError(shortened(error)) from error
        return {_name(output, k): np.array(found[output]) for k, output in enumerate(self._compiled.outputs)}

    @property
    def arithmetic(self) -> str:
        """``8-bit``, ``float16`` or ``float32``: the lowest that its weights are kept in."""
        nodes = self._model.get_ordered_ops()
        kinds = {
            node.get_element_type().get_type_name() for node in nodes if node.get_type_name() == "Constant"
        }
        if kinds & set(_QUANTISED) or any(node.get_type_name() == "FakeQuantize" for node in nodes):
            return "8-bit"
        return "float16" if "f16" in kinds else "float32"


def onnx_to_openvino(onnx_file: Path, path: Path) -> None:
    """Writes an ONNX file as OpenVINO's, in float32: the weights first, then the graph that names them.

    Raises:
        MissingExtraError: without openvino.
    """
    openvino = _openvino("writing an OpenVINO file")
    model = openvino.Core().read_model(str(onnx_file))
    model.inputs[0].get_tensor().set_names({"pixels"})
    path.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(path.parent) as work:
        openvino.save_model(model, str(work / path.name), compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            (work / path.name).with_suffix(suffix).replace(path.with_suffix(suffix))


def _openvino(what: str) -> Any:
    """OpenVINO, kept from telling its makers of its import, as it does where it finds its telemetry."""
    told = "openvino_telemetry" not in sys.modules
    if told:
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # an import of it fails
    try:
        return extra_package("openvino", what, "openvino")
    finally:
        if told:
            del sys.modules["openvino_telemetry"]


def _name(output: Any, place: int) -> str:
    names = sorted(output.get_names())
    return names[0] if names else f"output {place}"

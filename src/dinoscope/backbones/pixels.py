"""How many patches is an input?"""

from __future__ import annotations

from torch import Tensor

from dinoscope.errors import ShapeError


def check_pixels(pixels: Tensor, patch_size: int) -> tuple[int, int]:
    """``(h, w)``: how many patches the input is, exactly.

    Raises:
        ShapeError: not ``b 3 H W``, or not a whole number of patches.
    """
    if pixels.ndim != 4 or pixels.shape[1] != 3 or 0 in pixels.shape:
        raise ShapeError("pixels", expected="b 3 H W", actual=pixels.shape)
    height, width = pixels.shape[-2:]
    if height % patch_size or width % patch_size:
        raise ShapeError(
            f"pixels: H and W must be whole multiples of the patch size {patch_size}",
            expected=f"b 3 {patch_size}*h {patch_size}*w",
            actual=pixels.shape,
        )
    return height // patch_size, width // patch_size

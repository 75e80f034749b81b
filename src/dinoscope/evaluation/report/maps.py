"""What a suppression takes out of a photograph, as a picture."""

from __future__ import annotations

import io

import matplotlib
import numpy as np
from jaxtyping import Float64
from PIL import Image

from dinoscope.drawing.html import file_uri


def removed_uri(shares: Float64[np.ndarray, "h w"]) -> str:
    """Shares in [0, 1] in inferno from black to nearly white, one scale for all, patch by patch."""
    rgba = matplotlib.colormaps["inferno"](np.clip(shares, 0.0, 1.0), bytes=True)
    image = Image.fromarray(np.ascontiguousarray(rgba[..., :3]))
    image = image.resize((image.width * 8, image.height * 8), Image.Resampling.NEAREST)
    out = io.BytesIO()
    image.save(out, "png", optimize=True)
    return file_uri(out.getvalue(), "png")

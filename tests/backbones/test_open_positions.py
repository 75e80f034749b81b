from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from dinoscope.backbones.open_positions import resize_weights


@pytest.mark.parametrize("n", [3, 16, 37, 50])
def test_the_matrices_are_torchs_own_interpolation(n: int) -> None:
    table = torch.randn(1, 2, 37, 37, generator=torch.Generator().manual_seed(0))
    for antialias in (False, True):
        weights = resize_weights(torch.tensor(n), 37, antialias=antialias)
        ours = torch.einsum("hi,bcij,wj->bchw", weights, table, weights)
        want = (
            F.interpolate(table, size=(n, n), mode="bicubic", antialias=True)
            if antialias
            else F.interpolate(table, scale_factor=((n + 0.1) / 37,) * 2, mode="bicubic")
        )
        torch.testing.assert_close(ours, want, atol=1e-4, rtol=0)

"""How much does the class token look at each patch, by the queries and keys of one layer?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.errors import InputError, ShapeError


def cls_attention(
    q_cls: Float[np.ndarray, "heads head_dim"],
    k_patches: Float[np.ndarray, "heads n head_dim"],
    k_others: Float[np.ndarray, "heads r head_dim"] | None = None,
) -> Float64[np.ndarray, " n"]:
    """Mean over heads of the class token's attention to each patch: softmax of ``q k / sqrt(head_dim)``.

    Source: Vaswani et al., Attention is all you need (arXiv 1706.03762, eq. 1).

    Args:
        q_cls: the class token's query, as it enters the product: after rotary embedding and query norm.
        k_patches: the patches' keys, row-major, likewise.
        k_others: keys of the class token itself and of the registers. Given, the softmax runs over them
            too and a head that looks at them says less; without, every head's weights sum to 1.

    Returns:
        Weights of at least 0 that sum to 1 without ``k_others``, to less with.

    Raises:
        ShapeError: heads or channels differ, or no patches.
        InputError: NaN or infinite values.
    """
    heads, dim = q_cls.shape
    others = np.zeros((heads, 0, dim)) if k_others is None else k_others
    for what, keys in (("k_patches", k_patches), ("k_others", others)):
        if keys.ndim != 3 or keys.shape[0] != heads or keys.shape[2] != dim:
            raise ShapeError(what, expected=f"heads={heads} n head_dim={dim}", actual=keys.shape)
    n = k_patches.shape[1]
    if n == 0 or heads == 0:
        raise ShapeError("k_patches", expected="heads n head_dim", actual=k_patches.shape)
    keys = np.concatenate([k_patches, others], axis=1).astype(np.float64)
    if not (np.isfinite(keys).all() and np.isfinite(q_cls).all()):
        raise InputError("the queries or keys hold NaN or infinite values")
    logits = np.einsum("hd,hnd->hn", q_cls.astype(np.float64), keys) / np.sqrt(dim)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights[:, :n].mean(axis=0))
